"""The denoising matrix: the gain of models under kinds and severities of noise, as heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from autoenc.pictures.image_pixels import SIDE, ColorScale, draw_color_bar
from autoenc.pictures.page import INK, SMALL, Page, block_height, line_height, text_width, wrapped
from autoenc.pictures.panels import SPACE, Corner, panel_page
from autoenc.pictures.picture import Panel, Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL = 80  # pixels of a cell's width
ROW = 46
GAP = 14  # between kinds of noise
MOST_NAME = 480  # pixels of a run's name, then it is wrapped
SCALE = ColorScale("gain (dB)", "RdBu", low=-10, high=10)
"""The same in every picture, so that two of them can be compared. Larger gains have the last colour."""
DARK = 5.5  # decibels from which the colour is dark
MINUS = "\N{MINUS SIGN}"
EDGE = withStroke(linewidth=5, foreground="white")  # the frame stands out from dark cells too
FRAME: dict[str, Any] = {"fill": False, "edgecolor": INK, "linewidth": 2.6, "clip_on": False, "path_effects": [EDGE]}
ABOVE = 3  # the cells that are not framed
LINE = (
    "Rows: models. Columns: the noise on the test images, and the value of the setting that is its severity. "
    "10 dB are a tenth of the baseline's mean squared error; below 0 dB the baseline is better than the model. All "
    "models get the same noisy images. Framed: the noise that the model was trained on."
)
NOT_AVERAGED = "The mean leaves out noises that are only shown because a model was trained on them."


@dataclass(frozen=True, kw_only=True, eq=False)
class DenoisingHeatMap(Picture):
    """The gains of R models in C columns of noise, on N test images."""

    runs: tuple[str, ...]
    """(R,), their names."""
    kinds: tuple[str, ...]
    """(C,): the kind of noise and, in brackets, its setting; equal ones stand next to one another."""
    severities: tuple[str, ...]
    """(C,), as text."""
    over_nothing: NDArray[np.float64]
    """(R, C): the gain over doing nothing, in dB."""
    over_median: NDArray[np.float64]
    """(R, C): the gain over a 3x3 median filter, in dB."""
    trained_on: NDArray[np.bool_]
    """(R, C): whether it is the noise that the model was trained on."""
    averaged: NDArray[np.bool_]
    """(C,): the columns of which the mean is taken."""
    mean_over_nothing: NDArray[np.float64]
    """(R,): the metric `denoising_gain_db`."""
    mean_over_median: NDArray[np.float64]
    """(R,): the metric `denoising_gain_over_median_db`."""
    images: int
    """N."""

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """Draw two heat maps for each panel: over doing nothing, and over the median filter."""
        layouts = [_layout(panel.picture) for panel in panels]
        page, corners, side = panel_page(
            [heading for panel in panels for heading in _headings(panel.label, images=panel.picture.images)],
            width=max(layout.width for layout in layouts),
            height=max(layout.height for layout in layouts),
            title=title,
            line=LINE if all(panel.picture.averaged.all() for panel in panels) else f"{LINE} {NOT_AVERAGED}",
            side=SIDE,
        )
        for number, (panel, layout) in enumerate(zip(panels, layouts, strict=True)):
            above, below = corners[2 * number : 2 * number + 2]
            picture = panel.picture
            over_nothing = np.column_stack([picture.over_nothing, picture.mean_over_nothing])
            over_median = np.column_stack([picture.over_median, picture.mean_over_median])
            _draw(page, layout, over_nothing, trained_on=picture.trained_on, corner=above)
            _draw(page, layout, over_median, trained_on=picture.trained_on, corner=below)
        draw_color_bar(page, SCALE, left=side.left, top=side.top, height=min(500, layouts[0].height))
        return page.figure


def _headings(label: str, *, images: int) -> tuple[str, str]:
    prefix = f"{label}: " if label else ""
    baselines = ("doing nothing", "a 3x3 median filter")
    above, below = (f"{prefix}Gain over {name}, in dB, on {images:,} test images" for name in baselines)
    return above, below


class _Group(NamedTuple):
    """Columns with one heading; lengths in pixels, places to the right of the first column."""

    heading: str
    severities: Sequence[str]
    left: int
    cell: int

    @property
    def width(self) -> int:
        return self.cell * len(self.severities)


class _Layout(NamedTuple):
    """The places of a heat map's parts, in pixels."""

    names: Sequence[str]
    names_width: int
    groups: Sequence[_Group]
    heading_height: int
    row: int

    @property
    def width(self) -> int:
        return self.names_width + self.groups[-1].left + self.groups[-1].width

    @property
    def head(self) -> int:
        """Above the first row."""
        return self.heading_height + line_height(SMALL) + SPACE // 2

    @property
    def height(self) -> int:
        return self.head + self.row * len(self.names)


