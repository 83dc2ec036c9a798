"""A row for each setting with one number, the values behind it, and a text: differences, times, shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from autoenc.pictures.axis_ticks import plain, value_axis
from autoenc.pictures.charts import row_axes, row_layout, write_column
from autoenc.pictures.page import GRID, INK, SMALL, line_height, text_width
from autoenc.pictures.panels import SPACE, Corner, panel_page
from autoenc.pictures.scores_by_run import LOOKS, MOST_NAME, MOST_ROW, ROOM, WIDTH

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class SettingRow(NamedTuple):
    """A setting."""

    name: str
    mark: float
    values: Sequence[float]
    """Drawn faintly: single seeds or epochs."""
    ends: tuple[float, float] | None
    """Of the bar through the mark."""
    text: str
    """The numbers in words, on the right, in one or two lines."""


def rows_by_setting(rows: Sequence[SettingRow], *, label: str, title: str, line: str, zero: bool = False) -> Figure:
    """A row for each setting, on a linear axis; call it inside `house_style`.

    `label` is that of the axis. `line` explains the marks. With `zero`, the axis shows 0, with a line.
    """
    texts = [plain(row.text) for row in rows]
    column = max(text_width(text, SMALL) for text in texts) + 2 * SPACE
    layout = row_layout(
        [[row.name for row in rows]],
        width=WIDTH,
        most_name=MOST_NAME,
        least_height=max(2 * line_height(SMALL) + 2 * SPACE, min(MOST_ROW, ROOM // len(rows))),
        columns_width=column,
        label=label,
    )
    page, ((left, top),), _ = panel_page([""], width=WIDTH, height=layout.height, title=title, line=line)
    every = [value for row in rows for value in (row.mark, *row.values)]
    ends = [end for row in rows for end in row.ends or ()] + ([0.0] if zero else [])
    axis = value_axis(np.array(every), unit=label, scale="linear", intervals=ends)
    axes = row_axes(page, layout, panel=0, corner=Corner(left, top), scale=axis)
    axes.hlines(range(len(rows)), *axes.get_xlim(), color=GRID, linewidth=0.8)
    if zero:
        axes.axvline(0, color=INK, linewidth=1.5)
    _, marker, color = LOOKS["test"]
    for place, row in enumerate(rows):
        axes.plot(row.values, [place] * len(row.values), marker, color=color, markersize=7, alpha=0.3, clip_on=False)
        if row.ends is not None:
            axes.plot(row.ends, [place, place], color=color, linewidth=3)
        axes.plot(row.mark, place, marker, color=color, markersize=13, clip_on=False)
    write_column(page, layout, "", texts, right=left + WIDTH, top=top)
    return page.figure
