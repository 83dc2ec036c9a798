"""Panels of one size on a page: a title, a line that says what is seen, a heading over each panel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from autoenc.pictures.page import LABEL, MARGIN, SMALL, TITLE, Page, block_height, wrapped

LEAST_WIDTH = 900  # of a page, so that a title has room
SPACE = 12
GUTTER = 36  # between panels


class Corner(NamedTuple):
    """The top left corner of something, in pixels of the page."""

    left: int
    top: int


class PanelPage(NamedTuple):
    """A page with room for panels."""

    page: Page
    corners: list[Corner]
    """Of each panel, below its heading."""
    side: Corner
    """Of the room at the right of the panels."""


def panel_page(
    headings: Sequence[str], *, width: int, height: int, columns: int, title: str, line: str, side: int = 0
) -> PanelPage:
    """Room for as many panels of `width` x `height` as there are headings, `columns` of them beside one another.

    At the right of them `side` pixels are left for what concerns them all. To be made inside `house_style`.
    """
    columns = min(columns, len(headings))
    inner = columns * width + (columns - 1) * GUTTER + (side + GUTTER if side else 0)
    page_width = max(LEAST_WIDTH, inner + 2 * MARGIN)
    title = wrapped(title, width=page_width - 2 * MARGIN, size=TITLE)
    line = line.replace(" %", "\N{NO-BREAK SPACE}%")  # not at the beginning of a line
    line = wrapped(line, width=page_width - 2 * MARGIN, size=SMALL)
    headings = [wrapped(heading, width=width, size=LABEL) for heading in headings]
    line_top = MARGIN + (block_height(title, TITLE) + SPACE // 2 if title else 0)
    top = first_top = line_top + (block_height(line, SMALL) + SPACE if line else 0)
    corners: list[Corner] = []
    heads: list[Corner] = []
    for start in range(0, len(headings), columns):
        band = headings[start : start + columns]
        head = max(block_height(heading, LABEL) for heading in band)
        head += SPACE // 2 if head else 0
        lefts = [MARGIN + column * (width + GUTTER) for column in range(len(band))]
        heads += [Corner(left, top) for left in lefts]
        corners += [Corner(left, top + head) for left in lefts]
        top += head + height + GUTTER
    page = Page(width=page_width, height=top - GUTTER + MARGIN)
    page.text(title, x=MARGIN, y=MARGIN, size=TITLE)
    page.text(line, x=MARGIN, y=line_top, size=SMALL)
    for heading, corner in zip(headings, heads, strict=True):
        page.text(heading, x=corner.left, y=corner.top, size=LABEL)
    right = MARGIN + columns * (width + GUTTER)
    return PanelPage(page, corners, Corner(right, first_top + (corners[0].top - heads[0].top)))
