"""A colour bar that stands beside several panels."""

from __future__ import annotations

from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator

from autoenc.pictures.image_grid import ColorScale
from autoenc.pictures.page import SMALL, Page, wrapped

BAR_WIDTH = 22
SIDE = 150
"""Pixels that a colour bar with its ticks and a label of two lines is wide."""
LEAST_HEIGHT = 200


def draw_color_bar(page: Page, scale: ColorScale, *, left: int, top: int, height: int) -> None:
    """An upright bar with its upper left corner at a point, its ticks and its label at the right of it."""
    height = max(LEAST_HEIGHT, height)
    axes = page.figure.add_axes(page.rectangle(left=left, top=top, width=BAR_WIDTH, height=height))
    values = ScalarMappable(Normalize(scale.low, scale.high), cmap=scale.colors)
    ticks = MaxNLocator(nbins=5, steps=[1, 2, 5, 10])
    bar = page.figure.colorbar(values, cax=axes, orientation="vertical", ticks=ticks)
    bar.outline.set_edgecolor(axes.spines["left"].get_edgecolor())
    bar.set_label(wrapped(scale.label, width=height, size=SMALL), size=SMALL)
