"""The gradient's norm in each layer, before and after training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autoenc.pictures.axis_ticks import ValueAxis, value_axis
from autoenc.pictures.charts import RowLayout, row_axes, row_layout
from autoenc.pictures.page import SMALL, Page, line_height, text_width
from autoenc.pictures.panels import SPACE, Corner, panel_page
from autoenc.pictures.picture import Panel, Picture

WIDTHS = {1: 1400, 2: 960}  # of the panels beside one another; of more, the last
LEAST_WIDTH = 660
AXIS = "norm of the gradient"
BEFORE, AFTER = "#d55e00", "#12355b"
HEADS = ("\N{WHITE SQUARE} before", "\N{BLACK CIRCLE} after")


@dataclass(frozen=True, kw_only=True, eq=False)
class Gradients(Picture):
    """The L2 norm of the objective's gradient with respect to each layer's weights."""

    kind: ClassVar[str] = "gradients"

    layers: tuple[str, ...]
    """The encoder's, then the decoder's, in the order of the forward pass."""
    before: NDArray[np.float64]
    """Of the untrained model, (L,)."""
    after: NDArray[np.float64]
    """Of the trained model, (L,)."""
    images: int
    """Over how many training images the gradient is the mean."""

    def __post_init__(self) -> None:
        if not self.layers or not len(self.layers) == len(self.before) == len(self.after):
            sizes = f"{len(self.layers)}, {len(self.before)} and {len(self.after)}"
            raise ValueError(f"layers, before and after: expected as many of each, at least one, not {sizes}")

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """A row a layer, with two dots on an axis that all panels share."""
        columns = {4: 2}.get(len(panels), min(3, len(panels)))
        width = WIDTHS.get(columns, LEAST_WIDTH)
        column = text_width(HEADS[0], SMALL) + SPACE
        layout = row_layout(
            [panel.picture.layers for panel in panels],
            width=width,
            most_name=width // 4,
            least_height=line_height(SMALL) + 18,
            columns_width=2 * column,
            label=AXIS,
        )
        head = line_height(SMALL)
        page, corners, _ = panel_page(
            [panel.label for panel in panels],
            width=width,
            height=head + layout.height,
            columns=columns,
            title=title,
            line=_line(panels[0].picture.images),
        )
        scale = _scale([panel.picture for panel in panels])
        for index, (panel, (left, top)) in enumerate(zip(panels, corners, strict=True)):
            corner = Corner(left, top + head)
            axes = row_axes(page, layout, panel=index, corner=corner, scale=scale)
            _draw(axes, panel.picture)
            _write(page, panel.picture, layout=layout, right=left + width, top=corner.top, column=column)
        return page.figure


def _line(images: int) -> str:
    return (
        f"L2 norm of the training objective's gradient with respect to each layer's weights, mean over {images:,} "
        "training images, in eval mode and with frozen noise. Squares: before training. Dots: after it. Norms that "
        "shrink towards the image are vanishing gradients."
    )


def _scale(pictures: Sequence[Gradients]) -> ValueAxis:
    values = np.concatenate([values for picture in pictures for values in (picture.before, picture.after)])
    return value_axis(values[np.isfinite(values) & (values > 0)], unit="a share")


def _draw(axes: Axes, picture: Gradients) -> None:
    places = np.arange(len(picture.layers))
    for name, values, color, marker, dashes in (
        ("before training", picture.before, BEFORE, "s", ":"),
        ("after training", picture.after, AFTER, "o", "-"),
    ):
        drawn = np.where(np.isfinite(values) & (values > 0), values, np.nan)
        axes.plot(
            drawn,
            places,
            color=color,
            marker=marker,
            markersize=8,
            linestyle=dashes,
            linewidth=1.4,
            label=name,
            markerfacecolor="white" if marker == "s" else color,
            markeredgewidth=2,
            clip_on=False,
        )


def _write(page: Page, picture: Gradients, *, layout: RowLayout, right: int, top: int, column: int) -> None:
    """The numbers in two columns to the right of the chart."""
    columns = ((picture.before, right - column), (picture.after, right))
    for head, (values, edge) in zip(HEADS, columns, strict=True):
        page.text(head, x=edge, y=top, size=SMALL, horizontal="right", vertical="bottom")
        for row, value in enumerate(values):
            y = top + layout.middle(row)
            page.text(_written(float(value)), x=edge, y=y, size=SMALL, horizontal="right", vertical="center")


def _written(value: float) -> str:
    """Two digits, and a power of ten where that is shorter: `0.15`, `1.5e-3`."""
    if not np.isfinite(value):
        return "\N{INFINITY}" if np.isinf(value) else "NaN"
    if value == 0 or 0.01 <= value < 99.5:
        return f"{value:.2g}"
    return f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e").replace("-", "\N{MINUS SIGN}")
