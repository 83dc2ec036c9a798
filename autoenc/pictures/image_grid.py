"""Rows of images under one another, with texts around them.

All lengths are pixels of the page. Each pixel of an image becomes `scale` x `scale` of them, everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.pictures.image_pixels import BAR_WIDTH, ColorScale, draw_color_bar
from autoenc.pictures.page import (
    LABEL,
    MARGIN,
    MOST_PAGE_WIDTH,
    SMALL,
    Page,
    block_height,
    line_height,
    pieces,
    text_width,
    wrapped,
)
from autoenc.pictures.panels import SPACE, Corner, panel_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_WIDTH, MAX_HEIGHT = MOST_PAGE_WIDTH, 1500  # of the page; it gets higher if images would fall below MIN_SIDE
MIN_SIDE, MAX_SIDE = 64, 300  # of an image, its longer side
MAX_WORD = 150  # a column is widened for words up to this; longer ones are broken
MAX_LABEL = 300  # of a class name to the left of its images
MAX_ROW_LABEL = 460  # of a row's label, which may be a run's name of many words
MANY = 8  # images fill the width of a page
MAX_HEADING, HEADING_LINES = 260, 3  # a column is widened up to this for a heading of about so many lines

GAP = 6  # between images
BETWEEN = 18  # between the texts of neighbouring columns
MAX_BAR = 640  # the length of a colour bar


@dataclass(frozen=True)
class ImageRow:
    """A label and images (N, H, W, 3) to its right."""

    label: str
    pixels: NDArray[np.uint8]
    notes: tuple[str, ...] = ()
    """One below each image, or none at all."""
    notes_label: str = ""
    """To the left of the notes."""
    begins: bool = False
    """Whether some space above separates it from the previous rows."""


def image_grid(
    rows: Sequence[ImageRow],
    *,
    title: str,
    captions: Sequence[str] = (),
    color_scale: ColorScale | None = None,
    line: str = "",
) -> Figure:
    """Draw the rows; columns that do not fit continue in further bands below. Call it inside `house_style`.

    Captions stand above the columns, and a colour bar at the foot of the page. A `line` below the title explains the
    picture.
    """
    layout = _layout(*_arranged(rows, captions))
    height = layout.bands * layout.band_height - SPACE
    foot = BAR_WIDTH + 3 * SPACE + 3 * line_height(SMALL) if color_scale else 0
    page, (corner,), _ = panel_page([""], width=layout.width, height=height + foot, title=title, line=line)
    for band in range(layout.bands):
        _draw_band(page, layout, band=band, corner=Corner(corner.left, corner.top + band * layout.band_height))
    if color_scale:
        left = corner.left + layout.left
        width = min(MAX_BAR, page.width - left - MARGIN)
        draw_color_bar(page, color_scale, left=left, top=corner.top + height + 2 * SPACE, width=width)
    return page.figure


def _arranged(rows: Sequence[ImageRow], captions: Sequence[str]) -> tuple[list[ImageRow], Sequence[str]]:
    """Rows with wrapped labels, and captions; a grid that would be too high becomes columns, captions at their left."""
    images = len(rows[0].pixels)
    if len(rows) <= 2 * images or images >= MANY:  # more than twice as high as wide fits no slide
        return [replace(row, label=wrapped(row.label, width=MAX_ROW_LABEL, size=LABEL)) for row in rows], captions
    noted = any(row.notes for row in rows)
    turned = [
        ImageRow(
            wrapped(text, width=MAX_LABEL, size=LABEL),
            np.stack([row.pixels[index] for row in rows]),
            notes=tuple(f"{row.notes_label} {row.notes[index]}" if row.notes else "" for row in rows) if noted else (),
        )
        for index, text in enumerate(captions or [""] * images)
    ]
    return turned, [row.label for row in rows]


class _Layout(NamedTuple):
    """Sizes in pixels; `left` is the width of the labels, with the space after them."""

    rows: Sequence[ImageRow]
    """Their notes are wrapped, like the captions."""
    captions: Sequence[str]
    scale: int
    columns: int
    bands: int
    left: int
    column_width: int
    row_height: int

    @property
    def width(self) -> int:
        return self.left + self.columns * self.column_width - GAP

    @property
    def band_height(self) -> int:
        return _height(self.captions) + self.row_top(len(self.rows)) + SPACE

    def row_top(self, row: int) -> int:
        """How far a row is below the first; of the number of rows, the foot of the last."""
        notes = sum(_height(part.notes) for part in self.rows[:row])
        return row * self.row_height + notes + SPACE * sum(part.begins for part in self.rows[1 : row + 1])


def _height(texts: Sequence[str]) -> int:
    height = max((block_height(text, SMALL) for text in texts), default=0)
    return height + GAP if height else 0


def _layout(rows: Sequence[ImageRow], captions: Sequence[str]) -> _Layout:
    """As few bands as possible, then images as large as possible."""
    count, image_height, image_width = rows[0].pixels.shape[:3]
    longer = max(image_height, image_width)
    least = -(-MIN_SIDE // longer)
    left = max(text_width(label, LABEL) for row in rows for label in (row.label, row.notes_label)) + SPACE
    width, word = MAX_WIDTH - 2 * MARGIN - left, _text_room(rows, captions)
    columns = min(count, max(1, (width + GAP) // max(least * image_width + GAP, word + BETWEEN)))
    bands = -(-count // columns)
    columns = -(-count // bands)  # as many in each band, except for the last
    texts_height = 3 * line_height(SMALL) + 2 * SPACE  # roughly: they are wrapped once the scale is known
    texts_height += sum(line_height(SMALL) + GAP for row in rows if row.notes)
    room = width // columns - GAP, (MAX_HEIGHT // bands - texts_height) // len(rows) - GAP
    label_height = max(block_height(row.label, LABEL) for row in rows)
    # Even on a full page, images may be as high as the labels to their left and half as wide as their headings.
    least = max(least, min(label_height // image_height, room[0] // image_width), word // 2 // image_width)
    scale = max(least, min(room[0] // image_width, room[1] // image_height, MAX_SIDE // longer))
    column_width = max(scale * image_width + GAP, word + BETWEEN)
    row_height = max(scale * image_height, label_height) + GAP

    def in_columns(texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(wrapped(text, width=column_width - BETWEEN, size=SMALL) for text in texts)

    rows = [replace(row, notes=in_columns(row.notes)) for row in rows]
    return _Layout(rows, in_columns(captions), scale, columns, bands, left, column_width, row_height)


def _text_room(rows: Sequence[ImageRow], captions: Sequence[str]) -> int:
    texts = [*captions, *(note for row in rows for note in row.notes)]
    words = [min(MAX_WORD, text_width(piece.strip(), SMALL)) for text in texts for piece in pieces(text)]
    headings = [min(MAX_HEADING, text_width(caption, SMALL) // HEADING_LINES) for caption in captions]
    return max([0, *words, *headings])


def _draw_band(page: Page, layout: _Layout, *, band: int, corner: Corner) -> None:
    chosen = slice(band * layout.columns, (band + 1) * layout.columns)
    left, top = corner.left + layout.left, corner.top + _height(layout.captions)
    width = layout.column_width
    _write_texts(page, layout.captions[chosen], left=left, y=top - GAP, width=width, vertical="bottom")
    for number, row in enumerate(layout.rows):
        row_top = top + layout.row_top(number)
        image_height, image_width = (layout.scale * size for size in row.pixels.shape[1:3])
        inset, drop = (width - GAP - image_width) // 2, (layout.row_height - GAP - image_height) // 2
        label: dict[str, Any] = {"x": left - SPACE, "horizontal": "right"}
        page.text(row.label, y=row_top + drop + image_height / 2, size=LABEL, vertical="center", **label)
        for column, pixels in enumerate(row.pixels[chosen]):
            page.image(pixels, left=left + column * width + inset, top=row_top + drop, scale=layout.scale)
        foot = row_top + layout.row_height
        page.text(row.notes_label, y=foot, size=SMALL, **label)
        _write_texts(page, row.notes[chosen], left=left, y=foot, width=width, vertical="top")


def _write_texts(page: Page, texts: Sequence[str], *, left: int, y: int, width: int, vertical: str) -> None:
    for column, text in enumerate(texts):
        middle = left + column * width + (width - GAP) / 2
        page.text(text, x=middle, y=y, size=SMALL, horizontal="center", vertical=vertical)
