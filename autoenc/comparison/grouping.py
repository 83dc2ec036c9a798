"""Runs that differ in their seeds alone, as one: means with their intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autoenc.comparison.columns import Column
from autoenc.comparison.intervals import Estimate, estimate
from autoenc.comparison.keys import differing_settings, value_of
from autoenc.comparison.protocol import (
    Section,
    comparable_sections,
    is_higher_better,
    measured_how,
    split_of,
)
from autoenc.comparison.view import Order, View, sorted_by
from autoenc.comparison.wording import LARGEST, listed_in_words, numbers, said
from autoenc.runs import RunRecord

SEED = "seed"
MOST_DECIMALS = 9
PLUS_MINUS = " ± "
MIXED = "mixed"
"""Instead of a mean of numbers that are not of the same thing."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """Runs that are the same but for chance."""

    values: Mapping[str, Any]
    """By the keys that they were grouped by."""
    records: tuple[RunRecord, ...]
    """Those that are ranked, at least one."""
    left_out: int
    """How many more there would be, had they finished: a mean of the survivors may be too good."""
    apart: Mapping[str, str]
    """What sets its section apart from the others."""
    _known: dict[str, tuple[Section, ...]] = field(default_factory=dict, repr=False)

    def estimates(self, key: str) -> Estimate | None:
        """The mean of a metric; None where no run has it, or where it is not of the same thing in all of them."""
        sections = self._sections(key)
        return estimate([record.metrics[key] for record in sections[0].records]) if len(sections) == 1 else None

    def is_mixed(self, key: str) -> bool:
        """Whether a metric is not of the same thing in all of the runs."""
        return len(self._sections(key)) > 1

    def _sections(self, key: str) -> tuple[Section, ...]:
        if key not in self._known:
            self._known[key] = tuple(comparable_sections(self.records, key))
        return self._known[key]


def settings_but_the_seed(records: Sequence[RunRecord]) -> list[str]:
    """What `--group-by settings` stands for: all that differs but the seed."""
    return [key for key in differing_settings(records) if key != SEED]


def groups_of(section: Section, *, view: View, keys: Sequence[str]) -> list[Group]:
    """The groups of a section's runs, in the order of their first runs.

    Args:
        section: of the view.
        view: which says what was left out.
        keys: what is the same within a group.
    """
    found: dict[tuple[str, ...], list[RunRecord]] = {}
    for record in section.records:
        found.setdefault(_place(record, keys), []).append(record)
    left_out: dict[tuple[str, ...], int] = {}
    for record, _ in view.unranked:
        if _is_of_the_same(record, section.records[0], view=view):
            left_out[_place(record, keys)] = left_out.get(_place(record, keys), 0) + 1
    return [
        Group(
            values={key: value_of(group[0], key) for key in keys},
            records=tuple(group),
            left_out=left_out.get(place, 0),
            apart=section.apart,
        )
        for place, group in found.items()
    ]


def _place(record: RunRecord, keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(said(value_of(record, key)) for key in keys)


def _is_of_the_same(record: RunRecord, other: RunRecord, *, view: View) -> bool:
    """Whether a run would have been in the section of another; its unit is not known before its end."""
    assert view.metric is not None
    one, two = measured_how(record, view.metric), measured_how(other, view.metric)
    names = (one.keys() | two.keys()) - {"unit", "device", "threads", "host"}
    return all(one.get(name) == two.get(name) for name in names)


def in_order(groups: Sequence[Group], *, metric: str, order: Order | None) -> list[Group]:
    """The groups by the mean of the metric, the best first; or by the mean of another, or a key of theirs."""

    def mean(group: Group, key: str) -> float | None:
        found = group.estimates(key)
        return None if found is None else found.mean

    if order is None:
        unit = groups[0].records[0].unit(metric) if groups else ""
        higher = is_higher_better(metric, unit=unit) is True
        return sorted_by(groups, lambda group: mean(group, metric), descending=higher)
    if any(order.key in record.metrics for group in groups for record in group.records):
        return sorted_by(groups, lambda group: mean(group, order.key), descending=order.descending)
    return sorted_by(groups, lambda group: group.values.get(order.key), descending=order.descending)


def group_columns(groups: Sequence[Group], *, metrics: Sequence[str]) -> list[Column]:
    """What the runs were grouped by, how many there are, and the means."""
    keys = list(groups[0].values)
    by = [Column(key, [said(group.values[key]) for group in groups], right=False) for key in keys]
    count = Column("n", [str(len(group.records)) for group in groups])
    left_out = Column("left_out", [str(group.left_out or "") for group in groups])
    found = [_mean_column(groups, key) for key in metrics]
    return [*by, count, *([left_out] if any(left_out.cells) else []), *(one for one in found if any(one.cells))]


def _mean_column(groups: Sequence[Group], key: str) -> Column:
    if not _has_a_mean(key):
        return Column(key, [_range([record.metrics.get(key) for record in group.records]) for group in groups])
    estimates = [group.estimates(key) for group in groups]
    everything = [record for group in groups for record in group.records]
    higher = is_higher_better(key, unit=everything[0].unit(key))
    means = {number: found.mean for number, found in enumerate(estimates) if found is not None}
    cells = _mean_cells(estimates)
    best: frozenset[int] = frozenset()
    if higher is not None and len(set(means.values())) > 1 and len(comparable_sections(everything, key)) == 1:
        aim = (max if higher else min)(means.values())
        shown = {_mean_of(cells[number]) for number, mean in means.items() if mean == aim}
        best = frozenset(
            number for number in means if _mean_of(cells[number]) in shown and not _is_of_some(groups[number], key)
        )
    marked = [_marked(cell, group, key) for group, cell in zip(groups, cells, strict=True)]
    return Column(key, marked, best=best)


def _is_of_some(group: Group, key: str) -> bool:
    """Whether not all of its runs are in the mean of a metric: those that are may be the better ones."""
    found = group.estimates(key)
    return found is not None and found.runs < len(group.records)


def _marked(cell: str, group: Group, key: str) -> str:
    """With the number of runs that it is of, where these are not all."""
    if group.is_mixed(key):
        return MIXED
    found = group.estimates(key)
    return f"{cell} ({found.runs})" if found is not None and _is_of_some(group, key) else cell


def _mean_of(cell: str) -> str:
    return cell.partition(PLUS_MINUS)[0]


def _mean_cells(estimates: Sequence[Estimate | None]) -> list[str]:
    """With decimals for two digits of the narrowest interval and three of each mean, which may stand alone."""
    halves = [found.half_width for found in estimates if found is not None and found.half_width]
    if not halves:
        return numbers([None if found is None else found.mean for found in estimates])
    means = [abs(found.mean) for found in estimates if found is not None and found.mean]
    wanted = [1 - _magnitude(min(halves)), *([2 - _magnitude(min(means))] if means else [])]
    decimals = min(MOST_DECIMALS, max(0, *wanted))
    style = f",.{decimals}f" if max([*means, *halves]) < LARGEST else ".4g"

    def cell(found: Estimate | None) -> str:
        if found is None:
            return ""
        half = "" if found.half_width is None else f"{PLUS_MINUS}{found.half_width:{style}}"
        return f"{found.mean:{style}}{half}"

    return [cell(found) for found in estimates]


def _magnitude(value: float) -> int:
    """The power of ten of a number above 0."""
    return math.floor(math.log10(value))


def _range(values: Sequence[float | None]) -> str:
    found = sorted({value for value in values if value is not None})
    if not found:
        return ""
    return " to ".join(dict.fromkeys(numbers([found[0], found[-1]])))


def group_warnings(groups: Sequence[Group], *, metrics: Sequence[str]) -> list[str]:
    """What makes the means of some metrics, and their intervals, something else than chance does: a line each."""
    if not groups:
        return []
    lines = []
    mixed = dict.fromkeys(
        key for group in groups for key in differing_settings(group.records) if key not in {SEED, *group.values}
    )
    if mixed:
        lines.append(
            f"Within groups {listed_in_words(mixed)} differ too: the intervals are not over seeds alone. "
            "--group-by settings keeps them apart."
        )
    if SEED not in groups[0].values and any(_has_copies(group) for group in groups):
        lines.append("A group has runs of the same settings and the same seed: copies are no further evidence.")
    if any(group.left_out for group in groups):
        lines.append("Some runs of these groups are not ranked (left_out): a mean of the others may be too good.")
    partly = [key for key in metrics if _has_a_mean(key) and any(_is_of_some(group, key) for group in groups)]
    if partly:
        lines.append(
            f"Some runs have no {listed_in_words(partly, last='or')}: a mean with a number in brackets is of so many "
            "runs, may be too good, and is not marked as the best."
        )
    return lines


def _has_a_mean(key: str) -> bool:
    """Whether chance decides anything of it: a number of parameters has none."""
    is_fact = split_of(key) is None and is_higher_better(key) is None
    return not is_fact and key != "test.pca_mse"


def _has_copies(group: Group) -> bool:
    apart = differing_settings(group.records)
    return len({_place(record, [SEED, *apart]) for record in group.records}) < len(group.records)
