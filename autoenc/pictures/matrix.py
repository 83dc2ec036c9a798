"""A convolution and its transpose, written as matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from autoenc.pictures.image_pixels import LEAST_HEIGHT, SIDE, ColorScale, draw_color_bar
from autoenc.pictures.page import SMALL, block_height, wrapped
from autoenc.pictures.panels import SPACE, panel_page
from autoenc.pictures.picture import Panel, Picture, columns_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from autoenc.pictures.subject import Subject

IMAGE_SIDE = 8  # pixels; a larger kernel has an image of its own size

ROOM = 1500  # pixels: the width of all panels in a row
ROOM_HEIGHT = 800
GAP = 48  # between the pictures of a panel
KERNEL_SIDE = 200  # pixels that a kernel is wide, about
MOST_SCALE = 16
LEAST_TEXT = 200  # pixels of width for the text under a picture
TIMES = "\N{NO-BREAK SPACE}\N{MULTIPLICATION SIGN}\N{NO-BREAK SPACE}"
LINE = (
    "The convolution as a matrix from the pixels of a small image to its outputs, next to the matrix of the transposed "
    "convolution with the same kernel, which maps back: one is the other, flipped over its diagonal. Every row of the "
    "first holds the kernel once, without the weights that lie beyond the image's edge. The kernel is the one with the "
    "largest norm in the encoder's first layer. Blue below 0, white 0, red above; biases are left out."
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Matrix(Picture):
    """Two matrices and the kernel they are made of."""

    derived: ClassVar[tuple[str, ...]] = ("deviation",)
    kernel: NDArray[np.float64]
    """(h, w), of one input channel and one output channel."""
    convolution: NDArray[np.float64]
    """(outputs, inputs): what it makes of an image (H, W) whose rows are laid end to end."""
    transposed: NDArray[np.float64]
    """(inputs, outputs)."""
    side: int
    """Of the image, in pixels: inputs = side * side."""
    stride: int
    padding: int

    @classmethod
    def measure(cls, subject: Subject) -> Self | None:
        """The kernel with the largest norm in the encoder's first layer, on one channel of a small image.

        None unless that layer is a convolution, padded with zeros and the same in both directions.
        """
        from torch import nn

        from autoenc.models.layers import weighted_layers

        _, layer = next(iter(weighted_layers(subject.model.encoder)), ("", None))
        if not isinstance(layer, nn.Conv2d) or layer.padding_mode != "zeros" or isinstance(layer.padding, str):
            return None
        geometry = (layer.stride, layer.padding, layer.dilation)
        if any(len(set(pair)) > 1 for pair in geometry):
            return None
        kernels = layer.weight.detach().cpu().double().flatten(0, 1)  # (outputs * inputs, h, w)
        stride, padding, dilation = (int(pair[0]) for pair in geometry)
        largest = kernels[kernels.flatten(1).norm(dim=1).argmax()]
        return cls.of(largest, stride=stride, padding=padding, dilation=dilation)

    @classmethod
    def of(cls, kernel: Tensor, *, stride: int, padding: int, dilation: int) -> Self:
        """The matrices of a kernel (h, w), in double precision.

        Each is found by applying the convolution, and the transposed convolution, to every image with a single 1.
        """
        import torch
        import torch.nn.functional as F

        def unit_images(height: int, width: int) -> Tensor:
            return torch.eye(height * width, dtype=torch.float64).reshape(-1, 1, height, width)

        side = max(IMAGE_SIDE, *(dilation * (length - 1) + 1 for length in kernel.shape))
        weight = kernel[None, None]
        seen = F.conv2d(unit_images(side, side), weight, stride=stride, padding=padding, dilation=dilation)
        height, width = seen.shape[2:]
        # With a stride, images of several sizes have outputs of one size. So the way back has to be told the size.
        missing = [
            side - ((count - 1) * stride - 2 * padding + dilation * (length - 1) + 1)
            for count, length in zip((height, width), kernel.shape, strict=True)
        ]
        images = unit_images(height, width)
        back = F.conv_transpose2d(
            images, weight, stride=stride, padding=padding, dilation=dilation, output_padding=missing
        )
        return cls(
            kernel=kernel.numpy(),
            convolution=seen.flatten(1).T.numpy().copy(),
            transposed=back.flatten(1).T.numpy().copy(),
            side=side,
            stride=stride,
            padding=padding,
        )

    @property
    def deviation(self) -> float:
        """The largest difference between an entry of the one matrix and that of the other's transpose."""
        return float(np.abs(self.convolution - self.transposed.T).max())

    @property
    def remark(self) -> str:
        """The numbers in words."""
        kernel, image = (f"{height}{TIMES}{width}" for height, width in (self.kernel.shape, (self.side, self.side)))
        geometry = f"kernel {kernel}, stride {self.stride}, padding {self.padding}, image {image}"
        if not self.deviation:
            return geometry
        return f"{geometry}\nlargest deviation from the other's transpose:\N{NO-BREAK SPACE}{self.deviation:.1e}"

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """Draw the kernel and both matrices of each panel, all on one scale."""
        columns = columns_of(panels)
        drawn = [_pieces(panel.picture, width=ROOM // columns) for panel in panels]
        heights = [max(piece.bottom for piece in pieces) for pieces in drawn]
        limit = max(float(np.abs(panel.picture.kernel).max()) for panel in panels) or 1.0
        scale = ColorScale("weight", "RdBu_r", low=-limit, high=limit)
        page, corners, side = panel_page(
            [panel.heading for panel in panels],
            width=max(piece.right for pieces in drawn for piece in pieces),
            height=max(LEAST_HEIGHT, *heights),
            columns=columns,
            title=title,
            line=LINE,
            side=SIDE,
        )
        for pieces, corner in zip(drawn, corners, strict=True):
            for piece in pieces:
                left, top = corner.left + piece.left, corner.top + piece.top
                pixels = scale.pixels(np.nan_to_num(piece.values).clip(scale.low, scale.high))
                page.image(pixels, left=left, top=top, scale=piece.scale)
                page.text(piece.text, x=left, y=corner.top + piece.foot, size=SMALL)
        draw_color_bar(page, scale, left=side.left, top=side.top, height=min(500, heights[0]))
        return page.figure


class _Piece(NamedTuple):
    """One of a panel's three images and the text under it; lengths in pixels of the page, places within the panel."""

    values: NDArray[np.float64]
    scale: int
    left: int
    top: int
    text: str

    @property
    def right(self) -> int:
        return self.left + max(self.scale * int(self.values.shape[1]), LEAST_TEXT)

    @property
    def foot(self) -> int:
        return int(self.top + self.scale * self.values.shape[0]) + SPACE // 2

    @property
    def bottom(self) -> int:
        return self.foot + block_height(self.text, SMALL)


def _pieces(picture: Matrix, *, width: int) -> list[_Piece]:
    """The convolution, the kernel below it, and the transposed convolution to the right of both."""
    outputs, inputs = picture.convolution.shape
    scale = max(1, min((width - GAP) // (inputs + outputs), ROOM_HEIGHT // max(inputs, outputs), MOST_SCALE))

    def piece(values: NDArray[np.float64], text: str, *, scale: int, left: int = 0, top: int = 0) -> _Piece:
        room = max(scale * values.shape[1], LEAST_TEXT)
        return _Piece(values, scale, left, top, wrapped(text, width=room, size=SMALL))

    text = f"convolution: {outputs} numbers (down) from {inputs} pixels (across)"
    convolution = piece(picture.convolution, text, scale=scale)
    kernel_scale = max(1, KERNEL_SIDE // max(picture.kernel.shape))
    kernel = piece(picture.kernel, "the kernel", scale=kernel_scale, top=convolution.bottom + GAP // 2)
    text = f"transposed convolution: {inputs} pixels (down) from {outputs} numbers (across)"
    left = convolution.right + GAP
    transposed = piece(picture.transposed, text, scale=scale, left=left)
    return [convolution, kernel, transposed]
