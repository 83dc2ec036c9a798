"""The values of a metric for several settings, split by split: a run's, or the mean over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from autoenc.evaluation.estimates import estimate
from autoenc.pictures.axis_ticks import number, plain, value_axis
from autoenc.pictures.charts import (
    BASELINE_COLOR,
    TEST_COLOR,
    TRAINING_COLOR,
    VALIDATION_COLOR,
    row_axes,
    row_layout,
    write_column,
)
from autoenc.pictures.page import GRID, MARGIN, SMALL, line_height, text_width
from autoenc.pictures.panels import SPACE, Corner, panel_page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 1400 - 2 * MARGIN
MOST_NAME = 420  # pixels of a run's name, then it is wrapped
ROOM, MOST_ROW = 440, 110  # pixels for the rows, which they fill if they are few

APART = 0.27  # of a row's height, between the splits where intervals would hide each other
SEEDS = (
    "Marks: means over seeds. Faint: the single seeds, with a bar from the lowest to the highest. Numbers: mean ± "
    "standard deviation."
)
BASELINES = (
    ("\N{BLACK DIAMOND}", "D"),
    ("\N{BLACK SQUARE}", "s"),
    ("\N{BLACK UP-POINTING TRIANGLE}", "^"),
    ("\N{BLACK DOWN-POINTING TRIANGLE}", "v"),
)
"""Of each baseline the marker as a letter, and the marker."""

Scores = Mapping[str, float | None]


class ScoreRow(NamedTuple):
    """A setting."""

    name: str
    seeds: Sequence[Scores]
    """Of each seed, the scores for some of `train`, `validation` and `test`."""
    baselines: Mapping[str, float] = {}
    """What the test score is compared with, by name."""


LOOKS = {
    "train": ("\N{WHITE UP-POINTING TRIANGLE}", "^", TRAINING_COLOR),
    "validation": ("\N{WHITE SQUARE}", "s", VALIDATION_COLOR),
    "test": ("\N{BLACK CIRCLE}", "o", TEST_COLOR),
}
"""Of each split the marker as a letter, the marker, and the colour."""


def scores_by_run(
    rows: Sequence[ScoreRow],
    *,
    metric_label: str,
    title: str,
    note: str = "",
    scale: str = "log",
) -> Figure:
    """A row for each setting, in the order given, with a mark and a number for each split; call it in `house_style`.

    `metric_label` is the metric and its unit, `scale` its scale (see `value_axis`). The `note` stands below the title.
    """
    found = {split: [_finite(row.seeds, split) for row in rows] for split in LOOKS}
    splits = [split for split in LOOKS if any(found[split])]
    texts = {split: [_written(row.seeds, split) for row in rows] for split in splits}
    heads = {split: f"{LOOKS[split][0]} {split}" for split in splits}
    widths = [max(text_width(text, SMALL) for text in (heads[split], *texts[split])) + 2 * SPACE for split in splits]
    several = any(len(row.seeds) > 1 for row in rows)
    everything = [values for split in splits for values in found[split]]
    ends = [value for row in rows for value in row.baselines.values() if np.isfinite(value)]
    axis = value_axis(np.concatenate([[], *everything]), unit=metric_label, scale=scale, intervals=ends)
    layout = row_layout(
        [[row.name for row in rows]],
        width=WIDTH,
        most_name=MOST_NAME,
        least_height=max(line_height(SMALL) + (48 if several else 16), min(MOST_ROW, ROOM // len(rows))),
        columns_width=sum(widths),
        label=axis.labelled(metric_label),
    )
    height = line_height(SMALL) + layout.height
    baselines = dict(zip(dict.fromkeys(name for row in rows for name in row.baselines), BASELINES, strict=False))
    legend = "Grey, on the test split: " + ", ".join(f"{letter} {name}" for name, (letter, _) in baselines.items())
    line = " ".join(filter(None, [f"{legend}." if baselines else "", SEEDS if several else "", note]))
    page, ((left, top),), _ = panel_page([""], width=WIDTH, height=height, title=title, line=line)
    top += line_height(SMALL)
    axes = row_axes(page, layout, panel=0, corner=Corner(left, top), scale=axis)
    axes.hlines(range(len(rows)), *axes.get_xlim(), color=GRID, linewidth=0.8)
    for place, row in enumerate(rows):
        for name, value in row.baselines.items():
            axes.plot(value, place, baselines[name][1], color=BASELINE_COLOR, markersize=13)
    for index, split in enumerate(splits):
        _plot(axes, found[split], split=split, lower=APART * (index - (len(splits) - 1) / 2) if several else 0.0)
        right = left + WIDTH - sum(widths[index + 1 :])
        write_column(page, layout, heads[split], texts[split], right=right, top=top)
    return page.figure


def _plot(axes: Axes, rows: Sequence[Sequence[float]], *, split: str, lower: float) -> None:
    _, marker, color = LOOKS[split]
    style: dict[str, Any] = {"markersize": 10, "markeredgewidth": 2, "clip_on": False}
    face = color if split == "test" else "none"
    means = [estimate(values).mean if values else np.nan for values in rows]
    places = np.arange(len(rows)) + lower
    for place, values in zip(places, rows, strict=True):
        if len(values) > 1:
            axes.plot([min(values), max(values)], [place, place], color=color, linewidth=2, alpha=0.5)
            faint: dict[str, Any] = {"markersize": 6, "alpha": 0.35, "markerfacecolor": face}
            axes.plot(values, [place] * len(values), marker, color=color, **faint)
    axes.plot(means, places, marker, color=color, markerfacecolor=face, label=split, **style)


def _finite(seeds: Sequence[Scores], split: str) -> list[float]:
    return [value for scores in seeds if (value := scores.get(split)) is not None and np.isfinite(value)]


def _written(seeds: Sequence[Scores], split: str) -> str:
    if all(scores.get(split) is None for scores in seeds):
        return "\N{EN DASH}"
    values = _finite(seeds, split)
    if not values:
        return "not finite"
    if len(values) == 1:
        return number(values[0])
    return plain(replace(estimate(values), half_width=statistics.stdev(values)).rounded)
