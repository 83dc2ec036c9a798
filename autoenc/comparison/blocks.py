"""What a comparison says, as words and tables, for the terminal and for Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from autoenc.comparison.columns import (
    Column,
    column,
    run_column,
    same_for_all,
    state_columns,
    units,
    usual_columns,
)
from autoenc.comparison.grouping import Group, group_columns, group_warnings, groups_of
from autoenc.comparison.grouping import in_order as groups_in_order
from autoenc.comparison.keys import FIELDS, differing_settings
from autoenc.comparison.protocol import Section, Unranked
from autoenc.comparison.view import Order, View
from autoenc.comparison.wording import listed_in_words, said
from autoenc.runs import RunRecord, printable

MOST_ROWS = 200
"""Of all tables together, unless more are asked for."""
FEWEST_ROWS = 5
"""Of a table, however many there are."""
MOST_COLUMNS = 100
"""Of a table: a stranger's config alone can have ten thousand keys that no other run has."""
MOST_SECTIONS = 30
MOST_UNRANKED = 50


class Words(NamedTuple):
    """A line."""

    text: str
    """Of folders' own words too: whoever prints it makes it harmless."""
    kind: Literal["plain", "heading", "warning", "note"] = "plain"


class Grid(NamedTuple):
    """A table."""

    columns: Sequence[Column]


