"""Images in another shape."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from autoenc.data.datasets.image_files import Resize

LUMA = torch.tensor((0.299, 0.587, 0.114)).view(1, 3, 1, 1)
"""Weights of red, green and blue in brightness: ITU-R BT.601, as in `read_picture`."""


def shaped(images: Tensor, *, image_shape: tuple[int, int, int], resize: Resize) -> Tensor:
    """Images (B, 1 or 3, H', W'), uint8 or floats in [0, 1], as (B, C, H, W) of the same type.

    `autoenc.data.datasets.image_files.read_picture` explains `resize`.
    """
    if images.shape[1:] == image_shape:
        return images
    channels, *size = image_shape
    found = _resized(_recoloured(images.float(), channels=channels), *size, resize=resize)
    return found.round().clamp(0, 255).to(torch.uint8) if images.dtype == torch.uint8 else found


def _resized(images: Tensor, height: int, width: int, *, resize: Resize) -> Tensor:
    """(B, C, H', W') as (B, C, H, W)."""
    if resize == "stretch":
        return _scaled(images, height=height, width=width)
    ratios = height / images.shape[2], width / images.shape[3]
    scale = max(ratios) if resize == "crop" else min(ratios)
    inner_height, inner_width = (max(1, round(size * scale)) for size in images.shape[2:])
    inner = _scaled(images, height=inner_height, width=inner_width)
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    # Negative padding crops.
    return F.pad(inner, (left, width - inner_width - left, top, height - inner_height - top))


def _recoloured(images: Tensor, *, channels: int) -> Tensor:
    """(B, 1 or 3, H, W) as (B, channels, H, W)."""
    if images.shape[1] == channels:
        return images
    return (images * LUMA).sum(1, keepdim=True) if channels == 1 else images.expand(-1, channels, -1, -1)


def _scaled(images: Tensor, *, height: int, width: int) -> Tensor:
    if images.shape[2:] == (height, width):
        return images
    # A triangular filter as wide as what it shrinks, like Pillow's.
    return F.interpolate(images, size=(height, width), mode="bilinear", antialias=True)
