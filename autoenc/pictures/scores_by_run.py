"""The values of a metric for several settings, split by split: a run's, or the mean over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from autoenc.evaluation.estimates import estimate
from autoenc.pictures.axis_ticks import number, plain, value_axis
from autoenc.pictures.charts import row_axes, row_layout, write_column
from autoenc.pictures.page import GRID, SMALL, line_height, text_width
from autoenc.pictures.panels import SPACE, Corner, panel_page

WIDTH = 1550
MOST_NAME = 520  # pixels of a run's name, then it is wrapped

APART = 0.27  # of a row's height, between the splits where intervals would hide each other
SEEDS = "Marks: means over seeds, with their 95 % intervals by Student's t. Faint: the single seeds."

Scores = Mapping[str, float | None]

LOOKS = {
    "train": ("\N{WHITE UP-POINTING TRIANGLE}", "^", "#d55e00"),
    "validation": ("\N{WHITE SQUARE}", "s", "#3f90da"),
    "test": ("\N{BLACK CIRCLE}", "o", "#12355b"),
}
"""Of each split the marker as a letter, the marker, and the colour."""


def scores_by_run(
    rows: Sequence[tuple[str, Sequence[Scores]]],
    *,
    metric_label: str,
    title: str,
    note: str = "",
    scale: str = "log",
) -> Figure:
    """A row for each setting, in the order given, with a mark and a number for each split; call it in `house_style`.

    Of each setting there is a name, and for each of its seeds the scores for some of `train`, `validation` and `test`.
    `metric_label` is the metric and its unit, `scale` its scale (see `value_axis`). The `note` stands below the title.
    """
    found = {split: [_finite(seeds, split) for _, seeds in rows] for split in LOOKS}
    splits = [split for split in LOOKS if any(found[split])]
    texts = {split: [_written(seeds, split) for _, seeds in rows] for split in splits}
    heads = {split: f"{LOOKS[split][0]} {split}" for split in splits}
    widths = [max(text_width(text, SMALL) for text in (heads[split], *texts[split])) + 2 * SPACE for split in splits]
    several = any(len(seeds) > 1 for _, seeds in rows)
    layout = row_layout(
        [[name for name, _ in rows]],
        width=WIDTH,
        most_name=MOST_NAME,
        least_height=line_height(SMALL) + (48 if several else 16),
        columns_width=sum(widths),
        label=metric_label,
    )
    height = line_height(SMALL) + layout.height
    line = f"{SEEDS if several else ''} {note}".strip()
    page, ((left, top),), _ = panel_page([""], width=WIDTH, height=height, title=title, line=line)
    top += line_height(SMALL)
    everything = [values for split in splits for values in found[split]]
    ends = [end for values in everything for end in _interval(values)]
    axis = value_axis(np.concatenate([[], *everything]), unit=metric_label, scale=scale, intervals=ends)
    axes = row_axes(page, layout, panel=0, corner=Corner(left, top), scale=axis)
    axes.hlines(range(len(rows)), *axes.get_xlim(), color=GRID, linewidth=0.8)
    for index, split in enumerate(splits):
        _plot(axes, found[split], split=split, lower=APART * (index - (len(splits) - 1) / 2) if several else 0.0)
        right = left + WIDTH - sum(widths[index + 1 :])
        write_column(page, layout, heads[split], texts[split], right=right, top=top)
    return page.figure


def _interval(values: Sequence[float]) -> tuple[float, ...]:
    """The ends of the mean's interval; empty without several seeds."""
    if len(values) < 2:
        return ()
    found = estimate(values)
    return () if found.half_width is None else (found.mean - found.half_width, found.mean + found.half_width)


def _plot(axes: Axes, rows: Sequence[Sequence[float]], *, split: str, lower: float) -> None:
    _, marker, color = LOOKS[split]
    style: dict[str, Any] = {"markersize": 10, "markeredgewidth": 2, "clip_on": False}
    face = color if split == "test" else "none"
    means = [estimate(values).mean if values else np.nan for values in rows]
    places = np.arange(len(rows)) + lower
    for place, values in zip(places, rows, strict=True):
        if len(values) > 1:
            axes.plot(_interval(values), [place] * len(_interval(values)), color=color, linewidth=2)
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
    return number(values[0]) if len(values) == 1 else plain(estimate(values).rounded)
