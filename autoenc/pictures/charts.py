"""Charts on a page: axes with ticks and labels, the names of lines at their ends, and rows with names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.pictures.axis_ticks import ValueAxis
from autoenc.pictures.page import DPI, LABEL, SMALL, Page, block_height, line_height, text_width, wrapped
from autoenc.pictures.panels import SPACE, Corner

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRAINING_LINE, VALIDATION_LINE, BASELINE_LINE = "--", "-", ":"
TRAINING_COLOR, VALIDATION_COLOR, TEST_COLOR, BASELINE_COLOR = "#3f90da", "#d55e00", "#12355b", "#6b6b6b"
"""The lines in every picture. Test errors, which are drawn instead of validation errors, are solid like these."""

FOOT = line_height(SMALL) + line_height(LABEL) + SPACE
"""Pixels of a chart's height below its axes, for the ticks and the label of the horizontal axis."""

LEADER = 44  # pixels between the axes and a name, for the line that leads to it
BETWEEN = 8  # pixels between names of several lines


class LineLabel(NamedTuple):
    """A name for a line that ends at a height."""

    text: str
    """Of one or more lines."""
    value: float
    color: str
    """Of the line; the text itself is dark and readable."""
    dashes: str = "-"


def chart_axes(
    page: Page,
    corner: Corner,
    *,
    width: int,
    height: int,
    upright: ValueAxis,
    across: ValueAxis,
    labels: tuple[str, str],
    names: Sequence[LineLabel] = (),
) -> Axes:
    """Axes that fill `width` x `height` pixels together with their ticks, labels (upright, across) and names of lines.

    The names stay within the axes' height if `height` is at least `names_height`.
    """
    label = wrapped(upright.labelled(labels[0]), width=height - FOOT, size=LABEL)
    left = block_height(label, LABEL) + max(text_width(tick, SMALL) for tick in upright.labels) + SPACE
    right = LEADER + max(text_width(name.text, SMALL) for name in names) if names else 0
    place = page.rectangle(left=corner.left + left, top=corner.top, width=width - left - right, height=height - FOOT)
    axes = page.figure.add_axes(place, xlabel=across.labelled(labels[1]), ylabel=label)
    upright.put_on(axes)
    across.put_across(axes)
    label_lines(axes, names, scale=upright)
    return axes


def draw_ring(axes: Axes, x: float, y: float, *, color: str, label: str) -> None:
    """A ring around a point, such as the best."""
    style: dict[str, Any] = {"markersize": 15, "markerfacecolor": "none", "markeredgewidth": 2.2}
    axes.plot(x, y, "o", color=color, label=label, zorder=3, **style)


def write_in_middle(axes: Axes, text: str) -> None:
    """Write instead of values, where there are none."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, horizontalalignment="center", size=LABEL)


def label_lines(axes: Axes, labels: Sequence[LineLabel], *, scale: ValueAxis) -> None:
    """Write each name to the right of the axes, as near to the height of its line's end as the other names allow.

    A thin line in the line's colour leads from the axes to the name. The names are in the order of the lines' ends.
    """
    ends = [scale.share(label.value) for label in labels]
    places = spread(ends, apart=_apart(labels) / axes.get_window_extent().height)
    for label, end, place in zip(labels, ends, places, strict=True):
        axes.annotate(
            label.text,
            xy=(1, end),
            xycoords="axes fraction",
            xytext=(1 + LEADER / axes.get_window_extent().width, place),
            textcoords="axes fraction",
            verticalalignment="center",
            size=SMALL,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "connectionstyle": "arc,angleA=180,armA=6,angleB=0,armB=6",
                "relpos": (0, 0.5),
                "patchA": None,
                "shrinkA": 5,
                "color": label.color,
                "linestyle": label.dashes,
                "linewidth": 1.6,
            },
        )


def names_height(labels: Sequence[LineLabel]) -> int:
    """The height of a chart, in pixels, that has room for all these names beside its axes."""
    return len(labels) * _apart(labels) + FOOT


def _apart(labels: Sequence[LineLabel]) -> int:
    """Pixels from the middle of a name to that of the next."""
    lines = max((len(label.text.splitlines()) for label in labels), default=1)
    return lines * line_height(SMALL) + (BETWEEN if lines > 1 else 0)


def spread(places: Sequence[float], *, apart: float) -> list[float]:
    """Move places as little as possible until they are `apart`, in the same order and within 0 and 1.

    If they do not fit there, they exceed both ends equally.
    """
    order = np.argsort(places, kind="stable")
    steps = apart * np.arange(len(places))
    moved = _never_falling(np.asarray(places)[order] - steps)
    low, high = apart / 2, 1 + apart / 2 - apart * len(places)
    moved = np.clip(moved, low, high) if low <= high else np.full(len(places), (low + high) / 2)
    found = np.empty(len(places))
    found[order] = moved + steps
    return [float(place) for place in found]


def _never_falling(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest values (N,), by least squares, that never fall: neighbours that fall are averaged.

    This is scipy's `isotonic_regression`. Importing scipy.optimize takes longer than drawing a chart.
    """
    pools: list[list[float]] = []
    for value in values.tolist():
        pools.append([value])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    return np.array([np.mean(pool) for pool in pools for _ in pool])


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
    row_height = max(least_height, *(block_height(name, SMALL) + SPACE // 2 for name in every))
    return RowLayout(written, names_width, axes_width, row_height, wrapped(label, width=axes_width, size=LABEL))


def write_column(page: Page, layout: RowLayout, head: str, texts: Sequence[str], *, right: int, top: int) -> None:
    """Write a text for each row to the right of the chart, whose rows begin at `top`, and a head above them."""
    page.text(head, x=right, y=top, size=SMALL, horizontal="right", vertical="bottom")
    for row, text in enumerate(texts):
        page.text(text, x=right, y=top + layout.middle(row), size=SMALL, horizontal="right", vertical="center")


def row_axes(page: Page, layout: RowLayout, *, panel: int, corner: Corner, scale: ValueAxis) -> Axes:
    """The axes of a panel whose rows begin at `corner`, row i at y = i from the top, with its name to the left."""
    names = layout.names[panel]
    left, height = corner.left + layout.names_width + SPACE, len(names) * layout.row_height
    place = page.rectangle(left=left, top=corner.top, width=layout.axes_width, height=height)
    axes = page.figure.add_axes(place, xlabel=layout.label, ylim=(len(names) - 0.5, -0.5), axisbelow=True)
    axes.set_yticks(range(len(names)), names, multialignment="right")
    axes.tick_params(axis="y", length=0, pad=SPACE * 72 / DPI)
    scale.put_across(axes)
    axes.grid(axis="x")
    return axes
