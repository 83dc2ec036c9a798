"""Colours and markers of classes and runs, and a legend for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from autoenc.palette import CLASS_COLORS
from autoenc.pictures.page import FRAME, LABEL, SMALL, Page, line_height, text_width, wrapped
from autoenc.pictures.panels import Corner

_MARKERS = ("o", "^", "s", "D", "v", "P", "X")
MOST_CLASSES = len(CLASS_COLORS) * len(_MARKERS)
"""As many differ in colour or marker; further ones are grey."""

MAX_NAME = 190  # pixels of a name in the legend, then it is wrapped
MARK = 26  # pixels of a legend's marker and the space after it
SPACE = 18  # between the columns of a legend


class Look(NamedTuple):
    """The colour and marker of a class."""

    color: str
    marker: str


def look(index: int) -> Look:
    """The look of a class: 70 pairs of a colour and a marker, of which neighbours differ in both; then grey."""
    if index >= MOST_CLASSES:
        return Look(FRAME, "o")
    turn, color = divmod(index, len(CLASS_COLORS))
    return Look(CLASS_COLORS[color], _MARKERS[(color + turn) % len(_MARKERS)])


def shown_classes(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names of the classes that have a look of their own, and one for all others: class `MOST_CLASSES`."""
    others = len(names) - MOST_CLASSES
    return names if others <= 1 else (*names[:MOST_CLASSES], f"{others:,} other classes")


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
