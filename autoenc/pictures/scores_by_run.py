"""The values of a metric for several runs, split by split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autoenc.pictures.axis_ticks import number, value_axis
from autoenc.pictures.charts import row_axes, row_layout, write_column
from autoenc.pictures.page import GRID, SMALL, line_height, text_width
from autoenc.pictures.panels import SPACE, Corner, panel_page

WIDTH = 1550
MOST_NAME = 520  # pixels of a run's name, then it is wrapped

Scores = Mapping[str, float | None]


LOOKS = {
    "train": ("\N{WHITE UP-POINTING TRIANGLE}", "^", "#d55e00"),
    "validation": ("\N{WHITE SQUARE}", "s", "#3f90da"),
    "test": ("\N{BLACK CIRCLE}", "o", "#12355b"),
}
"""Of each split the marker as a letter, the marker, and the colour."""


def scores_by_run(
    rows: Sequence[tuple[str, Scores]], *, metric_label: str, title: str, note: str = "", scale: str = "log"
) -> Figure:
    """A row for each run, in the order given, with a mark and a number for each split; call it inside `house_style`.

    Of each run there is a name and its scores for some of `train`, `validation` and `test`. `metric_label` is the
    metric and its unit, `scale` its scale (see `value_axis`). The `note` stands below the title.
    """
    splits = [split for split in LOOKS if any(np.isfinite(_value(scores, split)) for _, scores in rows)]
    column = max(text_width(text, SMALL) for text in ("\N{WHITE SQUARE} validation", "1.234e\N{MINUS SIGN}5")) + SPACE
    layout = row_layout(
        [[name for name, _ in rows]],
        width=WIDTH,
        most_name=MOST_NAME,
        least_height=line_height(SMALL) + 16,
        columns_width=len(splits) * column,
        label=metric_label,
    )
    height = line_height(SMALL) + layout.height
    page, ((left, top),), _ = panel_page([""], width=WIDTH, height=height, title=title, line=note)
    top += line_height(SMALL)
    values = np.array([[_value(scores, split) for _, scores in rows] for split in splits])  # (splits, runs)
    axis = value_axis(values, unit=metric_label, scale=scale)
    axes = row_axes(page, layout, panel=0, corner=Corner(left, top), scale=axis)
    axes.hlines(range(len(rows)), *axes.get_xlim(), color=GRID, linewidth=0.8)
    for index, split in enumerate(splits):
        _plot(axes, values[index], split=split)
        right = left + WIDTH - (len(splits) - 1 - index) * column
        texts = [_written(scores, split) for _, scores in rows]
        write_column(page, layout, f"{LOOKS[split][0]} {split}", texts, right=right, top=top)
    return page.figure


def _plot(axes: Axes, values: NDArray[np.float64], *, split: str) -> None:
    _, marker, color = LOOKS[split]
    style: dict[str, Any] = {"markersize": 10, "markeredgewidth": 2, "clip_on": False}
    face = color if split == "test" else "none"
    axes.plot(values, range(len(values)), marker, color=color, markerfacecolor=face, label=split, **style)


def _value(scores: Scores, split: str) -> float:
    """NaN if there is no value to draw."""
    value = scores.get(split)
    return value if value is not None and np.isfinite(value) else np.nan


def _written(scores: Scores, split: str) -> str:
    if scores.get(split) is None:
        return "\N{EN DASH}"
    value = _value(scores, split)
    return number(value) if np.isfinite(value) else "not finite"
