"""Axes of a chart whose vertical axis shows values, at a place on a page."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.axes import Axes

from autoenc.pictures.axis_ticks import ValueAxis
from autoenc.pictures.page import LABEL, SMALL, Page, block_height, line_height, text_width, wrapped
from autoenc.pictures.panels import SPACE, Corner


class ChartBox(NamedTuple):
    """The room for a chart with everything around it; lengths in pixels of the page."""

    corner: Corner
    width: int
    height: int
    names: int
    """Of the width, what is left free at the right of the axes."""


def foot_height() -> int:
    """Pixels of a chart's height below its axes, for the ticks and the name of the horizontal axis."""
    return line_height(SMALL) + line_height(LABEL) + SPACE


def chart_axes(page: Page, box: ChartBox, *, scale: ValueAxis, label: str, across: str) -> Axes:
    """Axes as large as the texts around them leave room for; `across` names the horizontal axis."""
    height = box.height - foot_height()
    label = wrapped("\n".join(filter(None, (label, scale.note))), width=height, size=LABEL)
    left = block_height(label, LABEL) + max(text_width(tick, SMALL) for tick in scale.labels) + SPACE
    place = page.rectangle(
        left=box.corner.left + left, top=box.corner.top, width=box.width - left - box.names, height=height
    )
    axes = page.figure.add_axes(place)
    axes.set_ylabel(label)
    axes.set_xlabel(across)
    scale.put_on(axes)
    return axes