Block = Words | Grid


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a person asked to see of a view."""

    metric: str | None
    """Whose columns are shown; None where nothing was measured."""
    order: Order | None
    top: int | None
    """So many of each section; None for as many as can be read."""
    every: bool
    """However many there are."""
    columns: tuple[str, ...] | None
    """Their keys; None for the usual ones."""
    group_by: tuple[str, ...] | None


def comparison_blocks(view: View, wanted: Wanted) -> Iterator[Block]:
    """The order, the tables, who is in none of them and why, and what the numbers are."""
    ranked = [record for section in view.sections for record in section.records]
    keys, of_unranked, without = _with_room(view, wanted)
    same = same_for_all(ranked, keys) if wanted.columns is None else {}
    same = {**_one_dataset(ranked), **same}
    yield Words(_states(view.records))
    if view.note and ranked:
        yield Words(view.note)
    yield from (Words(f"Mind: {warning}", "warning") for warning in view.warnings)
    yield from _sections(view, wanted, [key for key in keys if key not in same])
    yield from _unranked(view, wanted, of_unranked)
    yield from _no_room(without)
    if same:
        words = ", ".join(f"{printable(key)} {value}" for key, value in same.items())
        yield Words(f"The same for all that are ranked: {words}.")
    for name, unit in units(ranked, [*keys, view.metric or ""]).items():
        yield Words(f"{printable(name)}: {unit}", "note")
    if wanted.group_by is not None:
        yield Words("±: half of the 95 % interval of the mean, by Student's t; n: the number of runs", "note")


def _one_dataset(records: Sequence[RunRecord]) -> dict[str, str]:
    """What the images are of which all numbers are, where they are the same."""
    found = {key: {said(record.settings.get(key)) for record in records} for key in ("dataset", "dataset.limit")}
    return {key: value for key, values in found.items() if len(values) == 1 and (value := next(iter(values))) != "null"}


def shown_keys(view: View, wanted: Wanted) -> list[str]:
    """The keys of the columns."""
    if wanted.columns is not None:
        return list(wanted.columns)
    return usual_columns(view.records, wanted.metric) if wanted.metric is not None else []


class _WithRoom(NamedTuple):
    """Keys of columns."""

    of_ranked: list[str]
    of_unranked: list[str]
    without: list[str]
    """Those that there is no room for."""


def _with_room(view: View, wanted: Wanted) -> _WithRoom:
    """As many keys as a table has columns: what was measured before the settings, of which a stranger may have any."""
    measured = {key for record in view.records for key in record.metrics}
    of_ranked = [key for key in shown_keys(view, wanted) if wanted.group_by is None or key in measured]
    of_unranked: list[str] = []
    if view.unranked and wanted.top is None:
        of_unranked = list(wanted.columns or ("epochs", *differing_settings(view.records)))
    first = {"epochs", *FIELDS, *measured}
    every = sorted(dict.fromkeys([*of_unranked, *of_ranked]), key=lambda key: key not in first)
    room, without = set(every[:MOST_COLUMNS]), every[MOST_COLUMNS:]
    return _WithRoom([key for key in of_ranked if key in room], [key for key in of_unranked if key in room], without)


def _no_room(keys: Iterable[str]) -> Iterator[Words]:
    words = listed_in_words(printable(key) for key in keys)
    if words:
        yield Words(f"No room for {words}: --columns shows some of them, --csv has all.")


def _sections(view: View, wanted: Wanted, keys: Sequence[str]) -> Iterator[Block]:
    shown = view.sections if wanted.every else view.sections[:MOST_SECTIONS]
    most = None if wanted.every else max(FEWEST_ROWS, MOST_ROWS // max(1, len(shown)))
    most = most if wanted.top is None else wanted.top
    for section in shown:
        if section.apart:
            yield Words(printable(section.name), "heading")
        blocks = _runs if wanted.group_by is None else _groups
        yield from blocks(section, view=view, wanted=wanted, keys=keys, most=most)
    if len(shown) < len(view.sections):
        yield Words(f"... and {len(view.sections) - len(shown)} more such tables: --all, or --where for some of them.")


def _runs(section: Section, *, view: View, wanted: Wanted, keys: Sequence[str], most: int | None) -> Iterator[Block]:
    # What is best is the best of the whole section, whether or not it is among the rows that are shown.
    columns = [column(section.records, key) for key in keys if key not in section.apart]
    if wanted.columns is None and len(view.sections) > 1:
        here = {one.key: one.cells[0] for one in columns if one.is_setting and len(set(one.cells)) == 1}
        columns = [one for one in columns if one.key not in here]
        if any(here.values()):
            words = ", ".join(f"{printable(key)} {value}" for key, value in here.items() if value)
            yield Words(f"All of these: {words}", "note")
    yield Grid(_first_rows([run_column(section.records), *columns], most))
    yield from _more(len(section.records), most, wanted=wanted)


def _groups(section: Section, *, view: View, wanted: Wanted, keys: Sequence[str], most: int | None) -> Iterator[Block]:
    groups = section_groups(section, view=view, wanted=wanted)
    metrics, by = group_metrics(groups, keys), list(groups[0].values)
    columns = group_columns(groups, metrics=metrics)
    yield Grid(_first_rows([*columns[: len(by)][:MOST_COLUMNS], *columns[len(by) :]], most))
    yield from _more(len(groups), most, wanted=wanted)
    yield from _no_room(by[MOST_COLUMNS:])
    yield from (Words(f"Mind: {warning}", "warning") for warning in group_warnings(groups, metrics=metrics))


def section_groups(section: Section, *, view: View, wanted: Wanted) -> list[Group]:
    """The groups of a section, in order."""
    assert wanted.group_by is not None
    assert view.metric is not None
    groups = groups_of(section, view=view, keys=wanted.group_by)
    return groups_in_order(groups, metric=view.metric, order=wanted.order)


def group_metrics(groups: Sequence[Group], keys: Sequence[str]) -> list[str]:
    """Which of the keys are metrics that have a mean."""
    measured = {key for group in groups for record in group.records for key in record.metrics}
    return [key for key in keys if key in measured and key not in groups[0].values]


def _unranked(view: View, wanted: Wanted, keys: Sequence[str]) -> Iterator[Block]:
    left = view.unranked
    if not left:
        return
    kinds = _counted(one.record.state for one in left)
    if wanted.top is not None:
        yield Words(f"Not ranked: {kinds}.")
        return
    yield Words(f"Not ranked: {kinds}", "heading")
    most = None if wanted.every else MOST_UNRANKED
    yield Grid(_first_rows(_unranked_columns(left, keys), most))
    yield from _more(len(left), most, wanted=wanted)


def _unranked_columns(left: Sequence[Unranked], keys: Sequence[str]) -> list[Column]:
    records = [one.record for one in left]
    state, _ = state_columns(records)
    why = Column("why", [printable(one.reason) for one in left], right=False)
    found = [column(records, key) for key in keys if key not in {"state", "error_kind", "error_message"}]
    return [run_column(records), state, why, *found]


def _first_rows(columns: Sequence[Column], most: int | None) -> list[Column]:
    """Without the columns that say nothing in these rows."""
    cut = [one._replace(cells=one.cells[:most]) for one in columns]
    return [one for one in cut if any(one.cells)]


def _more(count: int, most: int | None, *, wanted: Wanted) -> Iterator[Words]:
    if most is not None and count > most:
        yield Words(f"... and {count - most} more{': --all shows them' if wanted.top is None else ''}")


def _states(records: Sequence[RunRecord]) -> str:
    count = len(records)
    return f"{count} run{'' if count == 1 else 's'}: {_counted(record.state for record in records)}."


def _counted(states: Iterable[str]) -> str:
    return ", ".join(f"{count} {state}" for state, count in Counter(states).items())
