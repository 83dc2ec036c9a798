"""Rows of images under one another, with texts around them.

All lengths are pixels of the page. Each pixel of an image becomes `scale` x `scale` of them, everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autoenc.pictures.image_pixels import BAR_WIDTH, ColorScale, draw_color_bar
from autoenc.pictures.page import LABEL, MARGIN, SMALL, Page, block_height, line_height, pieces, text_width, wrapped
from autoenc.pictures.panels import SPACE, Corner, panel_page

MAX_WIDTH, MAX_HEIGHT = 2100, 1500  # of the page; it gets higher if images would fall below MIN_SIDE
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
    begins: bool = False
    """Whether some space above separates it from the previous rows."""


@dataclass(frozen=True)
class ColumnTexts:
    """One text for each column, above or below the images, and a label for them."""

    label: str
    texts: tuple[str, ...]

    def wrapped(self, width: int) -> ColumnTexts:
        """The same texts in lines of at most `width` pixels."""
        return ColumnTexts(self.label, tuple(wrapped(text, width=width, size=SMALL) for text in self.texts))

    @property
    def height(self) -> int:
        """With the gap to the images; 0 without texts."""
        height = max((block_height(text, SMALL) for text in self.texts), default=0)
        return height + GAP if height else 0


def image_grid(
    rows: Sequence[ImageRow],
    *,
    title: str,
    captions: ColumnTexts,
    notes: ColumnTexts,
    color_scale: ColorScale | None,
    line: str = "",
) -> Figure:
    """Draw the rows; columns that do not fit continue in further bands below. Call it inside `house_style`.

    Captions stand above the columns, notes below them, and a colour bar at the foot of the page. A `line` below the
    title explains the picture.
    """
    images = len(rows[0].pixels)
    if len(rows) > 2 * images and images < MANY:  # more than twice as high as wide, which fits no slide
        rows, captions, notes = _turned(rows, captions=captions, notes=notes)
    else:
        rows = [replace(row, label=wrapped(row.label, width=MAX_ROW_LABEL, size=LABEL)) for row in rows]
    layout = _layout(rows, captions=captions, notes=notes)
    height = layout.bands * layout.band_height - SPACE
    foot = BAR_WIDTH + 3 * SPACE + 2 * line_height(SMALL) if color_scale else 0
    page, (corner,), _ = panel_page([""], width=layout.width, height=height + foot, columns=1, title=title, line=line)
    for band in range(layout.bands):
        _draw_band(page, layout, band=band, corner=Corner(corner.left, corner.top + band * layout.band_height))
    if color_scale:
        left = corner.left + layout.left
        width = min(MAX_BAR, page.width - left - MARGIN)
        draw_color_bar(page, color_scale, left=left, top=corner.top + height + 2 * SPACE, width=width)
    return page.figure


def _turned(
    rows: Sequence[ImageRow], *, captions: ColumnTexts, notes: ColumnTexts
) -> tuple[list[ImageRow], ColumnTexts, ColumnTexts]:
    """Rows as columns: the labels stand above, captions and notes to the left."""
    texts = list(captions.texts) or [""] * len(rows[0].pixels)
    if notes.texts:
        texts = [f"{text}\n{notes.label} {note}".strip() for text, note in zip(texts, notes.texts, strict=True)]
    noted = any(row.notes for row in rows)
    turned = [
        ImageRow(
            wrapped(text, width=MAX_LABEL, size=LABEL),
            np.stack([row.pixels[index] for row in rows]),
            notes=tuple(row.notes[index] if row.notes else "" for row in rows) if noted else (),
        )
        for index, text in enumerate(texts)
    ]
    return turned, ColumnTexts("", tuple(row.label for row in rows)), ColumnTexts("", ())


class _Layout(NamedTuple):
    """Sizes in pixels; `left` is the width of the labels, with the space after them."""

    rows: Sequence[ImageRow]
    captions: ColumnTexts
    notes: ColumnTexts
    row_notes: list[ColumnTexts]
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
        return self.captions.height + self.row_top(len(self.row_notes)) + self.notes.height + SPACE

    def row_top(self, row: int) -> int:
        """How far a row is below the first; of the number of rows, the foot of the last."""
        notes = sum(texts.height for texts in self.row_notes[:row])
        return row * self.row_height + notes + SPACE * sum(part.begins for part in self.rows[1 : row + 1])


def _layout(rows: Sequence[ImageRow], *, captions: ColumnTexts, notes: ColumnTexts) -> _Layout:
    """As few bands as possible, then images as large as possible."""
    count, image_height, image_width = rows[0].pixels.shape[:3]
    longer = max(image_height, image_width)
    least = -(-MIN_SIDE // longer)
    labels = [*(row.label for row in rows), captions.label, notes.label]
    left = max(text_width(label, LABEL) for label in labels) + SPACE
    width = MAX_WIDTH - 2 * MARGIN - left
    row_notes = [ColumnTexts("", row.notes) for row in rows]
    texts = [text for part in (captions, notes, *row_notes) for text in part.texts]
    words = [min(MAX_WORD, text_width(piece.strip(), SMALL)) for text in texts for piece in pieces(text)]
    headings = [min(MAX_HEADING, text_width(caption, SMALL) // HEADING_LINES) for caption in captions.texts]
    word = max([0, *words, *headings])
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
    parts = [part.wrapped(column_width - BETWEEN) for part in (captions, notes, *row_notes)]
    return _Layout(rows, parts[0], parts[1], parts[2:], scale, columns, bands, left, column_width, row_height)


def _draw_band(page: Page, layout: _Layout, *, band: int, corner: Corner) -> None:
    rows = layout.rows
    first = band * layout.columns
    chosen = range(first, min(first + layout.columns, len(rows[0].pixels)))
    left, top = corner.left + layout.left, corner.top + layout.captions.height

    def write(texts: ColumnTexts, *, y: int, vertical: str) -> None:
        if not texts.texts:
            return
        page.text(texts.label, x=left - SPACE, y=y, size=SMALL, horizontal="right", vertical=vertical)
        for column, index in enumerate(chosen):
            middle = left + column * layout.column_width + (layout.column_width - GAP) / 2
            page.text(texts.texts[index], x=middle, y=y, size=SMALL, horizontal="center", vertical=vertical)

    write(layout.captions, y=top - GAP, vertical="bottom")
    write(layout.notes, y=top + layout.row_top(len(rows)), vertical="top")
    image_height, image_width = (layout.scale * size for size in rows[0].pixels.shape[1:3])
    inset = (layout.column_width - GAP - image_width) // 2
    drop = (layout.row_height - GAP - image_height) // 2
    for number, row in enumerate(rows):
        row_top = top + layout.row_top(number)
        middle = row_top + drop + image_height / 2
        page.text(row.label, x=left - SPACE, y=middle, size=LABEL, horizontal="right", vertical="center")
        for column, index in enumerate(chosen):
            place = left + column * layout.column_width + inset
            page.image(row.pixels[index], left=place, top=row_top + drop, scale=layout.scale)
        write(layout.row_notes[number], y=row_top + layout.row_height, vertical="top")
