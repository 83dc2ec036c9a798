"""Rows of small images under one another: the mechanism of every picture that shows images.

All lengths are pixels of the page. An image's pixel becomes a whole number of them (`scale`), the same throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import matplotlib as mpl
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from autoenc.pictures.page import LABEL, MARGIN, SMALL, TITLE, Page, block_height, pieces, text_width, wrapped

MAX_WIDTH, MAX_HEIGHT = 2100, 1500  # of the page; the height may be passed for the sake of MIN_SIDE
MIN_SIDE, MAX_SIDE = 64, 300  # of an image, its longer side
MAX_WORD = 150  # a column is widened for words up to this; longer ones are broken
MAX_LABEL = 300  # of a class name to the left of its images
MAX_ROW_LABEL = 460  # of a row's label, which may be a run's name of many words
MANY = 8  # images fill the width of a page
MAX_HEADING, HEADING_LINES = 260, 4  # of rows as columns: a column is widened so that its heading is no higher

GAP = 6  # between images
SPACE = 12  # between blocks
BETWEEN = 18  # texts of neighbouring columns
BAR_WIDTH, BAR_HEIGHT = 640, 22


@dataclass(frozen=True)
class ImageRow:
    """A label and the pixels beside it, (N, H, W, 3) bytes."""

    label: str
    pixels: NDArray[np.uint8]
    notes: tuple[str, ...] = ()
    """One under each image, or none at all."""
    begins: bool = False
    """Whether a little space above it says that it does not belong to the rows above."""


@dataclass(frozen=True)
class ColorScale:
    """How numbers become colours: a matplotlib colour map from `low` to `high`, and what the numbers are."""

    label: str
    colors: str
    low: float
    high: float

    def pixels(self, values: NDArray[np.floating]) -> NDArray[np.uint8]:
        """The colours of values (..., W) as (..., W, 3) bytes."""
        share = np.atleast_1d((values - self.low) / (self.high - self.low))
        colors = np.asarray(mpl.colormaps[self.colors](share, bytes=True), dtype=np.uint8)
        return colors[..., :3]


@dataclass(frozen=True)
class ColumnTexts:
    """One text a column, above or below the images, and what they are."""

    label: str
    texts: tuple[str, ...]


def image_grid(
    rows: Sequence[ImageRow],
    *,
    title: str,
    captions: ColumnTexts,
    notes: ColumnTexts,
    color_scale: ColorScale | None,
    line: str = "",
) -> Figure:
    """The rows as a picture; columns that do not fit beside one another go on in a second band, and so forth.

    Captions stand above the columns, notes below; a `color_scale` becomes a colour bar at the foot of the page. Under
    the title a `line` says what is seen, where that needs words.
    """
    images = len(rows[0].pixels)
    if len(rows) > 2 * images and images < MANY:  # a strip more than twice as high as wide, which no slide has room for
        rows, captions, notes = _turned(rows, captions=captions, notes=notes)
    else:
        rows = [replace(row, label=wrapped(row.label, width=MAX_ROW_LABEL, size=LABEL)) for row in rows]
    layout = _layout(rows, captions=captions, notes=notes)
    width = layout.width
    title = wrapped(title, width=width - 2 * MARGIN, size=TITLE)
    legend = wrapped(color_scale.label, width=width - 2 * MARGIN, size=SMALL) if color_scale else ""
    line = wrapped(line, width=width - 2 * MARGIN, size=SMALL)
    line_top = MARGIN + (block_height(title, TITLE) + SPACE // 2 if title else 0)
    head = block_height(title, TITLE) + SPACE if title else 0
    head += block_height(line, SMALL) + SPACE if line else 0
    foot = block_height(legend, SMALL) + BAR_HEIGHT + 3 * SPACE + block_height("0", SMALL) if color_scale else 0
    page = Page(width=width, height=2 * MARGIN + head + layout.bands * layout.band_height - SPACE + foot)
    page.text(title, x=MARGIN, y=MARGIN, size=TITLE)
    page.text(line, x=MARGIN, y=line_top, size=SMALL)
    for band in range(layout.bands):
        _draw_band(page, rows, layout=layout, band=band, top=MARGIN + head + band * layout.band_height)
    if color_scale:
        _draw_color_bar(page, color_scale, label=legend, left=layout.left, top=page.height - MARGIN - foot + 2 * SPACE)
    return page.figure


def _turned(
    rows: Sequence[ImageRow], *, captions: ColumnTexts, notes: ColumnTexts
) -> tuple[list[ImageRow], ColumnTexts, ColumnTexts]:
    """Rows as columns: the labels stand above, captions and notes to the left."""
    texts = list(captions.texts) or [""] * len(rows[0].pixels)
    if notes.texts:
        texts = [f"{text}\n{notes.label} {note}".strip() for text, note in zip(texts, notes.texts, strict=True)]
    texts = [wrapped(text, width=MAX_LABEL, size=LABEL) for text in texts]
    turned = [
        ImageRow(text, np.stack([row.pixels[index] for row in rows]), notes=_across(rows, index))
        for index, text in enumerate(texts)
    ]
    return turned, ColumnTexts("", tuple(row.label for row in rows)), ColumnTexts("", ())


def _across(rows: Sequence[ImageRow], index: int) -> tuple[str, ...]:
    """The notes under the images of a column, from top to bottom."""
    noted = any(row.notes for row in rows)
    return tuple(row.notes[index] if row.notes else "" for row in rows) if noted else ()


@dataclass(frozen=True)
class _Layout:
    """Where things are; `captions`, `notes` and `row_notes` are wrapped to their column."""

    scale: int
    columns: int
    bands: int
    left: int  # where the first image begins
    column_width: int
    row_height: int
    captions: ColumnTexts
    notes: ColumnTexts
    row_notes: list[ColumnTexts]
    """Of each row."""
    begins: list[bool]
    """Of each row, whether there is a space above it."""

    @property
    def width(self) -> int:
        return self.left + self.columns * self.column_width - GAP + MARGIN

    @property
    def captions_height(self) -> int:
        return _texts_height(self.captions)

    @property
    def band_height(self) -> int:
        return self.captions_height + self.row_top(len(self.row_notes)) + _texts_height(self.notes) + SPACE

    def row_top(self, row: int) -> int:
        """How far below the first row another begins; the number of rows gives the foot of the last."""
        notes = sum(_texts_height(texts) for texts in self.row_notes[:row])
        return row * self.row_height + notes + SPACE * sum(self.begins[1 : row + 1])


def _layout(rows: Sequence[ImageRow], *, captions: ColumnTexts, notes: ColumnTexts) -> _Layout:
    count, image_height, image_width = rows[0].pixels.shape[:3]
    labels = [*(row.label for row in rows), captions.label, notes.label]
    left = MARGIN + max(text_width(label, LABEL) for label in labels) + SPACE
    row_notes = [ColumnTexts("", row.notes) for row in rows]
    texts = [text for part in (captions, notes, *row_notes) for text in part.texts]
    word = max(*(_word_width(text) for text in texts), _heading_width(captions), 0)
    columns = _columns(count, room=MAX_WIDTH - left - MARGIN, width=image_width, height=image_height, word=word)
    bands = -(-count // columns)
    columns = -(-count // bands)  # as many in each band, but for the last
    texts_height = 3 * block_height("0", SMALL) + 2 * SPACE  # about: they are wrapped once the scale is known
    texts_height += sum(block_height("0", SMALL) + GAP for row in rows if row.notes)
    room = (MAX_WIDTH - left - MARGIN) // columns - GAP, (MAX_HEIGHT // bands - texts_height) // len(rows) - GAP
    least = _least_scale(image_height, image_width)
    label_height = max(block_height(row.label, LABEL) for row in rows)
    # However little room there is, images may be as high as the labels beside them, and half as wide as their headings.
    least = max(least, min(label_height // image_height, room[0] // image_width), word // 2 // image_width)
    scale = max(least, min(room[0] // image_width, room[1] // image_height, MAX_SIDE // max(image_height, image_width)))
    column_width = max(scale * image_width + GAP, word + BETWEEN)
    return _Layout(
        scale=scale,
        columns=columns,
        bands=bands,
        left=left,
        column_width=column_width,
        row_height=max(scale * image_height, label_height) + GAP,
        captions=_wrapped_texts(captions, width=column_width - BETWEEN),
        notes=_wrapped_texts(notes, width=column_width - BETWEEN),
        row_notes=[_wrapped_texts(part, width=column_width - BETWEEN) for part in row_notes],
        begins=[row.begins for row in rows],
    )


def _columns(count: int, *, room: int, width: int, height: int, word: int) -> int:
    """How many columns fit when the images are as small as may be."""
    least = max(_least_scale(height, width) * width + GAP, word + BETWEEN)
    return min(count, max(1, (room + GAP) // least))


def _least_scale(height: int, width: int) -> int:
    return -(-MIN_SIDE // max(height, width))


def _word_width(text: str) -> int:
    """The width of the longest part of a text that is not broken."""
    return max((min(MAX_WORD, text_width(piece.strip(), SMALL)) for piece in pieces(text)), default=0)


def _heading_width(captions: ColumnTexts) -> int:
    """How wide columns have to be for captions of many words to be of few lines."""
    for width in range(MAX_WORD, MAX_HEADING, SPACE):
        written = _wrapped_texts(captions, width=width).texts
        if all(len(text.splitlines()) <= HEADING_LINES for text in written):
            return width if width > MAX_WORD else 0
    return MAX_HEADING


def _wrapped_texts(texts: ColumnTexts, *, width: int) -> ColumnTexts:
    return ColumnTexts(texts.label, tuple(wrapped(text, width=width, size=SMALL) for text in texts.texts))


def _texts_height(texts: ColumnTexts) -> int:
    height = max((block_height(text, SMALL) for text in texts.texts), default=0)
    return height + GAP if height else 0


def _draw_band(page: Page, rows: Sequence[ImageRow], *, layout: _Layout, band: int, top: int) -> None:
    first = band * layout.columns
    chosen = range(first, min(first + layout.columns, len(rows[0].pixels)))
    images_top = top + layout.captions_height
    notes_top = images_top + layout.row_top(len(rows))
    _draw_texts(page, layout.captions, chosen=chosen, layout=layout, y=images_top - GAP, vertical="bottom")
    _draw_texts(page, layout.notes, chosen=chosen, layout=layout, y=notes_top, vertical="top")
    image_height, image_width = (layout.scale * size for size in rows[0].pixels.shape[1:3])
    inset = (layout.column_width - GAP - image_width) // 2
    drop = (layout.row_height - GAP - image_height) // 2
    for row_number, row in enumerate(rows):
        row_top = images_top + layout.row_top(row_number) + drop
        middle = row_top + image_height / 2
        page.text(row.label, x=layout.left - SPACE, y=middle, size=LABEL, horizontal="right", vertical="center")
        for column, index in enumerate(chosen):
            left = layout.left + column * layout.column_width + inset
            page.image(row.pixels[index], left=left, top=row_top, scale=layout.scale)
        under = images_top + layout.row_top(row_number) + layout.row_height
        _draw_texts(page, layout.row_notes[row_number], chosen=chosen, layout=layout, y=under, vertical="top")


def _draw_texts(page: Page, texts: ColumnTexts, *, chosen: range, layout: _Layout, y: int, vertical: str) -> None:
    if not texts.texts:
        return
    page.text(texts.label, x=layout.left - SPACE, y=y, size=SMALL, horizontal="right", vertical=vertical)
    for column, index in enumerate(chosen):
        middle = layout.left + column * layout.column_width + (layout.column_width - GAP) / 2
        page.text(texts.texts[index], x=middle, y=y, size=SMALL, horizontal="center", vertical=vertical)


def _draw_color_bar(page: Page, scale: ColorScale, *, label: str, left: int, top: int) -> None:
    width = min(BAR_WIDTH, page.width - left - MARGIN)
    axes = page.figure.add_axes(page.rectangle(left=left, top=top, width=width, height=BAR_HEIGHT))
    values = ScalarMappable(Normalize(scale.low, scale.high), cmap=scale.colors)
    ticks = MaxNLocator(nbins=5, steps=[1, 2, 5, 10])
    bar = page.figure.colorbar(values, cax=axes, orientation="horizontal", ticks=ticks)
    bar.outline.set_edgecolor(axes.spines["left"].get_edgecolor())
    page.text(label, x=left, y=top + BAR_HEIGHT + SPACE + block_height("0", SMALL), size=SMALL)