def _layout(picture: DenoisingHeatMap) -> _Layout:
    names = [wrapped(name, width=MOST_NAME, size=SMALL) for name in picture.runs]
    groups: list[_Group] = []
    left = 0
    columns = [*zip(picture.kinds, picture.severities, strict=True), ("mean", "")]
    for kind, members in groupby(columns, key=lambda column: column[0]):
        severities = [severity for _, severity in members]
        word = max(text_width(word, SMALL) for word in kind.split())
        cell = max(CELL, -(-(word + SPACE) // len(severities)))
        groups.append(_Group(wrapped(kind, width=cell * len(severities), size=SMALL), severities, left, cell))
        left += groups[-1].width + GAP
    heading_height = max(block_height(group.heading, SMALL) for group in groups)
    row = max(ROW, *(block_height(name, SMALL) + SPACE for name in names))
    return _Layout(names, max(text_width(name, SMALL) for name in names) + SPACE, groups, heading_height, row)


def _draw(
    page: Page, layout: _Layout, gains: NDArray[np.float64], *, trained_on: NDArray[np.bool_], corner: Corner
) -> None:
    """One heat map: its headings, the runs' names, and a cell for each gain and for the mean, (R, C + 1)."""
    left, top = corner.left + layout.names_width, corner.top + layout.head
    for row, name in enumerate(layout.names):
        middle = top + (row + 0.5) * layout.row
        page.text(name, x=left - SPACE, y=middle, size=SMALL, horizontal="right", vertical="center")
    framed = np.column_stack([trained_on, np.zeros(len(gains), dtype=bool)])  # (R, C + 1)
    first = 0
    for group in layout.groups:
        columns = slice(first, first + len(group.severities))
        first = columns.stop
        center = left + group.left + group.width / 2
        foot = top - SPACE // 2 - line_height(SMALL)
        page.text(group.heading, x=center, y=foot, size=SMALL, horizontal="center", vertical="bottom")
        for number, severity in enumerate(group.severities):
            middle = left + group.left + (number + 0.5) * group.cell
            page.text(severity, x=middle, y=foot, size=SMALL, horizontal="center")
        _draw_cells(page, group, gains[:, columns], framed[:, columns], corner=Corner(left, top), row=layout.row)


def _draw_cells(
    page: Page, group: _Group, gains: NDArray[np.float64], framed: NDArray[np.bool_], *, corner: Corner, row: int
) -> None:
    """The cells of a group; `corner` is that of the heat map's first cell."""
    rows, columns = gains.shape
    place = page.rectangle(left=corner.left + group.left, top=corner.top, width=group.width, height=row * rows)
    axes = page.figure.add_axes(place, xlim=(0, columns), ylim=(rows, 0))
    axes.set_axis_off()
    axes.imshow(SCALE.pixels(gains), extent=(0, columns, rows, 0), aspect="auto", interpolation="nearest")
    axes.hlines(range(1, rows), 0, columns, color="white", linewidth=1)
    axes.vlines(range(1, columns), 0, rows, color="white", linewidth=1)
    for (y, x), gain in np.ndenumerate(gains):
        color = "white" if abs(gain) > DARK else INK
        text = f"{round(gain, 1) + 0.0:+.1f}".replace("-", MINUS)  # no negative zero
        axes.text(x + 0.5, y + 0.5, text, color=color, size=SMALL, ha="center", va="center_baseline")
        if framed[y, x]:
            axes.add_patch(Rectangle((x, y), 1, 1, **FRAME, zorder=ABOVE))
