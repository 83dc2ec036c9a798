"""The numbers of a run's pictures, and images as PNG in base64, many in one."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autoenc.runs import VALUES, ArrayError, RunRecord, printable, read_arrays

LARGEST = 2**26
"""Bytes of a picture; fewer than in `autoenc.pictures`, because the page has the pictures of many runs."""
LONGEST_VALUES = 100_000
"""Characters of the values that are not arrays."""
LARGEST_SIDE = 512
"""Pixels of an image."""
LARGEST_SPRITE = 4096
"""Pixels of a side of all images together, which every browser can hold."""


def has_picture(record: RunRecord, kind: str) -> bool:
    """Whether a run kept the numbers of a picture."""
    return (record.path / "figures" / f"{kind}.npz").is_file()


def read_picture(
    record: RunRecord, kind: str, dimensions: Mapping[str, int]
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read arrays of a picture with these numbers of dimensions, and its other values.

    A link that leads out of the run's folder is not followed.

    Raises:
        ArrayError: the file cannot be read, is too large, or holds something else.
    """
    try:
        path = (record.path / "figures" / f"{kind}.npz").resolve(strict=True)
        if not path.is_relative_to(record.path.resolve()):
            raise ArrayError("is a link to somewhere else")
        arrays = read_arrays(path, most=LARGEST, names={*dimensions, VALUES})
    except OSError as error:
        raise ArrayError(f"cannot be read: {error.strerror or error}") from None
    text = str(arrays.pop(VALUES, ""))
    try:
        values = json.loads(text) if len(text) <= LONGEST_VALUES else None
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise ArrayError(f"has '{VALUES}' that are not a table")
    for name, count in dimensions.items():
        if name not in arrays or arrays[name].dtype.kind not in "fiu":
            raise ArrayError(f"has no numbers called '{name}'")
        if arrays[name].ndim != count:
            raise ArrayError(f"has '{name}' of shape {arrays[name].shape}, and not of {count} dimensions")
    return arrays, values


def texts_of(values: Mapping[str, Any], name: str, *, count: int | None = None) -> list[str]:
    """A list of texts among the values, of the given length.

    Raises:
        ArrayError: it is something else.
    """
    found = values.get(name)
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise ArrayError(f"has no list of texts called '{name}'")
    if count is not None and len(found) != count:
        raise ArrayError(f"has {len(found)} of '{name}' instead of {count}")
    return [printable(text, most=120) for text in found]


def check_images(images: NDArray[Any], *, name: str) -> None:
    """Refuse arrays that are not images (..., C, H, W) with one or three channels."""
    channels, height, width = images.shape[-3:]
    if channels not in (1, 3) or images.size == 0 or max(height, width) > LARGEST_SIDE or images.dtype.kind != "f":
        raise ArrayError(f"has '{name}' of shape {images.shape}, which cannot be shown as images")


def as_bytes(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Images (..., C, H, W) in [0, 1] as (..., H, W, C) bytes, clipped; values that are not a number are white."""
    shown = np.nan_to_num(images.astype(np.float32), nan=1, posinf=1, neginf=0).clip(0, 1)
    return np.moveaxis(np.rint(255 * shown).astype(np.uint8), -3, -1)


def remark(images: NDArray[Any]) -> str:
    """How `as_bytes` changed the images; empty if it did not."""
    if np.isnan(images).any():
        return "not a number: white"
    return "clipped to 0\N{HORIZONTAL ELLIPSIS}1" if (images < 0).any() or (images > 1).any() else ""


def mosaic(pixels: NDArray[np.uint8]) -> str:
    """Images (R, S, H, W, C), R rows of S, as one PNG without gaps, in base64."""
    rows, columns, height, width, channels = pixels.shape
    whole = pixels.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)
    if max(whole.shape) > LARGEST_SPRITE:
        raise ArrayError(f"has images that together are larger than {LARGEST_SPRITE} pixels")
    content = io.BytesIO()
    Image.fromarray(whole[..., 0] if channels == 1 else whole).save(content, "PNG", compress_level=7)
    return base64.b64encode(content.getvalue()).decode("ascii")


def sprite(images: NDArray[Any]) -> str:
    """Images (K, C, H, W) below one another as one PNG in base64."""
    return mosaic(as_bytes(images)[:, None])
