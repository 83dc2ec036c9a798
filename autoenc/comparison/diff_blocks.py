"""What differs between two runs, as words and tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from autoenc.comparison.blocks import Block, Grid, Words
from autoenc.comparison.cautions import different_code_sizes
from autoenc.comparison.columns import Column, run_names
from autoenc.comparison.diff import MISSING, Change, MetricChange, difference
from autoenc.comparison.protocol import why_not_finished
from autoenc.comparison.wording import numbers, said
from autoenc.runs import RunRecord, printable

FIRST, SECOND = "first", "second"
"""What the runs are called, in the order in which they were given: which is older is not known."""
NOTHING = "-"
NOT_THE_SAME = "measured_apart_by"
"""The heading over what makes two numbers not be of the same thing, so that they have no difference."""


def difference_blocks(old: RunRecord, new: RunRecord) -> Iterator[Block]:
    """Settings, metrics with their change, and where they ran; of a metric the better value is bold."""
    for which, record, name in zip((FIRST, SECOND), (old, new), run_names([old, new]), strict=True):
        why = why_not_finished(record) if record.state != "finished" else ""
        yield Words(f"{which}: {name} ({record.state}{f': {printable(why)}' if why else ''})")
    sizes = different_code_sizes([old, new])
    if sizes is not None:
        yield Words(f"Mind: they have {sizes}.", "warning")
    found = difference(old, new)
    yield from _block("Settings", _of_changes(found.settings))
    without = [which for which, record in ((FIRST, old), (SECOND, new)) if not record.metrics]
    if without:
        yield Words(f"Metrics: {' and '.join(without)} {'has' if len(without) == 1 else 'have'} none", "heading")
    else:
        yield from _block("Metrics", _of_metrics([change for change in found.metrics if change.old != change.new]))
    yield from _block("Environment", _of_changes(found.environment))


def _block(title: str, columns: Sequence[Column]) -> Iterator[Block]:
    if columns and columns[0].cells:
        yield Words(title, "heading")
        yield Grid(columns)
    else:
        yield Words(f"{title}: no difference", "heading")


def _of_changes(changes: Sequence[Change]) -> list[Column]:
    return [
        Column("key", [printable(change.key) for change in changes], right=False),
        Column(FIRST, [_said(change.old) for change in changes], right=False),
        Column(SECOND, [_said(change.new) for change in changes], right=False),
    ]


def _of_metrics(changes: Sequence[MetricChange]) -> list[Column]:
    pairs = [numbers([change.old, change.new]) for change in changes]
    better = frozenset(number for number, change in enumerate(changes) if change.better)
    worse = frozenset(number for number, change in enumerate(changes) if change.better is False)
    apart = [printable(change.apart) for change in changes]
    return [
        Column("metric", [printable(change.key) for change in changes], right=False),
        Column(FIRST, [old or NOTHING for old, _ in pairs], best=worse),
        Column(SECOND, [new or NOTHING for _, new in pairs], best=better),
        Column("change", ["" if change.absolute is None else f"{change.absolute:+.4g}" for change in changes]),
        Column("relative", ["" if change.relative is None else f"{change.relative:+.1%}" for change in changes]),
        *([Column(NOT_THE_SAME, apart, right=False)] if any(apart) else []),
    ]


def _said(value: Any) -> str:
    return NOTHING if value is MISSING else said(value)
