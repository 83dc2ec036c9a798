"""Which runs a comparison shows, and in which order: sections that are each of one thing, and who is in none."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from autoenc.comparison.cautions import code_size_warnings, no_overall_ranking, ranking_note
from autoenc.comparison.keys import value_of
from autoenc.comparison.protocol import (
    Section,
    Unranked,
    comparable_sections,
    unranked,
    why_not_finished,
)
from autoenc.comparison.wording import is_number, said
from autoenc.runs import RunRecord


class Order(NamedTuple):
    """What was asked for by `--sort`."""

    key: str
    descending: bool


@dataclass(frozen=True, kw_only=True)
class View:
    """Runs, arranged."""

    records: tuple[RunRecord, ...]
    """All of them, in the order in which they were read."""
    sections: tuple[Section, ...]
    """In the order that was asked for; else the best first."""
    unranked: tuple[Unranked, ...]
    metric: str | None
    """What the sections are ranked by; None where nothing was measured."""
    note: str
    """What the order is."""
    warnings: tuple[str, ...]


def arrange(records: Sequence[RunRecord], *, metric: str | None, order: Order | None) -> View:
    """The runs in sections that can be ranked by a metric, or sorted by any key."""
    if metric is None:
        left = tuple(Unranked(record, why_not_finished(record) or "nothing was measured") for record in records)
        return View(records=tuple(records), sections=(), unranked=left, metric=None, note="", warnings=())
    sections = comparable_sections(records, metric)
    overall = no_overall_ranking(sections, metric)
    warnings = [*([overall] if overall else []), *code_size_warnings(sections, metric)]
    unit = sections[0].records[0].unit(metric) if sections else ""
    note = ranking_note(metric, unit=unit)
    if order is not None:
        sections = [section._replace(records=tuple(in_order(section.records, order))) for section in sections]
        direction = "descending" if order.descending else "ascending"
        note = f"Sorted by {order.key}, {direction}.{f' {note}' if order.key == metric else ''}"
    return View(
        records=tuple(records),
        sections=tuple(sections),
        unranked=tuple(unranked(records, metric)),
        metric=metric,
        note=note,
        warnings=tuple(warnings),
    )


def in_rows(view: View) -> list[RunRecord]:
    """All runs in the order in which they are shown: those of the sections, then those that are not ranked."""
    return [run for section in view.sections for run in section.records] + [one.record for one in view.unranked]


def first_of_each(view: View, count: int) -> View:
    """The first runs of each section alone."""
    sections = tuple(section._replace(records=section.records[:count]) for section in view.sections)
    shown = replace(view, sections=sections, unranked=())
    return replace(shown, records=tuple(in_rows(shown)))


def in_order(records: Iterable[RunRecord], order: Order) -> list[RunRecord]:
    """The runs by a key: numbers before texts, and what has no value last either way."""
    return sorted_by(records, lambda record: value_of(record, order.key), descending=order.descending)


T = TypeVar("T")


def sorted_by(items: Iterable[T], value: Callable[[T], Any], *, descending: bool) -> list[T]:
    """The items by a value of theirs; numbers in a text count as numbers, so that `job 9` comes before `job 10`."""
    found = [(value(item), item) for item in items]
    there = [pair for pair in found if not _is_missing(pair[0])]
    ordered = sorted(there, key=lambda pair: _sort_key(pair[0]), reverse=descending)
    return [item for _, item in ordered] + [item for given, item in found if _is_missing(given)]


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _sort_key(value: Any) -> tuple[int, float, list[tuple[int, int, str]]]:
    if is_number(value):
        return 0, value, []
    parts = re.split(r"([0-9]{1,18})", said(value))
    return 1, 0.0, [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]
