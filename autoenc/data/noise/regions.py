"""Noise to which a pixel's place matters: what surrounds it, or what covers it. All channels are treated alike."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Le
from torch import Tensor
from torch.nn import functional

from autoenc.data.noise.corruption import Corruption, all_or_none, weakened

Share = Annotated[float, Ge(0), Le(1)]
BlurWidth = Annotated[float, Ge(0), Le(100)]  # in pixels; the border is continued by four times as many on each side


@dataclass(frozen=True, kw_only=True)
class Blur:
    """`noise=blur`: a Gaussian blur of standard deviation `std`, in pixels, in each channel; nothing is drawn.

    The kernel is exp(-d^2 / (2 std^2)) at the whole distances d up to 4 std (rounded, halves upwards), made to sum to
    1. Beyond the border the outermost pixel goes on. A blurred channel stays between its own darkest and brightest
    value, so within [0, 1]. Every pixel is corrupted, unless the kernel is a single pixel, as it is for a `std` under
    1/8: then none is, and none changes.

    Always done in the type of the images, also under autocast; a GPU may use TF32, which errs by 1/1000 at the most.
    """

    corrupts: ClassVar[bool] = True
    std: BlurWidth

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Corruption:  # noqa: ARG002
        """(B, C, H, W)."""
        radius = math.floor(4 * self.std + 0.5)
        if radius == 0:
            return Corruption(images, all_or_none(images, corrupted=False))
        distances = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
        kernel = (distances / self.std).square().mul_(-0.5).exp_()
        blurred = _convolved(images, kernel.div_(kernel.sum()))
        # A mean of pixels lies among them; rounding must not put it elsewhere.
        darkest, brightest = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)  # (B, C, 1, 1)
        blurred = torch.clamp(blurred, darkest, brightest, out=torch.empty_like(images))  # in its memory format
        return Corruption(blurred, all_or_none(images, corrupted=True))

    def at(self, severity: float) -> Blur:
        """With a part of the standard deviation."""
        return weakened(self, strength="std", severity=severity)


@dataclass(frozen=True, kw_only=True)
class Occlusion:
    """`noise=occlusion`: one patch of each image, in all channels, gets the brightness `value`.

    The patch has the image's proportions, and its sides are the share `size` of the image's, rounded to whole pixels
    (halves upwards), at least one, unless `size` is 0. It lies wholly inside the image, at every such place with the
    same probability. The corrupted pixels are those of the patch, though one may have had the patch's value.
    """

    corrupts: ClassVar[bool] = True
    size: Share
    value: Share

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Corruption:
        """(B, C, H, W), in [0, 1]."""
        # Places are drawn as shares, and in float32 whatever the images are: a patch that grows stays about where it
        # was, and no place is lost to coarse numbers.
        places = torch.rand((len(images), 2), dtype=torch.float32, generator=generator, device=images.device)
        rows = _stretch(places[:, :1], share=self.size, side=images.shape[2])  # (B, H)
        columns = _stretch(places[:, 1:], share=self.size, side=images.shape[3])  # (B, W)
        patch = rows[:, None, :, None] & columns[:, None, None, :]  # (B, 1, H, W)
        # Of a clone, which has the memory format of the images, as `masked_fill` would not.
        return Corruption(images.clone().masked_fill_(patch, self.value), patch)

    def at(self, severity: float) -> Occlusion:
        """With a part of the patch's sides, so the square of that part of its area."""
        return weakened(self, strength="size", severity=severity)


def _convolved(images: Tensor, kernel: Tensor) -> Tensor:
    """Images (B, C, H, W) convolved with `kernel` (K,) along rows and along columns, contiguous in the end or not."""
    radius = len(kernel) // 2
    single = images.contiguous().flatten(0, 1).unsqueeze(1)  # (B * C, 1, H, W), the same for every memory format
    with torch.autocast(images.device.type, enabled=False):
        for _ in range(2):  # along the last dimension, which is then the other one
            continued = functional.pad(single, (radius, radius, 0, 0), mode="replicate")
            single = functional.conv2d(continued, kernel.view(1, 1, 1, -1)).transpose(2, 3)
    return single.reshape(images.shape)


def _stretch(place: Tensor, *, share: float, side: int) -> Tensor:
    """Which pixels of a line of `side` are in a stretch of this share of it, (B, side), placed by (B, 1) in [0, 1)."""
    length = max(1, math.floor(share * side + 0.5)) if share > 0 else 0
    first = (place * (side - length + 1)).floor()
    pixels = torch.arange(side, device=place.device)
    return (pixels >= first) & (pixels < first + length)
