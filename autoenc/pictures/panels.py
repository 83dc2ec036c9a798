"""The layout of every page: a title, a line of explanation, panels with headings; and pages under one another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.pictures.page import (
    LABEL,
    MARGIN,
    SMALL,
    TITLE,
    Page,
    block_height,
    house_style,
    pixels_of,
    wrapped,
    write_png,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAST_WIDTH = 900  # of a page, so that a title has room
SPACE = 12
GUTTER = 36  # between panels
HEADING = 1.25 * TITLE  # of a page with several figures


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
    """Of the room to the right of the panels."""


def panel_page(
    headings: Sequence[str],
    *,
    width: int,
    height: int,
    columns: int = 1,
    title: str = "",
    line: str = "",
    side: int = 0,
) -> PanelPage:
    """Make a page with a panel of `width` x `height` pixels for each heading, `columns` of them in a row.

    To the right of the panels, `side` pixels stay free for a legend or a colour bar. Call it inside `house_style`.
    """
    columns = min(columns, len(headings))
    inner = columns * width + (columns - 1) * GUTTER + (side + GUTTER if side else 0)
    page_width = max(LEAST_WIDTH, inner + 2 * MARGIN)
    title = wrapped(title, width=page_width - 2 * MARGIN, size=TITLE)
    line = line.replace(" %", "\N{NO-BREAK SPACE}%")  # no line starts with a percent sign
    line = wrapped(line, width=page_width - 2 * MARGIN, size=SMALL)
    headings = [wrapped(heading, width=width, size=LABEL) for heading in headings]
    bands = [headings[start : start + columns] for start in range(0, len(headings), columns)]
    heights = [max(block_height(heading, LABEL) for heading in band) for band in bands]
    heads = [height + SPACE // 2 if height else 0 for height in heights]
    line_top = MARGIN + (block_height(title, TITLE) + SPACE // 2 if title else 0)
    top = line_top + (block_height(line, SMALL) + SPACE if line else SPACE // 2)
    page = Page(width=page_width, height=top + sum(heads) + len(bands) * (height + GUTTER) - GUTTER + MARGIN)
    page.text(title, x=MARGIN, y=MARGIN, size=TITLE)
    page.text(line, x=MARGIN, y=line_top, size=SMALL)
    corners: list[Corner] = []
    for band, head in zip(bands, heads, strict=True):
        for column, heading in enumerate(band):
            left = MARGIN + column * (width + GUTTER)
            page.text(heading, x=left, y=top, size=LABEL)
            corners.append(Corner(left, top + head))
        top += head + height + GUTTER
    return PanelPage(page, corners, Corner(MARGIN + columns * (width + GUTTER), corners[0].top))


def save_stacked(figures: Sequence[Figure], path: Path, *, title: str) -> None:
    """Write the figures under one another as one PNG with a title; OSError leaves an older file as it was."""
    write_png(stacked(figures, title=title), path)


def stacked(figures: Sequence[Figure], *, title: str) -> NDArray[np.uint8]:
    """The pixels (H, W, 3) of the figures under one another, without resampling, left-aligned on white."""
    with house_style():
        pages = [pixels_of(figure) for figure in figures]
        width = max(page.shape[1] for page in pages)
        text = wrapped(title, width=width - 2 * MARGIN, size=HEADING)
        head = Page(width=width, height=MARGIN + block_height(text, HEADING))
        head.text(text, x=MARGIN, y=MARGIN, size=HEADING)
        pages.insert(0, pixels_of(head.figure))
    padded = [np.pad(page, ((0, 0), (0, width - page.shape[1]), (0, 0)), constant_values=255) for page in pages]
    return np.concatenate(padded)
