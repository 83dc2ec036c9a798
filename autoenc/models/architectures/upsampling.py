"""Steps of convolutional architectures: half the resolution, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from autoenc.models.architectures.matrix_products import DoublingConvTranspose2d

Size = tuple[int, int]
"""(H, W)."""

Upsampling = Literal["transposed", "nearest", "bilinear", "pixel_shuffle"]
"""How a step up doubles the resolution:

- `transposed`: a transposed convolution 3 x 3 of stride 2. Its kernels overlap on every other row and column, which
  leaves checkerboards (Odena et al. 2016, Distill, "Deconvolution and checkerboard artifacts").
- `nearest`, `bilinear`: each pixel four times, or interpolated, then a convolution 3 x 3 (the same source, section
  "Better upsampling").
- `pixel_shuffle`: a convolution 3 x 3 to four times the channels, which become the four pixels of each (Shi et al.
  2016, CVPR, section 3.2). It has four times as many weights as the others.
"""


def halved_sizes(size: Sequence[int], *, times: int) -> list[Size]:
    """`size` and the sizes after each of `times` steps down: half of the size before, rounded up."""
    height, width = size
    return [(-(-height // 2**step), -(-width // 2**step)) for step in range(times + 1)]


def step_down(inputs: int, outputs: int, *, bias: bool = True) -> nn.Conv2d:
    """A convolution from (B, inputs, H, W) to half the size, rounded up."""
    return nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=bias)


def step_up(
    inputs: int, outputs: int, *, small: Size, large: Size, upsampling: Upsampling, bias: bool = True
) -> list[nn.Module]:
    """Layers from (B, inputs, *small) to (B, outputs, *large), where half of `large`, rounded up, is `small`."""
    doubled = (2 * small[0], 2 * small[1])
    crop = [] if large == doubled else [Crop(large)]
    if upsampling == "transposed":
        # Without output padding, this transposed convolution gives 2 n - 1 pixels from n.
        padding = (large[0] - doubled[0] + 1, large[1] - doubled[1] + 1)
        return [DoublingConvTranspose2d(inputs, outputs, output_padding=padding, bias=bias)]
    if upsampling == "pixel_shuffle":
        return [SubPixelConv2d(inputs, outputs, bias=bias), *crop]
    doubling = nn.Upsample(scale_factor=2, mode=upsampling, align_corners=False if upsampling == "bilinear" else None)
    return [doubling, *crop, nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)]


class Crop(nn.Module):
    """The upper left corner of a map, for a doubled size that is one too large."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, *size)."""
        return maps[..., : self.size[0], : self.size[1]]

    def extra_repr(self) -> str:
        """For `print`."""
        return f"{self.size}"


class SubPixelConv2d(nn.Conv2d):
    """A convolution 3 x 3 to four times the channels, which are rearranged into twice the resolution.

    Each output channel has four consecutive kernels. `architectures.initialization` starts them equal.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__(inputs, 4 * outputs, 3, padding=1, bias=bias)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name for it
        """(B, inputs, H, W) to (B, outputs, 2 H, 2 W)."""
        return F.pixel_shuffle(super().forward(input), 2)
