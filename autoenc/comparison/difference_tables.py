"""The differences of two runs as lines and tables of text: key by key, and image by image."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autoenc.comparison.columns import Column, run_names, usual_metric
from autoenc.comparison.comparability import not_comparable_in
from autoenc.comparison.comparison_warnings import changed_sources, different_code_sizes
from autoenc.comparison.formatting import as_typed, format_numbers
from autoenc.comparison.grouping import SEED
from autoenc.comparison.image_errors import image_lines
from autoenc.comparison.keys import differing_settings
from autoenc.comparison.ranking import better_direction
from autoenc.comparison.reasons import why_not_finished
from autoenc.comparison.tables import Line, Table
from autoenc.display_names import told_apart, value_label
from autoenc.evaluation.metric import is_logarithmic
from autoenc.runs import RunRecord

FIRST, SECOND = "first", "second"
"""The runs are named in the order in which they were given: which one is older is not known."""
MISSING = "-"
SINGLE_SEEDS = "These are single runs. To tell a difference from chance, train both with several seeds (seed=0,1,2)."


def difference_tables(old: RunRecord, new: RunRecord) -> Iterator[Line | Table]:
    """Settings, metrics, environments and errors of images that differ; the better value of a metric is bold."""
    for which, record, name in zip((FIRST, SECOND), (old, new), run_names([old, new]), strict=True):
        why = "" if record.finished else why_not_finished(record)
        yield Line(f"{which}: {name} ({record.state}{f': {why}' if why else ''})")
    metric = usual_metric([old, new]) or "test.mse"
    sizes = different_code_sizes([old, new], metric)
    if sizes and not not_comparable_in(old, new, metric):
        yield Line(f"Note: they have {sizes}.", "warning")
    for line in changed_sources([old, new]):
        yield Line(f"Note: {line}", "warning")
    yield from _difference_table("Settings", value_columns(old.settings, new.settings))
    without = [which for which, record in ((FIRST, old), (SECOND, new)) if not record.metrics]
    if without:
        yield Line(f"Metrics: {' and '.join(without)} {'has' if len(without) == 1 else 'have'} none", "heading")
    else:
        yield from _difference_table("Metrics", metric_columns(old, new))
        if any(key != SEED for key in differing_settings([old, new])):
            yield Line(SINGLE_SEEDS)
    yield from _difference_table("Environment", value_columns(_flat(old.environment), _flat(new.environment)))
    by_image = image_lines(old, new, names=(f"the {FIRST} run", f"the {SECOND} run"))
    if by_image:
        yield Line("Image by image", "heading")
        yield from map(Line, by_image)


def _difference_table(title: str, columns: Sequence[Column]) -> Iterator[Line | Table]:
    if columns[0].cells:
        yield Line(title, "heading")
        yield list(columns)
    else:
        yield Line(f"{title}: no difference", "heading")


def value_columns(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Column]:
    """The keys whose values differ, with both values; choices are in words."""
    typed = [{key: as_typed(value) for key, value in each.items()} for each in (old, new)]
    keys = [key for key in {**old, **new} if typed[0].get(key) != typed[1].get(key)]
    pairs = [_labels(key, [each.get(key, MISSING) for each in typed]) for key in keys]
    cells = [[pair[side] for pair in pairs] for side in (0, 1)]
    return [
        Column(name, texts, right=False) for name, texts in zip(("key", FIRST, SECOND), (keys, *cells), strict=True)
    ]


def _labels(key: str, values: Sequence[str]) -> list[str]:
    labels = [value if value == MISSING else value_label(key, value) for value in values]
    return told_apart(labels, values=values)


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
            right=name not in {"metric", "they differ in"},
        )
        for at, name in enumerate(("metric", FIRST, SECOND, "change", "relative", "they differ in"))
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
    has_ratio = before != 0 and not is_logarithmic(new.unit(key))
    written = f"{change:+,.0f}" if float(change).is_integer() else f"{change:+.4g}"
    return [*shown, written, f"{change / abs(before):+.1%}" if has_ratio else "", ""], better
