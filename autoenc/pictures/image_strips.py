"""Blocks of images in strips, several blocks on a page, for images that are not in plain columns.

All lengths are pixels of the page. As in `image_grid`, each pixel of an image becomes a square of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autoenc.pictures.page import LABEL, SMALL, Page, block_height, line_height, text_width
from autoenc.pictures.panels import GUTTER, SPACE, Corner, panel_page

MAX_WIDTH, MAX_HEIGHT = 2100, 1200  # of the page and of all blocks; passed where images would be below MIN_SIDE
MOST_WIDTH = 2400  # of blocks that do not fit: of a page wider than that, some go below the others
MIN_SIDE, MAX_SIDE = 28, 128  # of an image, its longer side; never less than its pixels
GAP = 3  # between images
APART = 18  # between groups


@dataclass(frozen=True)
class Strip:
    """Groups of images (N, H, W, 3) in a row, with a label at their left, and one at their right."""

    groups: tuple[NDArray[np.uint8], ...]
    label: str = ""
    end_label: str = ""


@dataclass(frozen=True)
class Block:
    """Strips under one another, the same groups in all of them but where a strip is shorter."""

    heading: str
    strips: tuple[Strip, ...]
    captions: tuple[tuple[str, ...], ...] = ()
    """Over the images: one for each in each group, or none at all; a long one needs empty neighbours."""


def image_strips(blocks: Sequence[Block], *, columns: int, title: str, line: str) -> Figure:
    """The blocks as a picture, at most `columns` of them beside one another; `line` says what is seen.

    To be made inside `house_style`.

    Raises:
        ValueError: the images are not all of one shape.
    """
    sizes = {group.shape[1:3] for block in blocks for strip in block.strips for group in strip.groups}
    if len(sizes) > 1:
        raise ValueError(f"the images beside one another have different sizes: {sorted(sizes)}")
    columns = min(columns, len(blocks))
    measures = _measures(blocks, columns=columns)
    while columns > 1 and columns * measures.width > MOST_WIDTH:
        columns -= 1
        measures = _measures(blocks, columns=columns)
    page = panel_page(
        [block.heading for block in blocks],
        width=measures.width,
        height=measures.height,
        columns=columns,
        title=title,
        line=line,
    )
    for block, corner in zip(blocks, page.corners, strict=True):
        _draw_block(page.page, block, measures=measures, corner=corner)
    return page.page.figure


@dataclass(frozen=True)
class _Measures:
    """What all blocks have in common."""

    scale: int
    image_height: int
    image_width: int
    counts: tuple[int, ...]
    """Of images, by group."""
    rows: int
    left: int
    right: int
    head: int

    @property
    def column(self) -> int:
        return self.scale * self.image_width + GAP

    @property
    def row(self) -> int:
        return self.scale * self.image_height + GAP

    @property
    def width(self) -> int:
        return self.left + sum(self.counts) * self.column - GAP + (len(self.counts) - 1) * APART + self.right

    @property
    def height(self) -> int:
        return self.head + self.rows * self.row - GAP

    def place(self, group: int, index: int) -> int:
        """Where an image begins, from the block's left edge."""
        return self.left + (sum(self.counts[:group]) + index) * self.column + group * APART


def _measures(blocks: Sequence[Block], *, columns: int) -> _Measures:
    strips = [strip for block in blocks for strip in block.strips]
    groups = max(len(strip.groups) for strip in strips)
    counts = tuple(max(len(group) for strip in strips for group in strip.groups[at : at + 1]) for at in range(groups))
    image_height, image_width = strips[0].groups[0].shape[1:3]
    captions = [caption for block in blocks for group in block.captions for caption in group]
    head = max((block_height(caption, SMALL) for caption in captions), default=0)
    labels = max(text_width(strip.label, LABEL) for strip in strips)
    ends = max(text_width(strip.end_label, LABEL) for strip in strips)
    rows = max(len(block.strips) for block in blocks)
    left, right = (size + SPACE if size else 0 for size in (labels, ends))
    room = (MAX_WIDTH - (columns - 1) * GUTTER) // columns - left - right - (groups - 1) * APART
    bands = -(-len(blocks) // columns)
    longer = max(image_height, image_width)
    scale = min(
        (room // sum(counts) - GAP) // image_width,
        (MAX_HEIGHT // bands // rows - GAP) // image_height,
        MAX_SIDE // longer,
    )
    least = -(-MIN_SIDE // longer)
    label_lines = max(len(strip.label.splitlines()) for strip in strips)
    least = max(least, -(-label_lines * line_height(LABEL) // image_height))
    return _Measures(
        scale=max(scale, least),
        image_height=image_height,
        image_width=image_width,
        counts=counts,
        rows=rows,
        left=left,
        right=right,
        head=head + GAP if head else 0,
    )


def _draw_block(page: Page, block: Block, *, measures: _Measures, corner: Corner) -> None:
    first = corner.top + measures.head
    for group, captions in enumerate(block.captions):
        for index, caption in enumerate(captions):
            middle = corner.left + measures.place(group, index) + measures.scale * measures.image_width / 2
            page.text(caption, x=middle, y=first - GAP, size=SMALL, horizontal="center", vertical="bottom")
    for number, strip in enumerate(block.strips):
        top = first + number * measures.row
        middle = top + measures.scale * measures.image_height / 2
        left = corner.left + measures.left
        page.text(strip.label, x=left - SPACE, y=middle, size=LABEL, horizontal="right", vertical="center")
        for group, images in enumerate(strip.groups):
            for index, image in enumerate(images):
                place = corner.left + measures.place(group, index)
                page.image(image, left=place, top=top, scale=measures.scale)
        right = corner.left + measures.width - measures.right
        page.text(strip.end_label, x=right + SPACE, y=middle, size=LABEL, vertical="center")
