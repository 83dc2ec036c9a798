"""Images in [0, 1] as the bytes that stand on a page, and a word where that is not the whole truth."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def as_pixels(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Images (..., C, H, W) in [0, 1], with 1 or 3 channels, as (..., H, W, 3) bytes.

    What leaves [0, 1] is clipped, what is not a number is white.
    """
    shown = np.nan_to_num(images.astype(np.float64), nan=1).clip(0, 1)
    pixels = np.moveaxis(np.rint(255 * shown).astype(np.uint8), -3, -1)
    return np.broadcast_to(pixels, (*pixels.shape[:-1], 3))


def remark(*images: NDArray[Any]) -> str:
    """What `as_pixels` had to do to show these, in brackets; empty where they are shown as they are."""
    if any(np.isnan(part).any() for part in images):
        return "(not a number: white)"
    if any((part < 0).any() or (part > 1).any() for part in images):
        return "(clipped to 0…1)"
    return ""


def check_images(images: NDArray[Any], *, name: str, dimensions: int) -> None:
    """Refuse what is not an array of so many dimensions that ends in (C, H, W), with at least one image in it."""
    if images.ndim != dimensions or images.shape[-3] not in (1, 3) or images.size == 0:
        expected = "(" + "N, " * (dimensions - 3) + "C, H, W)"
        raise ValueError(f"{name}: expected images {expected} with one or three channels, not {images.shape}")


def error_text(value: float) -> str:
    """A squared error per pixel, short enough to stand under an image."""
    if not np.isfinite(value):
        return "not finite"
    return f"{value:.4f}" if value >= 0.001 or value == 0 else f"{value:.0e}".replace("e-0", "e-")
