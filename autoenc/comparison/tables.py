"""Rankings of runs as lines and tables of text, which `rendering.py` prints or writes as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from autoenc.comparison.columns import (
    MOST_SETTINGS,
    Column,
    column,
    run_names,
    same_for_all,
    units,
    usual_columns,
)
from autoenc.comparison.comparison_warnings import baseline_findings, group_warnings, ranking_note, ranking_warnings
from autoenc.comparison.grouping import SEED, Group, group_columns, group_metrics, group_names
from autoenc.comparison.keys import differing_settings
from autoenc.comparison.paired import paired_lines
from autoenc.comparison.ranking import Ranking, Section
from autoenc.comparison.reasons import why_unranked
from autoenc.runs import RunRecord

MOST_ROWS = 200
"""Rows of all tables together, unless more are asked for."""
FEWEST_ROWS = 5
"""Rows of a table, however many tables there are."""
MOST_SECTIONS = 30
MOST_UNRANKED = 50


class Line(NamedTuple):
    """A line of text."""

    text: str
    kind: Literal["plain", "heading", "warning", "note"] = "plain"
    explains: str = ""
    """The metric, without its split, whose unit it names."""


Table = list[Column]
"""Equally long columns."""


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """What the command line asks to see of a ranking."""

    metric: str | None
    """Its columns are shown; None if nothing was measured."""
    top: int | None = None
    """Rows in total, in the order of the sections; None for as many as a person can read."""
    all_rows: bool = False
    columns: tuple[str, ...] | None = None
    """Keys; None for the default columns."""
    groups: Sequence[Sequence[Group]] | None = None
    """Of each section, to be shown instead of its runs."""


def comparison_tables(ranking: Ranking, options: TableOptions) -> Iterator[Line | Table]:
    """The order, warnings, a table for each section, the runs that are not ranked, common values and units."""
    ranked = [record for section in ranking.sections for record in section.records]
    keys = shown_keys(ranking, options)
    same = same_for_all(ranked, keys if options.columns is None else ())
    count = len(ranking.records)
    yield Line(f"{count} run{'' if count == 1 else 's'}: {_counted(ranking.records)}.")
    if ranked:
        yield Line(ranking_note(ranking))
    for warning in ranking_warnings(ranking.sections, ranking.metric):
        yield Line(f"Note: {warning}", "warning")
    yield from _sections(ranking, options, [key for key in keys if key not in same or options.columns is not None])
    for sentence in baseline_findings(ranked, ranking.metric):
        yield Line(sentence, "warning")
    if ranking.unranked:
        yield from _unranked(ranking, options)
    hidden = len(differing_settings(ranking.records)) - MOST_SETTINGS
    if hidden > 0 and options.columns is None:
        yield Line(f"{hidden:,} more settings differ: --columns shows chosen ones, --csv has all.")
    if same:
        yield Line(f"The same for all ranked runs: {', '.join(f'{key} {value}' for key, value in same.items())}.")
    for name, unit in units(ranked, [*keys, ranking.metric or ""]).items():
        yield Line(f"{name}: {unit}", "note", explains=name)


def _explained_intervals(groups: Sequence[Group]) -> str:
    over = "seeds" if all(group.varying == (SEED,) for group in groups) else "runs"
    return (
        f"± half of the 95 % interval of the mean over {over} (Student's t). sd: the standard deviation over {over}. "
        f"n: the number of {over} (compare.py --each-run lists the runs)."
    )


def shown_keys(ranking: Ranking, options: TableOptions) -> Sequence[str]:
    """The keys of the columns; of groups, those of metrics."""
    if options.columns is not None:
        return options.columns
    return usual_columns(ranking.records, options.metric) if options.metric is not None else ()


def _sections(ranking: Ranking, options: TableOptions, keys: Sequence[str]) -> Iterator[Line | Table]:
    shown = ranking.sections if options.all_rows else ranking.sections[:MOST_SECTIONS]
    most = None if options.all_rows else options.top or max(FEWEST_ROWS, MOST_ROWS // max(1, len(shown)))
    for number, section in enumerate(shown):
        if most == 0:  # the tables above have all the rows that were asked for
            shown = shown[:number]
            break
        if section.apart:
            yield Line(section.name, "heading")
        if options.groups is None:
            yield from _run_table(section, options, keys, most)
            rows = len(section.records)
        else:
            yield from _group_table(options.groups[number], options, keys, most, metric=ranking.metric or "")
            rows = len(options.groups[number])
        if options.top is not None and most is not None:
            most = max(0, most - rows)
    left = len(ranking.sections) - len(shown)
    if left:
        tables = "1 more such table" if left == 1 else f"{left} more such tables"
        yield Line(f"... and {tables}: --all shows everything, --where selects runs.")


def _group_table(
    groups: Sequence[Group], options: TableOptions, keys: Sequence[str], most: int | None, *, metric: str
) -> Iterator[Line | Table]:
    metrics = group_metrics(groups, keys)
    hidden = {*groups[0].apart, *list(groups[0].values)[MOST_SETTINGS:]}
    columns = [one for one in group_columns(groups, metrics=metrics, metric=metric) if one.key not in hidden]
    if not set(groups[0].values) - hidden:
        columns.insert(0, Column("runs", group_names(groups), right=False))
    yield from _cut(columns, most, options)
    yield Line(_explained_intervals(groups), "note")
    for warning in group_warnings(groups, metrics=metrics):
        yield Line(f"Note: {warning}", "warning")
    for line in paired_lines(groups, metric):
        yield Line(line)


def _run_table(
    section: Section, options: TableOptions, keys: Sequence[str], most: int | None
) -> Iterator[Line | Table]:
    # The best value is the best of the whole section, even if its row is not shown.
    columns = [column(section.records, key) for key in keys if key not in section.apart]
    if options.columns is None and section.apart:
        same = {one.key: one.cells[0] for one in columns if one.is_setting and len(set(one.cells)) == 1}
        columns = [one for one in columns if one.key not in same]
        if any(same.values()):
            yield Line(f"All of these: {', '.join(f'{key} {value}' for key, value in same.items() if value)}", "note")
    runs = Column("run", run_names(section.records), right=False)
    if options.columns is None:
        columns = [one for one in columns if list(one.cells) != runs.cells]
    yield from _cut([runs, *columns], most, options)


def _unranked(ranking: Ranking, options: TableOptions) -> Iterator[Line | Table]:
    records = ranking.unranked
    if options.top is not None:
        yield Line(f"Not ranked: {_counted(records)}.")
        return
    yield Line(f"Not ranked: {_counted(records)}", "heading")
    keys = options.columns or ("epochs", *differing_settings(ranking.records)[:MOST_SETTINGS])
    columns = [
        Column("run", run_names(records), right=False),
        Column("state", [record.state for record in records], right=False),
        Column("why", [why_unranked(record, ranking.metric) for record in records], right=False),
        *(column(records, key) for key in keys if key not in {"state", "error_kind", "error_message"}),
    ]
    yield from _cut(columns, None if options.all_rows else MOST_UNRANKED, options)


def _cut(columns: Sequence[Column], most: int | None, options: TableOptions) -> Iterator[Line | Table]:
    """The first rows, without columns that are empty in them, and the number of the others."""
    cut = [one._replace(cells=one.cells[:most]) for one in columns]
    yield [one for one in cut if any(one.cells)]
    count = len(columns[0].cells)
    if most is not None and count > most:
        yield Line(f"... and {count - most} more{': --all shows them' if options.top is None else ''}")


def _counted(records: Sequence[RunRecord]) -> str:
    return ", ".join(f"{count} {state}" for state, count in Counter(record.state for record in records).items())
