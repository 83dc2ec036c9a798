"""How sparse the activations of each layer are, by two measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autoenc.pictures.axis_ticks import ValueAxis
from autoenc.pictures.charts import row_axes, row_layout
from autoenc.pictures.page import SMALL, line_height, text_width
from autoenc.pictures.panels import SPACE, panel_page
from autoenc.pictures.picture import Panel, Picture

WIDTHS = {1: 1400, 2: 950}  # of the panels beside one another; of more, the last
LEAST_WIDTH = 640
TICKS = [0, 0.25, 0.5, 0.75, 1]
ZEROS, HOYER = "#8fb8de", "#12355b"
THICKNESS = 0.36  # of a bar, in rows

LINE = (
    "Mean over the test images, layer by layer from the image to the code. Light: the share of activations that are "
    "exactly 0. Dark: Hoyer's sparsity of the activations, 0 where all are equally large and 1 where one alone is not "
    "0; normal random numbers have 0.2."
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Sparsity(Picture):
    """Two numbers from 0 to 1 for each layer."""

    kind: ClassVar[str] = "sparsity"

    layers: tuple[str, ...]
    zeros: NDArray[np.float64]
    """The share of activations that are exactly zero, (L,)."""
    hoyer: NDArray[np.float64]
    """Hoyer's sparsity, (L,); NaN where it is not defined."""

    def __post_init__(self) -> None:
        if not self.layers or not len(self.layers) == len(self.zeros) == len(self.hoyer):
            sizes = f"{len(self.layers)}, {len(self.zeros)} and {len(self.hoyer)}"
            raise ValueError(f"layers, zeros and hoyer: expected as many of each, at least one, not {sizes}")

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """Two bars a layer, each with its number."""
        columns = {4: 2}.get(len(panels), min(3, len(panels)))
        width = WIDTHS.get(columns, LEAST_WIDTH)
        layout = row_layout(
            [panel.picture.layers for panel in panels],
            width=width,
            most_name=width // 3,
            least_height=2 * line_height(SMALL) + 16,
            columns_width=text_width("Hoyer 0.123", SMALL) + SPACE,
            label="share of zeros, Hoyer's sparsity",
        )
        headings = [panel.label for panel in panels]
        page, corners, _ = panel_page(
            headings, width=width, height=layout.height, columns=columns, title=title, line=LINE
        )
        for index, (panel, corner) in enumerate(zip(panels, corners, strict=True)):
            scale = ValueAxis("linear", 0, 1, TICKS, minor_ticks=[], note="")
            axes = row_axes(page, layout, panel=index, corner=corner, scale=scale)
            _draw(axes, panel.picture)
        return page.figure


def _draw(axes: Axes, picture: Sparsity) -> None:
    for name, values, color, offset in (
        ("zeros", picture.zeros, ZEROS, -THICKNESS / 2),
        ("Hoyer", picture.hoyer, HOYER, THICKNESS / 2),
    ):
        places = np.arange(len(picture.layers)) + offset
        axes.barh(places, np.nan_to_num(values), height=THICKNESS, color=color, label=name)
        for place, value in zip(places, values, strict=True):
            written = f"{value:.3f}" if np.isfinite(value) else "undefined"
            axes.annotate(
                f"{name} {written}",
                xy=(value if np.isfinite(value) else 0, place),
                xytext=(6, 0),
                textcoords="offset pixels",
                verticalalignment="center",
                size=SMALL,
                annotation_clip=False,
            )
