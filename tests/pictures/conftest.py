"""What all tests of pictures need: a figure drawn as it would be saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from autoenc.pictures.page import house_style
from autoenc.pictures.picture import Panel, Picture

Draw = Callable[..., Figure]


@pytest.fixture
def draw() -> Draw:
    """Pictures on one page as a figure whose texts have their places; each is a picture, or a panel."""

    def call(*pictures: Picture | Panel[Any], title: str = "a title") -> Figure:
        panels = [picture if isinstance(picture, Panel) else Panel("", picture) for picture in pictures]
        with house_style():
            figure = type(panels[0].picture).figure(panels, title=title)
            FigureCanvasAgg(figure)
            figure.draw_without_rendering()
        return figure

    return call
