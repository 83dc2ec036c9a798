"""Half the resolution and back: the steps that every convolutional architecture is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

Size = tuple[int, int]
"""(H, W)."""

Upsampling = Literal["transposed", "nearest", "bilinear", "pixel_shuffle"]
"""How a step up doubles the resolution:

- `transposed`: a transposed convolution 3 x 3 of stride 2. Its kernels overlap unevenly, on every other row and column,
  which leaves checkerboards (Odena et al. 2016, Distill, "Deconvolution and checkerboard artifacts").
- `nearest`, `bilinear`: every pixel four times, or interpolated, and a convolution 3 x 3 after that (the same, section
  "Better upsampling").
- `pixel_shuffle`: a convolution 3 x 3 to four times the channels, which become the four pixels of each (Shi et al.
  2016, CVPR, section 3.2); see `SubPixelConv2d`.

All have as many weights, but for `pixel_shuffle`, which has four times as many.
"""


def halved_sizes(size: Sequence[int], *, times: int) -> list[Size]:
    """The sizes that `times` steps down lead through, from `size` on: each half of the one before, rounded up."""
    height, width = size
    sizes = [(height, width)]
    for _ in range(times):
        height, width = (height + 1) // 2, (width + 1) // 2
        sizes.append((height, width))
    return sizes


def step_down(inputs: int, outputs: int, *, bias: bool = True) -> nn.Conv2d:
    """A convolution from (B, inputs, H, W) to half the size, rounded up."""
    return nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=bias)


def step_up(
    inputs: int, outputs: int, *, small: Size, large: Size, upsampling: Upsampling, bias: bool = True
) -> list[nn.Module]:
    """Layers from (B, inputs, *small) to (B, outputs, *large), where half of `large`, rounded up, is `small`."""
    return _STEPS_UP[upsampling](_Step(inputs, outputs, small, large, bias))


class Crop(nn.Module):
    """The upper left corner of a map: what is left where the doubled size is one too large."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, *size)."""
        return maps[..., : self.size[0], : self.size[1]]

    def extra_repr(self) -> str:
        """What `print` tells of it."""
        return f"{self.size}"


class SubPixelConv2d(nn.Conv2d):
    """A convolution 3 x 3 to four times the channels, which are rearranged into twice the resolution.

    Four kernels stand beside one another for each output channel; `architectures.initialization` starts them out equal.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__(inputs, 4 * outputs, 3, padding=1, bias=bias)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name for it
        """(B, inputs, H, W) to (B, outputs, 2 H, 2 W)."""
        return F.pixel_shuffle(super().forward(input), 2)


class _Step(NamedTuple):
    """A step up: channels before and after, sizes before and after."""

    inputs: int
    outputs: int
    small: Size
    large: Size
    bias: bool

    def convolution(self) -> nn.Conv2d:
        """From the channels before to those after, at any size."""
        return nn.Conv2d(self.inputs, self.outputs, 3, padding=1, bias=self.bias)

    def crop(self) -> list[nn.Module]:
        """From twice `small` to `large`."""
        return [] if self.large == (2 * self.small[0], 2 * self.small[1]) else [Crop(self.large)]


def _transposed(step: _Step) -> list[nn.Module]:
    # A transposed convolution of this kind gives 2 n - 1 pixels from n, plus the output padding.
    padding = (step.large[0] - (2 * step.small[0] - 1), step.large[1] - (2 * step.small[1] - 1))
    return [
        nn.ConvTranspose2d(step.inputs, step.outputs, 3, stride=2, padding=1, output_padding=padding, bias=step.bias)
    ]


def _nearest(step: _Step) -> list[nn.Module]:
    return [nn.Upsample(scale_factor=2, mode="nearest"), *step.crop(), step.convolution()]


def _bilinear(step: _Step) -> list[nn.Module]:
    return [nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False), *step.crop(), step.convolution()]


def _pixel_shuffle(step: _Step) -> list[nn.Module]:
    return [SubPixelConv2d(step.inputs, step.outputs, bias=step.bias), *step.crop()]


_STEPS_UP: dict[Upsampling, Callable[[_Step], list[nn.Module]]] = {
    "transposed": _transposed,
    "nearest": _nearest,
    "bilinear": _bilinear,
    "pixel_shuffle": _pixel_shuffle,
}
