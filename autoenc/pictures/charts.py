"""Charts on a page: axes with ticks and labels, the names of lines at their ends, and rows with names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from autoenc.pictures.axis_ticks import ValueAxis
from autoenc.pictures.page import DPI, LABEL, SMALL, Page, block_height, line_height, text_width, wrapped
from autoenc.pictures.panels import SPACE, Corner

FOOT = line_height(SMALL) + line_height(LABEL) + SPACE
"""Pixels of a chart's height below its axes, for the ticks and the label of the horizontal axis."""

LEADER = 44  # pixels between the axes and a name, for the line that leads to it
STUB = 5  # of that, where the line is level
BETWEEN = 8  # pixels between names of several lines


def chart_axes(
    page: Page,
    corner: Corner,
    *,
    width: int,
    height: int,
    upright: ValueAxis,
    across: ValueAxis,
    labels: tuple[str, str],
    right: int = 0,
) -> Axes:
    """Axes that fill `width` x `height` pixels together with their ticks and labels (upright, across).

    At the right, some pixels of the width stay free for names.
    """
    label = "\n".join(filter(None, (labels[0], upright.note)))
    label = wrapped(label, width=height - FOOT, size=LABEL)
    left = block_height(label, LABEL) + max(text_width(tick, SMALL) for tick in upright.labels) + SPACE
    place = page.rectangle(left=corner.left + left, top=corner.top, width=width - left - right, height=height - FOOT)
    axes = page.figure.add_axes(place)
    axes.set_ylabel(label)
    axes.set_xlabel(labels[1])
    upright.put_on(axes)
    across.put_across(axes)
    return axes


def draw_ring(axes: Axes, x: float, y: float, *, color: str) -> None:
    """A ring around the best point."""
    style: dict[str, Any] = {"markersize": 15, "markerfacecolor": "none", "markeredgewidth": 2.2}
    axes.plot(x, y, "o", color=color, label="best", zorder=3, **style)


def write_in_middle(axes: Axes, text: str) -> None:
    """Write instead of values, where there are none."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, horizontalalignment="center", size=LABEL)


class LineLabel(NamedTuple):
    """A name for a line that ends at a height."""

    text: str
    """Of one or more lines."""
    value: float
    color: str
    """Of the line; the text itself is dark and readable."""


def label_lines(axes: Axes, labels: Sequence[LineLabel], *, scale: ValueAxis) -> None:
    """Write each name to the right of the axes, as near to the height of its line's end as the other names allow.

    A thin line in the line's colour leads from the axes to the name. The names are in the order of the lines' ends,
    take `names_width` pixels, and stay within the axes' height if that is at least `names_height`.
    """
    box = axes.get_window_extent()
    ends = [scale.share(label.value) for label in labels]
    places = spread(ends, apart=_apart(labels) / box.height)
    across = [1 + pixels / box.width for pixels in (STUB, 2 * STUB, LEADER - 3 * STUB, LEADER - 2 * STUB)]
    for label, end, place in zip(labels, ends, places, strict=True):
        axes.plot(
            across,
            [end, end, place, place],
            transform=axes.transAxes,
            color=label.color,
            linewidth=1.6,
            clip_on=False,
            label="_leader",
        )
        axes.annotate(
            label.text,
            xy=(1, place),
            xycoords="axes fraction",
            xytext=(LEADER, 0),
            textcoords="offset pixels",
            verticalalignment="center",
            size=SMALL,
            annotation_clip=False,
        )


def names_width(labels: Sequence[LineLabel]) -> int:
    """Pixels that the names and the lines leading to them take."""
    return LEADER + max((text_width(label.text, SMALL) for label in labels), default=0)


def names_height(labels: Sequence[LineLabel]) -> int:
    """The height of axes, in pixels, that has room for all these names."""
    return len(labels) * _apart(labels)


def _apart(labels: Sequence[LineLabel]) -> int:
    """Pixels from the middle of a name to that of the next."""
    lines = max((len(label.text.splitlines()) for label in labels), default=1)
    return lines * line_height(SMALL) + (BETWEEN if lines > 1 else 0)


def spread(places: Sequence[float], *, apart: float) -> list[float]:
    """Move places as little as possible until they are `apart`, in the same order and within 0 and 1.

    If they do not fit there, they exceed both ends equally. The method is pool adjacent violators: places that would
    overlap become a group around their mean.
    """
    if not places:
        return []
    order = np.argsort(places, kind="stable")
    steps = apart * np.arange(len(places))
    means: list[float] = []
    sizes: list[int] = []
    for place in np.asarray(places)[order] - steps:  # these must not fall
        mean, size = float(place), 1
        while means and means[-1] > mean:
            mean = (mean * size + means.pop() * sizes[-1]) / (size + sizes[-1])
            size += sizes.pop()
        means.append(mean)
        sizes.append(size)
    low, high = apart / 2, 1 - apart / 2 - steps[-1]
    moved = np.clip(means, low, high) if low <= high else np.full(len(means), (low + high) / 2)
    found = np.empty(len(places))
    found[order] = np.repeat(moved, sizes) + steps
    return [float(place) for place in found]


class RowLayout(NamedTuple):
    """The places in each of several panels of rows; lengths in pixels of the page."""

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

    def middle(self, row: int) -> float:
        """The middle of a row, in pixels below the top of the first."""
        return (row + 0.5) * self.row_height


def row_layout(
    names: Sequence[Sequence[str]], *, width: int, most_name: int, least_height: int, columns_width: int, label: str
) -> RowLayout:
    """Panels of one `width` with names, a chart, and `columns_width` pixels for columns of numbers on its right.

    Names are wrapped to `most_name` pixels. Call it inside `house_style`.
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
    """The axes of a panel whose rows begin at `corner`, row i at y = i from the top, with its name to the left."""
    names = layout.names[panel]
    left, height = corner.left + layout.names_width + SPACE, len(names) * layout.row_height
    axes = page.figure.add_axes(page.rectangle(left=left, top=corner.top, width=layout.axes_width, height=height))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), names, multialignment="right")
    axes.tick_params(axis="y", length=0, pad=SPACE * 72 / DPI)
    scale.put_across(axes)
    axes.set_xlabel(layout.label)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    return axes
