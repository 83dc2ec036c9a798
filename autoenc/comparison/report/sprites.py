"""Images as they are put into a page: PNG in base64, many images in one."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autoenc.runs import ArrayError

MOST_SIDE = 512  # pixels of an image
MOST_SPRITE = 4096  # pixels of a side of all together: what the smallest browsers can hold


def check_images(images: NDArray[Any], *, name: str) -> None:
    """Refuse what are not images (..., C, H, W) with one or three channels, of a size to be shown."""
    channels, height, width = images.shape[-3:]
    if channels not in (1, 3) or images.size == 0 or max(height, width) > MOST_SIDE or images.dtype.kind != "f":
        raise ArrayError(f"has '{name}' of shape {images.shape}, which are no images that could be shown")


def as_bytes(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Images (..., C, H, W) in [0, 1] as (..., H, W, C) bytes: clipped, and white where they are not a number."""
    shown = np.nan_to_num(images.astype(np.float32), nan=1, posinf=1, neginf=0).clip(0, 1)
    return np.moveaxis(np.rint(255 * shown).astype(np.uint8), -3, -1)


def remark(images: NDArray[Any]) -> str:
    """What `as_bytes` had to do to show them; empty where they are shown as they are."""
    if np.isnan(images).any():
        return "not a number: white"
    if (images < 0).any() or (images > 1).any():
        return "clipped to 0\N{HORIZONTAL ELLIPSIS}1"
    return ""


def mosaic(pixels: NDArray[np.uint8]) -> str:
    """Images (R, S, H, W, C), R rows of S, as one PNG without gaps."""
    rows, columns, height, width, channels = pixels.shape
    whole = pixels.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)
    if max(whole.shape) > MOST_SPRITE:
        raise ArrayError(f"has images that together are larger than {MOST_SPRITE} pixels")
    image = Image.fromarray(whole[..., 0] if channels == 1 else whole)
    content = io.BytesIO()
    image.save(content, "PNG", compress_level=7)
    return base64.b64encode(content.getvalue()).decode("ascii")


def column(pixels: NDArray[np.uint8]) -> str:
    """Images (K, H, W, C) under one another."""
    return mosaic(pixels[:, None])
