"""Two runs key by key: how their settings, metrics and environments differ."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from autoenc.comparison.columns import Column, run_names
from autoenc.comparison.formatting import as_typed, format_numbers
from autoenc.comparison.ranking import better_direction, measurement_protocol, why_not_finished
from autoenc.comparison.tables import Line, Table
from autoenc.comparison.warnings import different_code_sizes
from autoenc.runs import RunRecord

FIRST, SECOND = "first", "second"
"""The runs are named in the order in which they were given: which one is older is not known."""
MISSING = "-"


class MetricChange(NamedTuple):
    """A metric of two runs."""

    key: str
    old: float | None
    new: float | None
    absolute: float | None
    """New minus old; None if one is missing or they are not comparable."""
    relative: float | None
    """The change relative to the old value; None if that is 0."""
    better: Literal["old", "new"] | None
    """The run with the better value, if one is."""
    apart: str
    """In what their measurement protocols differ; empty if they are comparable."""


def difference_tables(old: RunRecord, new: RunRecord) -> Iterator[Line | Table]:
    """Settings, metrics and environments that differ; the better value of a metric is bold."""
    for which, record, name in zip((FIRST, SECOND), (old, new), run_names([old, new]), strict=True):
        why = why_not_finished(record) if not record.finished else ""
        yield Line(f"{which}: {name} ({record.state}{f': {why}' if why else ''})")
    sizes = different_code_sizes([old, new])
    if sizes:
        yield Line(f"Note: they have {sizes}.", "warning")
    yield from _table("Settings", value_columns(old.settings, new.settings))
    without = [which for which, record in ((FIRST, old), (SECOND, new)) if not record.metrics]
    if without:
        yield Line(f"Metrics: {' and '.join(without)} {'has' if len(without) == 1 else 'have'} none", "heading")
    else:
        yield from _table("Metrics", _metric_columns([one for one in metric_changes(old, new) if one.old != one.new]))
    yield from _table("Environment", value_columns(_flat(old.environment), _flat(new.environment)))


def _table(title: str, columns: Sequence[Column]) -> Iterator[Line | Table]:
    if columns[0].cells:
        yield Line(title, "heading")
        yield Table(columns)
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


def metric_changes(old: RunRecord, new: RunRecord) -> list[MetricChange]:
    """Every metric that one of two runs has."""
    return [_metric_change(old, new, key) for key in {**old.metrics, **new.metrics}]


def _metric_change(old: RunRecord, new: RunRecord, key: str) -> MetricChange:
    before, after = old.metrics.get(key), new.metrics.get(key)
    if before is None or after is None:
        return MetricChange(key, before, after, absolute=None, relative=None, better=None, apart="")
    one, two = measurement_protocol(old, key), measurement_protocol(new, key)
    apart = ", ".join(name for name in {**one, **two} if as_typed(one.get(name)) != as_typed(two.get(name)))
    change = after - before
    if apart or not math.isfinite(change):
        return MetricChange(key, before, after, absolute=None, relative=None, better=None, apart=apart)
    direction = better_direction(key, unit=new.unit(key))
    better: Literal["old", "new"] | None = None
    if direction and change:
        better = "new" if (change > 0) == (direction == "higher") else "old"
    relative = change / abs(before) if before else None
    return MetricChange(key, before, after, absolute=change, relative=relative, better=better, apart="")


def _metric_columns(changes: Sequence[MetricChange]) -> list[Column]:
    pairs = [format_numbers([change.old, change.new]) for change in changes]
    best = {
        which: frozenset(number for number, change in enumerate(changes) if change.better == which)
        for which in ("old", "new")
    }
    apart = [change.apart for change in changes]
    return [
        Column("metric", [change.key for change in changes], right=False),
        Column(FIRST, [old or MISSING for old, _ in pairs], best=best["old"]),
        Column(SECOND, [new or MISSING for _, new in pairs], best=best["new"]),
        Column("change", ["" if change.absolute is None else f"{change.absolute:+.4g}" for change in changes]),
        Column("relative", ["" if change.relative is None else f"{change.relative:+.1%}" for change in changes]),
        *([Column("measured_apart_by", apart, right=False)] if any(apart) else []),
    ]
