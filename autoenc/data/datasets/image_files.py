"""Image files: read one of any format and size as an image of a given shape."""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from autoenc.data.datasets.file_kinds import require_file
from autoenc.data.datasets.picture_facts import SIXTEEN_BIT_WHITE, PictureFacts, PixelKind
from autoenc.data.datasets.published_sets import brief_reason

Resize = Literal["stretch", "crop", "pad"]

MAX_PIXELS = 89_478_485
"""Pillow's own limit: the most pixels of a picture whose decoding is not suspected to be an attack on memory."""

# Other formats are never tried, because some of Pillow's readers start programs.
_FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
_FORMATS_WITH_PAGES = ("GIF", "PNG", "TIFF", "WEBP")  # a second image in a JPEG is a preview or a gain map
_PIXEL_KINDS: dict[str, PixelKind] = {
    **dict.fromkeys(("I", "I;16", "I;16B", "I;16L", "I;16N"), "integers of more than 8 bits"),
    "F": "floating-point numbers",
}
_FILTER = Image.Resampling.BILINEAR

# Warning filters and Pillow's limit belong to the whole process, and several threads read pictures.
_opening = threading.Lock()


class UnreadablePicture(Exception):  # noqa: N818  (the file is at fault, not the program)
    """A file that cannot be read as a picture, with a short reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class ReadPicture(NamedTuple):
    """A picture as an image of a given shape, and the facts about its file."""

    image: Tensor
    """uint8 (C, H, W)."""
    facts: PictureFacts


def read_picture(
    path: Path,
    *,
    channels: int,
    size: tuple[int, int],
    resize: Resize,
    white: float | None = None,
    page: int = 0,
    max_pixels: int = MAX_PIXELS,
) -> ReadPicture:
    """A picture as an image with 1 (grey) or 3 `channels`, and `size` (height, width).

    It is rotated by its EXIF orientation. Transparent pixels become white. Grey is the brightness (ITU-R BT.601).
    Colour profiles are ignored. The filter widens with the reduction, so that nothing is aliased. `resize`: `stretch`,
    or scale and `crop` both sides equally, or scale and `pad` both equally with black.

    Pixels from 0 to `white`, in the file's own numbers, become 0 to 255; others are clipped. None: white is 255, or
    65,535 for integers of more than 8 bits. Colours of 16 bits a channel are read as 8 bits.

    Raises:
        UnreadablePicture: the file is not a picture, is damaged, has no such `page`, has more than `max_pixels` or has
            floating-point numbers and no `white`; or it is a named pipe, a socket or a device.
    """
    try:
        flat, facts = _decoded(path, channels=channels, size=size, white=white, page=page, max_pixels=max_pixels)
        resized = np.array(_resized(flat, width=size[1], height=size[0], resize=resize))  # (H, W) or (H, W, 3)
    except MemoryError:
        raise
    except Exception as error:  # Pillow's readers raise errors of many types
        raise UnreadablePicture(path, _reason(error)) from error
    return ReadPicture(torch.from_numpy(resized.reshape(*size, channels)).permute(2, 0, 1).contiguous(), facts)


def count_pages(path: Path, *, max_pixels: int = MAX_PIXELS) -> int:
    """The number of pages, or frames, of a picture; 1 if it cannot be read, which `read_picture` reports."""
    try:
        with _opened(path, max_pixels=max_pixels) as image:
            return _page_count(image)
    except Exception:  # Pillow's readers raise errors of many types
        return 1


@functools.cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _decoded(
    path: Path, *, channels: int, size: tuple[int, int], white: float | None, page: int, max_pixels: int
) -> tuple[Image.Image, PictureFacts]:
    """An image of the mode L or RGB in its own size, except for a JPEG that is far larger than `size`."""
    with _opened(path, max_pixels=max_pixels) as image:
        if page:
            image.seek(page)
            if image.width * image.height > max_pixels:
                raise _too_large(max_pixels)
        own_size = image.size
        # A large JPEG is decoded at 1/2, 1/4 or 1/8 of its size, but at least at twice `size`, in any rotation.
        image.draft(None, (2 * max(size), 2 * max(size)))
        kind = _PIXEL_KINDS.get(image.mode, "8 bits")
        upright = ImageOps.exif_transpose(image)
        convert = _from_eight_bits if kind == "8 bits" else _from_numbers
        flat, (darkest, brightest) = convert(upright, white=white)
        width, height = own_size if upright.size == image.size else reversed(own_size)
        facts = PictureFacts(kind, darkest, brightest, _page_count(image), (width, height))
        return flat.convert("L" if channels == 1 else "RGB"), facts


def _page_count(image: Image.Image) -> int:
    if image.format not in _FORMATS_WITH_PAGES:
        return 1
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # a later page is damaged
        return 1


@contextmanager
def _opened(path: Path, *, max_pixels: int) -> Iterator[Image.Image]:
    require_file(path)
    with path.open("rb") as file, _identified(file, max_pixels=max_pixels) as image:
        yield image


def _identified(file: BinaryIO, *, max_pixels: int) -> Image.Image:
    with _opening, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        usual, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, max_pixels
        try:
            return Image.open(file, formats=_formats())
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise _too_large(max_pixels) from error
        finally:
            Image.MAX_IMAGE_PIXELS = usual


def _too_large(max_pixels: int) -> ValueError:
    return ValueError(f"it has more pixels than max_pixels={max_pixels} admits")


def _from_eight_bits(image: Image.Image, *, white: float | None) -> tuple[Image.Image, tuple[float, float]]:
    """The image without transparency, and its darkest and brightest number."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    plain = image if image.mode in {"L", "RGB"} else image.convert("RGB")
    extrema = np.ravel(plain.getextrema())
    if white is not None:
        table = _scaled(np.arange(256), white=white).tolist()
        image = plain.point(table * len(plain.getbands()))
    return image, (float(extrema.min()), float(extrema.max()))


def _from_numbers(image: Image.Image, *, white: float | None) -> tuple[Image.Image, tuple[float, float]]:
    """The same for integers of more than 8 bits, and for floating-point numbers."""
    values = np.asarray(image)
    lowest, highest = values.min().item(), values.max().item()
    if not np.isfinite(highest - lowest):
        raise ValueError("some of its pixels are not finite")
    if white is None and values.dtype.kind == "f":
        raise ValueError("its pixels are floating-point numbers, so the value of white has to be set")
    if white is None and not 0 <= lowest <= highest <= SIXTEEN_BIT_WHITE:
        raise ValueError(
            f"its pixels go from {lowest} to {highest}, which is more than 16 bits, so the value of white has to be set"
        )
    scaled = _scaled(values, white=SIXTEEN_BIT_WHITE if white is None else white)
    return Image.fromarray(scaled), (lowest, highest)


def _scaled(values: NDArray[Any], *, white: float) -> NDArray[np.uint8]:
    """From 0 to `white`, to 0 to 255."""
    scaled: NDArray[np.float32] = np.rint(values.astype(np.float32) * (255 / white))
    return scaled.clip(0, 255).astype(np.uint8)


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
    if isinstance(error, UnidentifiedImageError):
        return "no picture of a known format"
    return brief_reason(error)
