"""Noise that depends on a pixel's position: blur and occlusion. All channels are treated alike."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Le
from torch import Tensor
from torch.nn import functional

from autoenc.data.noise.corruption import Corruption, ScaledNoise, all_or_none
from autoenc.settings import Probability

BlurWidth = Annotated[float, Ge(0), Le(100)]  # pixels; each border is extended by four times as many


@dataclass(frozen=True, kw_only=True)
class Blur(ScaledNoise):
    """`noise=blur`: a Gaussian blur of standard deviation `std`, in pixels, in each channel; nothing is drawn.

    The kernel is exp(-d^2 / (2 std^2)) at whole distances d up to 4 std (rounded, halves upwards), divided by its sum.
    Border pixels are repeated beyond the border. A blurred channel stays between its own darkest and brightest value.
    Every pixel is corrupted. With `std` under 1/8 the kernel is a single pixel: nothing changes or counts as corrupted.

    Computed in the type of the images, also under autocast. A GPU may use TF32, with errors of up to 1/1000.
    """

    strength: ClassVar[str] = "std"
    std: BlurWidth

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Corruption:  # noqa: ARG002
        """(B, C, H, W)."""
        radius = math.floor(4 * self.std + 0.5)
        if radius == 0:
            return Corruption(images, all_or_none(images, corrupted=False))
        distances = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
        kernel = (distances / self.std).square().mul_(-0.5).exp_()
        blurred = _convolved(images, kernel.div_(kernel.sum()))
        # An average of pixels lies between them; keep rounding from moving it outside.
        darkest, brightest = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)  # (B, C, 1, 1)
        blurred = torch.clamp(blurred, darkest, brightest, out=torch.empty_like(images))  # in its memory format
        return Corruption(blurred, all_or_none(images, corrupted=True))


@dataclass(frozen=True, kw_only=True)
class Occlusion(ScaledNoise):
    """`noise=occlusion`: one patch of each image, in all channels, gets the brightness `value`.

    The sides of the patch are `size` times those of the image, rounded to whole pixels (halves upwards), and at least
    one unless `size` is 0. Every position inside the image is equally likely. The pixels of the patch are corrupted,
    even if they had its value before.
    """

    strength: ClassVar[str] = "size"
    size: Probability
    value: Probability

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Corruption:
        """(B, C, H, W), in [0, 1]."""
        # Positions are drawn as shares: a larger patch stays at about the same place. In float32, because bfloat16
        # would miss positions.
        places = torch.rand((len(images), 2), dtype=torch.float32, generator=generator, device=images.device)
        rows = _stretch(places[:, :1], share=self.size, side=images.shape[2])  # (B, H)
        columns = _stretch(places[:, 1:], share=self.size, side=images.shape[3])  # (B, W)
        patch = rows[:, None, :, None] & columns[:, None, None, :]  # (B, 1, H, W)
        # A clone keeps the memory format of the images; `masked_fill` would not.
        return Corruption(images.clone().masked_fill_(patch, self.value), patch)


def _convolved(images: Tensor, kernel: Tensor) -> Tensor:
    """Images (B, C, H, W) convolved with `kernel` (K,) along rows and columns; the result may be not contiguous."""
    radius = len(kernel) // 2
    single = images.contiguous().flatten(0, 1).unsqueeze(1)  # (B * C, 1, H, W), the same for every memory format
    with torch.autocast(images.device.type, enabled=False):
        for _ in range(2):  # along the last dimension, then the other after the transpose
            continued = functional.pad(single, (radius, radius, 0, 0), mode="replicate")
            single = functional.conv2d(continued, kernel.view(1, 1, 1, -1)).transpose(2, 3)
    return single.reshape(images.shape)


def _stretch(place: Tensor, *, share: float, side: int) -> Tensor:
    """Which pixels of a line are inside the patch, (B, side): a `share` of them, at `place` (B, 1) in [0, 1)."""
    length = max(1, math.floor(share * side + 0.5)) if share > 0 else 0
    first = (place * (side - length + 1)).floor()
    pixels = torch.arange(side, device=place.device)
    return (pixels >= first) & (pixels < first + length)
