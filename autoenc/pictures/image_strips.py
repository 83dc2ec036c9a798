"""Blocks of images in strips, several blocks on a page, for images that are not in plain columns.

All lengths are pixels of the page. As in `image_grid`, each pixel of an image becomes a square of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.pictures.page import LABEL, MARGIN, MOST_PAGE_WIDTH, SMALL, Page, block_height, text_width
from autoenc.pictures.panels import GUTTER, SPACE, Corner, panel_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_WIDTH, MAX_HEIGHT = MOST_PAGE_WIDTH - 2 * MARGIN, 1000  # of all blocks, unless images would fall below MIN_SIDE
MOST_WIDTH = MAX_WIDTH  # blocks that would be wider move below the others
MIN_SIDE, MAX_SIDE = 28, 128  # of an image, its longer side, but no less than its pixels
GAP = 3  # between images
APART = 18  # between groups


@dataclass(frozen=True)
class Strip:
    """Groups of images (N, H, W, 3) in a row, with a label on their left and one on their right."""

    groups: tuple[NDArray[np.uint8], ...]
    label: str = ""
    end_label: str = ""


@dataclass(frozen=True)
class Block:
    """Strips under one another with the same groups; a strip may be shorter."""

    heading: str
    strips: tuple[Strip, ...]
    captions: tuple[tuple[str, ...], ...] = ()
    """Above the images, one for each in each group, or none at all. Neighbours of long ones have to be empty."""


def image_strips(blocks: Sequence[Block], *, columns: int, title: str, line: str) -> Figure:
    """Draw the blocks, at most `columns` of them in a row, below a `line` of explanation; call it in `house_style`.

    Raises:
        ValueError: the images have different sizes.
    """
    sizes = {group.shape[1:3] for block in blocks for strip in block.strips for group in strip.groups}
    if len(sizes) > 1:
        raise ValueError(f"the images beside one another have different sizes: {sorted(sizes)}")
    columns = min(columns, len(blocks))
    while columns > 1 and columns * _layout(blocks, columns=columns).width > MOST_WIDTH:
        columns -= 1
    layout = _layout(blocks, columns=columns)
    page, corners, _ = panel_page(
        [block.heading for block in blocks],
        width=layout.width,
        height=layout.height,
        columns=columns,
        title=title,
        line=line,
    )
    for block, corner in zip(blocks, corners, strict=True):
        _draw_block(page, block, layout=layout, corner=corner)
    return page.figure


class _Layout(NamedTuple):
    """Sizes that all blocks share."""

    scale: int
    counts: tuple[int, ...]
    """The number of images in each group."""
    column: int
    """From an image to the next, like `row`."""
    row: int
    left: int
    """The width of the labels, with the space after them."""
    head: int
    width: int
    height: int

    def place(self, group: int, index: int) -> int:
        """The left edge of an image in a block."""
        return self.left + (sum(self.counts[:group]) + index) * self.column + group * APART


def _layout(blocks: Sequence[Block], *, columns: int) -> _Layout:
    strips = [strip for block in blocks for strip in block.strips]
    groups = max(len(strip.groups) for strip in strips)
    counts = tuple(max(len(group) for strip in strips for group in strip.groups[at : at + 1]) for at in range(groups))
    rows, bands = max(len(block.strips) for block in blocks), -(-len(blocks) // columns)
    captions = [caption for block in blocks for group in block.captions for caption in group]
    head = max((block_height(caption, SMALL) + GAP for caption in captions if caption), default=0)
    labels = max(text_width(strip.label, LABEL) for strip in strips)
    ends = max(text_width(strip.end_label, LABEL) for strip in strips)
    left, right = (width + SPACE if width else 0 for width in (labels, ends))
    spaces = (groups - 1) * APART
    room = (MAX_WIDTH - (columns - 1) * GUTTER) // columns - left - right - spaces
    height, width = strips[0].groups[0].shape[1:3]
    label_height = max(block_height(strip.label, LABEL) for strip in strips)
    least = max(-(-MIN_SIDE // max(height, width)), -(-label_height // height))
    across, down = room // sum(counts) - GAP, MAX_HEIGHT // bands // rows - GAP
    scale = max(least, min(across // width, down // height, MAX_SIDE // max(height, width)))
    column, row = scale * width + GAP, scale * height + GAP
    inner = left + sum(counts) * column - GAP + spaces + right
    return _Layout(scale, counts, column, row, left, head, inner, head + rows * row - GAP)


def _draw_block(page: Page, block: Block, *, layout: _Layout, corner: Corner) -> None:
    first = corner.top + layout.head
    for group, captions in enumerate(block.captions):
        for index, caption in enumerate(captions):
            middle = corner.left + layout.place(group, index) + (layout.column - GAP) / 2
            page.text(caption, x=middle, y=first - GAP, size=SMALL, horizontal="center", vertical="bottom")
    left, right = corner.left + layout.left, corner.left + layout.place(len(layout.counts) - 1, layout.counts[-1]) - GAP
    for number, strip in enumerate(block.strips):
        top = first + number * layout.row
        middle = top + (layout.row - GAP) / 2
        page.text(strip.label, x=left - SPACE, y=middle, size=LABEL, horizontal="right", vertical="center")
        page.text(strip.end_label, x=right + SPACE, y=middle, size=LABEL, vertical="center")
        for group, images in enumerate(strip.groups):
            for index, image in enumerate(images):
                page.image(image, left=corner.left + layout.place(group, index), top=top, scale=layout.scale)
