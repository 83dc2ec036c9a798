"""Image files in a folder: find them, and read one of any format and size as an image of a given shape."""

from __future__ import annotations

import functools
import os
import threading
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple, NoReturn

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from autoenc.data.datasets.published_sets import brief_reason

Resize = Literal["stretch", "crop", "pad"]

SUFFIXES = (
    *(".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm"),
    *(".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"),
)
"""The endings of an image file's name, in lower case or capitals. Other files are skipped."""

# Other formats are never tried, because some of Pillow's readers start programs.
_FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
_SIXTEEN_BITS = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_FILTER = Image.Resampling.BILINEAR

# Warning filters belong to the whole process, and several threads read pictures.
_opening = threading.Lock()


class UnreadablePicture(Exception):  # noqa: N818  (the file is at fault, not the program)
    """A file that cannot be read as a picture, with a short reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class Found(NamedTuple):
    """The pictures in a folder, sorted, and the number of other files by suffix."""

    pictures: list[Path]
    others: Counter[str]


def find_pictures(folder: Path) -> Found:
    """The pictures in `folder` and its folders, found by their suffixes. Hidden files are skipped.

    Raises:
        OSError: a folder cannot be read.
    """
    pictures: list[Path] = []
    others: Counter[str] = Counter()
    for path in _visible_files(folder):
        suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122  (faster, for a million names)
        if suffix in SUFFIXES:
            pictures.append(Path(path))
        else:
            others[suffix] += 1
    return Found(sorted(pictures), others)


def _visible_files(folder: Path) -> Iterator[str]:
    seen: set[tuple[int, int]] = set()
    for here, folders, files in os.walk(folder, onerror=_raise, followlinks=True):
        status = Path(here).stat()
        if (status.st_dev, status.st_ino) in seen:  # links may form a circle
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (f"{here}/{name}" for name in files if not name.startswith("."))


def read_picture(path: Path, *, channels: int, size: tuple[int, int], resize: Resize) -> Tensor:
    """A picture as uint8 (C, H, W), with 1 (grey) or 3 `channels`, and `size` (height, width).

    It is rotated by its EXIF orientation. Transparent pixels become white. Grey is the brightness (ITU-R BT.601). Only
    the first frame is read; colour profiles are ignored. The filter widens with the reduction, so that nothing is
    aliased. `resize`: `stretch`, or scale and `crop` both sides equally, or scale and `pad` both equally with black.

    Raises:
        UnreadablePicture: the file is no picture, is damaged, or is so large that it may be a decompression bomb.
    """
    try:
        pixels = np.array(_decoded(path, channels=channels, size=size, resize=resize))  # (H, W) or (H, W, 3)
    except MemoryError:
        raise
    except Exception as error:  # Pillow's readers raise errors of many types
        raise UnreadablePicture(path, _reason(error)) from error
    return torch.from_numpy(pixels.reshape(*size, channels)).permute(2, 0, 1).contiguous()


def _raise(error: OSError) -> NoReturn:
    raise error


@functools.cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _decoded(path: Path, *, channels: int, size: tuple[int, int], resize: Resize) -> Image.Image:
    height, width = size
    with path.open("rb") as file, _opened(file) as image:
        # A large JPEG is decoded at 1/2, 1/4 or 1/8 of its size, but at least at twice `size`, in any rotation.
        image.draft(None, (2 * max(size), 2 * max(size)))
        flat = _flattened(ImageOps.exif_transpose(image)).convert("L" if channels == 1 else "RGB")
    return _resized(flat, width=width, height=height, resize=resize)


def _opened(file: object) -> Image.Image:
    with _opening, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return Image.open(file, formats=_formats())  # type: ignore[arg-type]


def _flattened(image: Image.Image) -> Image.Image:
    """The image with 8 bits and without transparency."""
    if image.mode in _SIXTEEN_BITS:
        return _eight_bits(np.asarray(image))
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers without a known value for white")
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)


def _eight_bits(values: np.ndarray[tuple[int, ...], np.dtype[np.integer]]) -> Image.Image:
    lowest, highest = int(values.min()), int(values.max())
    if lowest < 0 or highest > 65_535:
        raise ValueError(f"its pixels go from {lowest} to {highest}, which is more than 16 bits")
    return Image.fromarray(((values.astype(np.uint32) * 255 + 32_767) // 65_535).astype(np.uint8))


def _resized(image: Image.Image, *, width: int, height: int, resize: Resize) -> Image.Image:
    if resize == "stretch":
        return image.resize((width, height), _FILTER)
    if resize == "crop":
        return ImageOps.fit(image, (width, height), _FILTER)
    scale = min(width / image.width, height / image.height)
    inner = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), _FILTER)
    padded = Image.new(image.mode, (width, height))  # black
    padded.paste(inner, ((width - inner.width) // 2, (height - inner.height) // 2))
    return padded


def _reason(error: Exception) -> str:
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"it has more than {(Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} megapixels"
    if isinstance(error, UnidentifiedImageError):
        return "no picture of a known format"
    return brief_reason(error)
