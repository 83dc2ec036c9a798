"""Rankings and differences of runs as lines and tables of text, which `rendering.py` prints or writes as Markdown."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from autoenc.comparison.columns import (
    MOST_SETTINGS,
    Column,
    column,
    run_names,
    same_for_all,
    units,
    usual_columns,
    usual_metric,
)
from autoenc.comparison.comparability import not_comparable_in
from autoenc.comparison.comparison_warnings import different_code_sizes, group_warnings, ranking_note, ranking_warnings
from autoenc.comparison.formatting import as_typed, format_numbers
from autoenc.comparison.grouping import SEED, Group, group_columns, group_metrics
from autoenc.comparison.keys import differing_settings
from autoenc.comparison.paired import paired_lines
from autoenc.comparison.ranking import (
    Ranking,
    Section,
    better_direction,
    why_not_finished,
    why_unranked,
)
from autoenc.runs import RunRecord

MOST_ROWS = 200
"""Rows of all tables together, unless more are asked for."""
FEWEST_ROWS = 5
"""Rows of a table, however many tables there are."""
MOST_SECTIONS = 30
MOST_UNRANKED = 50
FIRST, SECOND = "first", "second"
"""The runs are named in the order in which they were given: which one is older is not known."""
MISSING = "-"
SINGLE_SEEDS = "These are single runs. To tell a difference from chance, train both with several seeds (seed=0,1,2)."


class Line(NamedTuple):
    """A line of text."""

    text: str
    kind: Literal["plain", "heading", "warning", "note"] = "plain"


Table = list[Column]
"""Equally long columns."""


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """What the command line asks to see of a ranking."""

    metric: str | None
    """Its columns are shown; None if nothing was measured."""
    top: int | None = None
    """Rows of each section; None for as many as a person can read."""
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
    if ranking.unranked:
        yield from _unranked(ranking, options)
    hidden = len(differing_settings(ranking.records)) - MOST_SETTINGS
    if hidden > 0 and options.columns is None:
        yield Line(f"{hidden:,} more settings differ: --columns shows chosen ones, --csv has all.")
    if same:
        yield Line(f"The same for all ranked runs: {', '.join(f'{key} {value}' for key, value in same.items())}.")
    for name, unit in units(ranked, [*keys, ranking.metric or ""]).items():
        yield Line(f"{name}: {unit}", "note")
    if options.groups is not None:
        yield Line(_explained_intervals([group for section in options.groups for group in section]), "note")


def _explained_intervals(groups: Sequence[Group]) -> str:
    over = "seeds" if all(group.varying == (SEED,) for group in groups) else "runs"
    note = f"±: half of the 95 % interval of the mean, by Student's t; n: the number of {over}"
    return f"{note} (compare.py --each-run lists the runs)"


def shown_keys(ranking: Ranking, options: TableOptions) -> Sequence[str]:
    """The keys of the columns; of groups, those of metrics."""
    if options.columns is not None:
        return options.columns
    return usual_columns(ranking.records, options.metric) if options.metric is not None else ()


def _sections(ranking: Ranking, options: TableOptions, keys: Sequence[str]) -> Iterator[Line | Table]:
    shown = ranking.sections if options.all_rows else ranking.sections[:MOST_SECTIONS]
    most = None if options.all_rows else options.top or max(FEWEST_ROWS, MOST_ROWS // max(1, len(shown)))
    for number, section in enumerate(shown):
        if section.apart:
            yield Line(section.name, "heading")
        if options.groups is None:
            yield from _run_table(section, options, keys, most)
        else:
            yield from _group_table(options.groups[number], options, keys, most, metric=ranking.metric or "")
    left = len(ranking.sections) - len(shown)
    if left:
        yield Line(f"... and {left} more such tables: --all shows them, --where selects some.")


def _group_table(
    groups: Sequence[Group], options: TableOptions, keys: Sequence[str], most: int | None, *, metric: str
) -> Iterator[Line | Table]:
    metrics = group_metrics(groups, keys)
    hidden = {*groups[0].apart, *list(groups[0].values)[MOST_SETTINGS:]}
    columns = [one for one in group_columns(groups, metrics=metrics) if one.key not in hidden]
    yield from _cut(columns, most, options)
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


def difference_tables(old: RunRecord, new: RunRecord) -> Iterator[Line | Table]:
    """Settings, metrics and environments that differ; the better value of a metric is bold."""
    for which, record, name in zip((FIRST, SECOND), (old, new), run_names([old, new]), strict=True):
        why = "" if record.finished else why_not_finished(record)
        yield Line(f"{which}: {name} ({record.state}{f': {why}' if why else ''})")
    sizes = different_code_sizes([old, new], usual_metric([old, new]) or "test.mse")
    if sizes:
        yield Line(f"Note: they have {sizes}.", "warning")
    yield from _difference_table("Settings", value_columns(old.settings, new.settings))
    without = [which for which, record in ((FIRST, old), (SECOND, new)) if not record.metrics]
    if without:
        yield Line(f"Metrics: {' and '.join(without)} {'has' if len(without) == 1 else 'have'} none", "heading")
    else:
        yield from _difference_table("Metrics", metric_columns(old, new))
        if any(key != SEED for key in differing_settings([old, new])):
            yield Line(SINGLE_SEEDS)
    yield from _difference_table("Environment", value_columns(_flat(old.environment), _flat(new.environment)))


def _difference_table(title: str, columns: Sequence[Column]) -> Iterator[Line | Table]:
    if columns[0].cells:
        yield Line(title, "heading")
        yield list(columns)
    else:
        yield Line(f"{title}: no difference", "heading")


def value_columns(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Column]:
    """The keys whose values differ, with both values."""
    rows = [(key, *(as_typed(each[key]) if key in each else MISSING for each in (old, new))) for key in {**old, **new}]
    rows = [row for row in rows if row[1] != row[2]]
    return [Column(key, [row[at] for row in rows], right=False) for at, key in enumerate(("key", FIRST, SECOND))]


def _flat(environment: Mapping[str, Any]) -> dict[str, Any]:
    """What metrics may depend on, by dotted key."""
    found: dict[str, Any] = {}
    for key, value in environment.items():
        if isinstance(value, Mapping):
            found |= {f"{key}.{name}": each for name, each in value.items()}
        elif key != "command_line":
            found[key] = value
    return found


def metric_columns(old: RunRecord, new: RunRecord) -> list[Column]:
    """The metrics that differ, with both values and, if these are comparable, the change from the first."""
    keys = [key for key in {**old.metrics, **new.metrics} if old.metrics.get(key) != new.metrics.get(key)]
    rows = [_metric_row(old, new, key) for key in keys]
    columns = [
        Column(
            name,
            [cells[at] for cells, _ in rows],
            best=frozenset(number for number, (_, better) in enumerate(rows) if better == name),
            right=name not in {"metric", "not_comparable_in"},
        )
        for at, name in enumerate(("metric", FIRST, SECOND, "change", "relative", "not_comparable_in"))
    ]
    return columns if any(columns[-1].cells) else columns[:-1]


def _metric_row(old: RunRecord, new: RunRecord, key: str) -> tuple[list[str], str]:
    """The cells of a metric, and which run has the better value, if one has."""
    before, after = old.metrics.get(key), new.metrics.get(key)
    shown = [key, *(text or MISSING for text in format_numbers([before, after]))]
    if before is None or after is None:
        return [*shown, "", "", ""], ""
    apart = ", ".join(not_comparable_in(old, new, key))
    change = after - before
    if apart or not math.isfinite(change):
        return [*shown, "", "", apart], ""
    direction = better_direction(key, unit=new.unit(key))
    better = "" if direction is None else SECOND if (change > 0) == (direction == "higher") else FIRST
    return [*shown, f"{change:+.4g}", f"{change / abs(before):+.1%}" if before else "", ""], better
