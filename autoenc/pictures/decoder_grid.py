"""The decoder over a grid of codes: a map of a plane, or a strip of a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autoenc.pictures.code_axes import Box, ticks
from autoenc.pictures.image_pixels import as_pixels, check_images, remark
from autoenc.pictures.page import LABEL, SMALL, Page, line_height, text_width
from autoenc.pictures.panels import GUTTER, SPACE, panel_page
from autoenc.pictures.picture import Panel, Picture

MAX_WIDTH, MAX_HEIGHT = 2100, 1150  # of all maps beside one another, and of one; passed where a pixel would be lost
MOST_COLUMNS = 3
LEFT_ABOUT = 110  # what the axis left of a map takes, about: it is measured once the scale is known


@dataclass(frozen=True, kw_only=True, eq=False)
class DecoderGrid(Picture):
    """Decoded codes on a grid, evenly spaced."""

    kind: ClassVar[str] = "decoder_grid"

    images: NDArray[Any]
    """(R, S, C, H, W) in [0, 1] scale; the first row is that of the highest second number. One row for a line."""
    across: NDArray[Any]
    """(S,): the codes' first number, rising."""
    up: NDArray[Any]
    """(R,): the codes' second number, falling; of a line (1,), and means nothing."""
    code_size: int
    """1 or 2."""

    def __post_init__(self) -> None:
        check_images(self.images, name="images", dimensions=5)
        if self.images.shape[:2] != (len(self.up), len(self.across)):
            raise ValueError(f"images: expected {len(self.up)} x {len(self.across)} of them, not {self.images.shape}")
        if self.code_size not in (1, 2) or (self.code_size == 1 and len(self.up) != 1):
            raise ValueError(f"code_size={self.code_size}: expected 1 with a single row, or 2")

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """A map for each panel, on axes with the codes; each panel's axes are its own."""
        pictures = [panel.picture for panel in panels]
        columns = 1 if all(picture.code_size == 1 for picture in pictures) else min(len(panels), MOST_COLUMNS)
        maps = [_Map.of(picture) for picture in pictures]
        widest = max(found.pixels.shape[1] for found in maps) + LEFT_ABOUT + GUTTER
        columns = max(1, min(columns, (MAX_WIDTH + GUTTER) // widest))
        scale = _scale(maps, columns=columns)
        left = max(found.left(scale=scale) for found in maps)
        page = panel_page(
            [panel.label for panel in panels],
            width=left + scale * max(found.pixels.shape[1] for found in maps),
            height=scale * max(found.pixels.shape[0] for found in maps) + FOOT,
            columns=columns,
            title=title,
            line=_line(pictures),
        )
        for found, corner in zip(maps, page.corners, strict=True):
            found.draw(page.page, left=corner.left + left, top=corner.top, scale=scale)
        return page.page.figure


FOOT = 2 * SPACE + line_height(SMALL) + line_height(LABEL)  # below a map: ticks and the axis's name


class _Map(NamedTuple):
    """All images of a panel as one, without gaps: pixels (H, W, 3), and the codes at its edges."""

    pixels: NDArray[np.uint8]
    across: tuple[float, float]
    up: tuple[float, float]
    code_size: int

    @classmethod
    def of(cls, picture: DecoderGrid) -> _Map:
        pixels = as_pixels(picture.images)  # (R, S, H, W, 3)
        rows, columns, height, width = pixels.shape[:4]
        mosaic = pixels.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3)
        return cls(mosaic, _edges(picture.across), _edges(picture.up[::-1]), picture.code_size)

    def left(self, *, scale: int) -> int:
        """What the second number's ticks and name need."""
        if self.code_size == 1:
            return 0
        written = ticks(*self.up, pixels=scale * self.pixels.shape[0])[1]
        return line_height(LABEL) + 2 * SPACE + max(text_width(text, SMALL) for text in written)

    def draw(self, page: Page, *, left: int, top: int, scale: int) -> None:
        height, width = (scale * size for size in self.pixels.shape[:2])
        page.image(self.pixels, left=left, top=top, scale=scale)
        axes = Box(left, top, width, height).axes(page)
        axes.set_facecolor("none")
        axes.spines[:].set_visible(False)  # the image has a frame
        axes.set_xlim(*self.across)
        axes.set_xticks(*ticks(*self.across, pixels=width))
        axes.set_xlabel("code 1")
        axes.set_ylim(*self.up)
        axes.set_yticks([])
        if self.code_size == 2:
            axes.set_yticks(*ticks(*self.up, pixels=height))
            axes.set_ylabel("code 2")


def _edges(values: NDArray[Any]) -> tuple[float, float]:
    """Where a row of images begins and ends whose middles are at these rising values."""
    first, last = float(values[0]), float(values[-1])
    half = (last - first) / (len(values) - 1) / 2 if last > first else 0.5
    return first - half, last + half


def _scale(maps: Sequence[_Map], *, columns: int) -> int:
    """Pixels of the page to a pixel of an image: as many as leave room, and at least one."""
    width, height = (max(found.pixels.shape[axis] for found in maps) for axis in (1, 0))
    room = (MAX_WIDTH - (columns - 1) * GUTTER) // columns - LEFT_ABOUT
    scale: int = max(1, min(room // width, MAX_HEIGHT // height))
    return scale


def _line(pictures: Sequence[DecoderGrid]) -> str:
    along = "on a grid" if any(picture.code_size == 2 for picture in pictures) else "in a row"
    own = " Each panel has axes of its own." if len(pictures) > 1 else ""
    said = remark(*(picture.images for picture in pictures))
    return (
        f"Decoded codes {along}, over the central 95 % of the test images' codes in each direction.{own} {said}".strip()
    )
