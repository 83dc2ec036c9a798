"""Colours and markers of classes and runs, and a legend for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from autoenc.pictures.page import LABEL, SMALL, Page, line_height, text_width, wrapped
from autoenc.pictures.panels import Corner

# Ten colours that the colour-blind can tell apart: M. A. Petroff, Accessible Color Sequences for Data Visualization,
# arXiv:2107.02270, table 1. Reordered: the three greys are far apart, and neighbours differ in lightness.
_COLORS = ("#3f90da", "#bd1f01", "#ffa90e", "#832db6", "#94a4a2", "#a96b59", "#e76300", "#717581", "#92dadd", "#b9ac70")
_MARKERS = ("o", "^", "s", "D", "v", "P", "X")

MAX_NAME = 190  # pixels of a name in the legend, then it is wrapped
MARK = 26  # pixels of a legend's marker and the space after it
SPACE = 18  # between the columns of a legend


class Look(NamedTuple):
    """The colour and marker of a class."""

    color: str
    marker: str


def look(index: int) -> Look:
    """The look of a class: ten colours, then the same colours with another marker; after 70 it starts again."""
    return Look(_COLORS[index % len(_COLORS)], _MARKERS[index // len(_COLORS) % len(_MARKERS)])


class Legend(NamedTuple):
    """A legend in columns; sizes in pixels."""

    names: list[str]
    rows: int
    column_width: int

    @property
    def width(self) -> int:
        """Without the space around it."""
        return -(-len(self.names) // self.rows) * (self.column_width + SPACE) - SPACE


def legend(names: Sequence[str], *, height: int, most_name: int = MAX_NAME) -> Legend:
    """A legend of all names, at most `height` pixels high if possible; call it inside `house_style`."""
    written = [wrapped(name, width=most_name, size=SMALL) for name in names]
    rows = max(1, height // _entry_height(written))
    return Legend(written, rows, MARK + max(text_width(name, SMALL) for name in written))


def draw_legend(page: Page, laid_out: Legend, *, corner: Corner) -> None:
    """Draw markers and names, the first at the corner."""
    height = _entry_height(laid_out.names)
    for index, name in enumerate(laid_out.names):
        column, row = divmod(index, laid_out.rows)
        left = corner.left + column * (laid_out.column_width + SPACE)
        middle = corner.top + (row + 0.5) * height
        color, marker = look(index)
        page.line([(left + MARK // 3, middle)], color=color, width=9, marker=marker)
        page.text(name, x=left + MARK, y=middle, size=SMALL, vertical="center")


def _entry_height(names: Sequence[str]) -> int:
    lines = max(len(name.splitlines()) for name in names)
    return line_height(SMALL) * lines + (line_height(LABEL) // 4)
