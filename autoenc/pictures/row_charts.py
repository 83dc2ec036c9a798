"""Charts whose rows have names: a layer or a run a row, its numbers along the horizontal axis."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes

from autoenc.pictures.axis_ticks import ValueAxis
from autoenc.pictures.page import LABEL, SMALL, Page, block_height, line_height, text_width, wrapped
from autoenc.pictures.panels import SPACE, Corner


class RowLayout(NamedTuple):
    """Where things are in each of several panels of rows; lengths are pixels of the page."""

    names: list[list[str]]
    """Of each panel's rows, wrapped to their column."""
    names_width: int
    axes_width: int
    row_height: int
    label: str
    """Of the horizontal axis, wrapped."""

    @property
    def height(self) -> int:
        """Of the panel with the most rows, with the ticks and the label below them."""
        rows = max(len(names) for names in self.names) * self.row_height
        return rows + line_height(SMALL) + block_height(self.label, LABEL) + 2 * SPACE

    @property
    def left(self) -> int:
        """Where the chart begins within a panel."""
        return self.names_width + SPACE

    def middle(self, row: int) -> float:
        """How far below the top of a panel's rows the middle of one is."""
        return (row + 0.5) * self.row_height


def row_layout(
    names: Sequence[Sequence[str]], *, width: int, most_name: int, least_height: int, columns_width: int, label: str
) -> RowLayout:
    """Panels of `width`, the same for all: names, the chart, and room for columns of numbers at the right of it.

    Names are wrapped to `most_name`. To be asked inside `house_style`.
    """
    written = [[wrapped(name, width=most_name, size=SMALL) for name in panel] for panel in names]
    every = [name for panel in written for name in panel]
    names_width = max(text_width(name, SMALL) for name in every)
    axes_width = width - names_width - SPACE - columns_width
    return RowLayout(
        names=written,
        names_width=names_width,
        axes_width=axes_width,
        row_height=max(least_height, *(block_height(name, SMALL) + SPACE // 2 for name in every)),
        label=wrapped(label, width=axes_width, size=LABEL),
    )


def row_axes(page: Page, layout: RowLayout, *, panel: int, corner: Corner, scale: ValueAxis) -> Axes:
    """The axes of a panel whose rows begin at `corner`: row i is at height i from the top, its name to the left."""
    names = layout.names[panel]
    left, height = corner.left + layout.left, len(names) * layout.row_height
    axes = page.figure.add_axes(page.rectangle(left=left, top=corner.top, width=layout.axes_width, height=height))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks([])
    axes.set_xscale(scale.name)
    axes.set_xlim(scale.low, scale.high)
    every = tick_step(scale, width=layout.axes_width)
    axes.set_xticks(scale.ticks[::every], scale.labels[::every])
    minor = scale.minor_ticks if every == 1 else [tick for tick in scale.ticks if tick not in scale.ticks[::every]]
    axes.set_xticks(minor, [""] * len(minor), minor=True)
    axes.set_xlabel(layout.label)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    for row, name in enumerate(names):
        page.text(
            name, x=left - SPACE, y=corner.top + layout.middle(row), size=SMALL, horizontal="right", vertical="center"
        )
    return axes


def tick_step(scale: ValueAxis, *, width: float) -> int:
    """Every which tick can have its label on a horizontal axis of a width, without labels in one another."""
    centers = [scale.share(tick) * width for tick in scale.ticks]
    widths = [text_width(label, SMALL) for label in scale.labels]
    for step in range(1, len(scale.ticks)):
        kept = list(zip(centers, widths, strict=True))[::step]
        gaps = [
            right - left - (left_width + right_width) / 2
            for (left, left_width), (right, right_width) in itertools.pairwise(kept)
        ]
        if all(gap >= SPACE for gap in gaps):
            return step
    return max(1, len(scale.ticks))
