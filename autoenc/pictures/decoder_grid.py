"""The decoder over a grid of codes: a map of a plane, or a strip of a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from autoenc.pictures.code_axes import Box, ticks
from autoenc.pictures.image_pixels import as_pixels, remark
from autoenc.pictures.page import LABEL, MARGIN, MOST_PAGE_WIDTH, SMALL, Page, line_height, text_width
from autoenc.pictures.panels import GUTTER, SPACE, panel_page
from autoenc.pictures.picture import Panel, Picture, columns_of, noted

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from autoenc.pictures.subject import Subject

STEPS = 20
MOST_BESIDE = 10  # along a side of the grid, next to other runs' and on slides
MOST_PIXELS = 1600  # along a side of the grid: of large images there are fewer

# Of all maps side by side, and of one; exceeded where a pixel would be lost.
MAX_WIDTH, MAX_HEIGHT = MOST_PAGE_WIDTH - 2 * MARGIN, 1150
LEFT_ABOUT = 110  # what the axis left of a map takes, about: it is measured once the scale is known
FOOT = 2 * SPACE + line_height(SMALL) + line_height(LABEL)  # below a map: ticks and the axis's name


@dataclass(frozen=True, kw_only=True, eq=False)
class DecoderGrid(Picture):
    """Decoded codes on a grid, evenly spaced."""

    images: NDArray[Any]
    """(R, S, C, H, W) in [0, 1] scale. The first row has the highest second number. One row for codes of one number."""
    across: NDArray[Any]
    """(S,): the codes' first number, rising."""
    up: NDArray[Any]
    """(R,): the codes' second number, falling; (1,) and unused for codes of one number."""
    code_size: int
    """1 or 2."""
    notes: tuple[str, ...] = ()
    """Sentences on the codes."""

    @classmethod
    def measure(cls, subject: Subject) -> Self | None:
        """Decode 20 x 20 codes over the central 95 % of the test codes' two numbers, or 20 codes of one number.

        None if codes have more than two numbers, or none is finite.
        """
        import torch

        from autoenc.pictures.code_space import central_range
        from autoenc.pictures.subject import stored

        codes = subject.finite_test_codes
        size = codes.shape[1]
        if size > 2 or not len(codes):
            return None
        steps = max(2, min(STEPS, MOST_PIXELS // max(subject.splits.image_shape[1:])))
        low, high = central_range(codes)  # (code_size,) each
        across = _even(low[0], high[0], steps=steps)
        up = _even(low[1], high[1], steps=steps).flip(0) if size == 2 else torch.zeros(1)
        grid = torch.cartesian_prod(up, across).flip(1)  # (R * S, 2), row by row: the second number falls
        images = subject.decode(grid[:, :size].contiguous())
        return cls(
            images=stored(images).reshape(len(up), len(across), *images.shape[1:]),
            across=across.numpy(),
            up=up.numpy(),
            code_size=size,
            notes=subject.code_notes,
        )

    def own_figure(self, *, title: str) -> Figure:
        """Draw the whole map, on axes with the codes."""
        return _figure([Panel("", self)], title=title)

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """Draw a map for each panel, on its own axes with the codes; of large ones every other image or fewer."""
        return _figure([Panel(label, picture.thinned()) for label, picture in panels], title=title)

    def thinned(self) -> Self:
        """The same map with at most 10 images along a side."""
        step = -(-len(self.across) // MOST_BESIDE)
        return replace(self, images=self.images[::step, ::step], across=self.across[::step], up=self.up[::step])


def _figure(panels: Sequence[Panel[DecoderGrid]], *, title: str) -> Figure:
    pictures = [panel.picture for panel in panels]
    mosaics = [_mosaic(picture.images) for picture in pictures]
    height, width = (max(mosaic.shape[axis] for mosaic in mosaics) for axis in (0, 1))
    columns = 1 if all(picture.code_size == 1 for picture in pictures) else columns_of(panels)
    columns = max(1, min(columns, (MAX_WIDTH + GUTTER) // (width + LEFT_ABOUT + GUTTER)))
    room = (MAX_WIDTH - (columns - 1) * GUTTER) // columns - LEFT_ABOUT
    scale = max(1, min(room // width, MAX_HEIGHT // height))
    left = max(_axis_width(picture, height=scale * len(m)) for picture, m in zip(pictures, mosaics, strict=True))
    page, corners, _ = panel_page(
        [panel.label for panel in panels],
        width=left + scale * width,
        height=scale * height + FOOT,
        columns=columns,
        title=title,
        line=_line(pictures),
    )
    for picture, mosaic, corner in zip(pictures, mosaics, corners, strict=True):
        _draw(page, picture, mosaic, left=corner.left + left, top=corner.top, scale=scale)
    return page.figure


def _even(low: Tensor, high: Tensor, *, steps: int) -> Tensor:
    """Even steps from low to high, (steps,); around a number that never varies, from 0.5 below to 0.5 above."""
    import torch

    if high <= low:
        low, high = low - 0.5, high + 0.5
    return torch.linspace(float(low), float(high), steps)


def _mosaic(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Images (R, S, C, H, W) as the pixels of one, (R * H, S * W, 3), without gaps."""
    pixels = as_pixels(images)  # (R, S, H, W, 3)
    rows, columns, height, width = pixels.shape[:4]
    return pixels.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3)


def _axis_width(picture: DecoderGrid, *, height: int) -> int:
    """Pixels to the left of a map of this height, for the second number's ticks and name."""
    if picture.code_size == 1:
        return 0
    written = ticks(*_edges(picture.up[::-1]), pixels=height)[1]
    return line_height(LABEL) + 2 * SPACE + max(text_width(text, SMALL) for text in written)


def _draw(page: Page, picture: DecoderGrid, mosaic: NDArray[np.uint8], *, left: int, top: int, scale: int) -> None:
    height, width = (scale * size for size in mosaic.shape[:2])
    page.image(mosaic, left=left, top=top, scale=scale)
    axes = Box(left, top, width, height).axes(page)
    axes.set_facecolor("none")
    axes.spines[:].set_visible(False)  # the image has a frame
    across, up = _edges(picture.across), _edges(picture.up[::-1])
    axes.set_xlim(*across)
    axes.set_xticks(*ticks(*across, pixels=width))
    axes.set_xlabel("code 1")
    axes.set_ylim(*up)
    axes.set_yticks([])
    if picture.code_size == 2:
        axes.set_yticks(*ticks(*up, pixels=height))
        axes.set_ylabel("code 2")


def _edges(values: NDArray[Any]) -> tuple[float, float]:
    """Where a row of images begins and ends whose middles are at these rising values."""
    first, last = float(values[0]), float(values[-1])
    half = (last - first) / (len(values) - 1) / 2 if last > first else 0.5
    return first - half, last + half


def _line(pictures: Sequence[DecoderGrid]) -> str:
    along = "on a grid" if any(picture.code_size == 2 for picture in pictures) else "in a row"
    own = " Each panel has axes of its own." if len(pictures) > 1 else ""
    said = remark(*(picture.images for picture in pictures))
    codes = f"Decoded codes {along}, over the central 95 % of the test images' codes in each direction."
    return " ".join([f"{codes}{own}", *noted(pictures), said]).strip()
