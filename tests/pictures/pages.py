"""What stands on a page, asked of a figure before it is saved."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import FigureImage
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from autoenc.pictures.page import house_style
from autoenc.pictures.picture import Panel, Picture


def drawn(make: Callable[[], Figure]) -> Figure:
    """The figure that is made in the house's style: texts have their places, warnings have been raised."""
    with house_style():
        figure = make()
        FigureCanvasAgg(figure)
        figure.draw_without_rendering()
    return figure


def written(figure: Figure) -> list[str]:
    return [text.get_text() for text in visible_texts(figure)]


def all_of(figure: Figure) -> str:
    """Every text in one line, the way it reads, whatever the wrapping."""
    return " ".join(" ".join(written(figure)).replace("\N{NO-BREAK SPACE}", " ").split())


def visible_texts(figure: Figure) -> list[Text]:
    """All texts but those of ticks that are outside of their axis, which are not drawn."""
    outside = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            slack = 1e-9 * (high - low)
            for tick in axis.get_major_ticks():
                if not low - slack <= tick.get_loc() <= high + slack:
                    outside |= {id(tick.label1), id(tick.label2)}
    return [
        text
        for text in figure.findobj(Text)
        if text.get_text().strip() and text.get_visible() and id(text) not in outside
    ]


def extent(text: Text) -> Bbox:
    """The box of a text, without the line that leads to it."""
    return Text.get_window_extent(text)


def check_layout(figure: Figure) -> None:
    """Every text is on the page, and none in another."""
    boxes = [(text.get_text(), extent(text).padded(-1)) for text in visible_texts(figure)]
    for text, box in boxes:
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= figure.bbox.x1, text
        assert box.y1 <= figure.bbox.y1, text
    for (one, box), (other, other_box) in itertools.combinations(boxes, 2):
        assert not box.overlaps(other_box), f"{one!r} overlaps {other!r}"


def draw(*pictures: Picture | Panel[Any]) -> Figure:
    """Pictures on one page, drawn; several without labels are called run 0, run 1, ..."""
    panels = [
        picture if isinstance(picture, Panel) else Panel(f"run {index}" if len(pictures) > 1 else "", picture)
        for index, picture in enumerate(pictures)
    ]
    return drawn(lambda: type(panels[0].picture).figure(panels, title="a title"))


def levels(figure: Figure) -> list[int]:
    """The first pixel of each image, from left to right and from the top down."""
    found = [image for image in figure.images if isinstance(image, FigureImage)]
    ordered = sorted(found, key=lambda image: (-int(image.oy), int(image.ox)))
    return [int(np.asarray(image.get_array())[0, 0, 0]) for image in ordered]
