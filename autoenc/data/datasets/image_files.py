"""Image files in a folder: find them, and read one of any format and size as an image of a given shape."""

from __future__ import annotations

import functools
import os
import threading
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from autoenc.data.datasets.picture_facts import SIXTEEN_BIT_WHITE, PictureFacts, PixelKind
from autoenc.data.datasets.published_sets import brief_reason

Resize = Literal["stretch", "crop", "pad"]

SUFFIXES = (
    *(".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm"),
    *(".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"),
)
"""The endings of an image file's name, in lower case or capitals. Other files are skipped."""

# Other formats are never tried, because some of Pillow's readers start programs.
_FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
_FORMATS_WITH_PAGES = ("GIF", "PNG", "TIFF", "WEBP")  # a second image in a JPEG is a preview or a gain map
_PIXEL_KINDS: dict[str, PixelKind] = {
    **dict.fromkeys(("I", "I;16", "I;16B", "I;16L", "I;16N"), "integers of more than 8 bits"),
    "F": "floating-point numbers",
}
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
    """The pictures in a folder, sorted, and the files and folders that were left out."""

    pictures: list[Path]
    others: Counter[str]
    """The number of other files, by suffix."""
    passed_over: dict[Path, Path]
    """Folders that are read under another name, which is the value."""


class ReadPicture(NamedTuple):
    """A picture as an image of a given shape, and the facts about its file."""

    image: Tensor
    """uint8 (C, H, W)."""
    facts: PictureFacts


def find_pictures(folder: Path) -> Found:
    """The pictures in `folder` and its folders, found by their suffixes. Hidden files and folders are skipped.

    Links are followed. A folder that has several names is read once: under its real name if this is inside `folder`,
    otherwise under the link that comes first in the alphabet. A link to a file is a picture like any other.

    Raises:
        OSError: a folder cannot be read.
    """
    pictures: list[Path] = []
    others: Counter[str] = Counter()
    passed_over: dict[Path, Path] = {}
    for path in _visible_files(folder, passed_over=passed_over):
        suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122  (faster, for a million names)
        if suffix in SUFFIXES:
            pictures.append(Path(path))
        else:
            others[suffix] += 1
    return Found(sorted(pictures), others, passed_over)


def _visible_files(folder: Path, *, passed_over: dict[Path, Path]) -> Iterator[str]:
    """The files in `folder`; `passed_over` receives its folders that are read under another name."""
    names: dict[tuple[int, int], str] = {}
    starts = [str(folder)]
    while starts:  # real folders first, then those behind links, then those behind the links in these
        links: list[str] = []
        for start in sorted(starts):
            for here, folders, files in os.walk(start, onerror=_raise):
                status = os.stat(here)  # noqa: PTH116  (faster)
                name = names.setdefault((status.st_dev, status.st_ino), here)
                if name != here:
                    passed_over[Path(here)] = Path(name)
                    folders.clear()
                    continue
                folders[:] = [name for name in folders if not name.startswith(".")]
                links += [path for path in (f"{here}/{name}" for name in folders) if os.path.islink(path)]  # noqa: PTH114
                yield from (f"{here}/{name}" for name in files if not name.startswith("."))
        starts = links


def read_picture(
    path: Path,
    *,
    channels: int,
    size: tuple[int, int],
    resize: Resize,
    white: float | None = None,
    page: int = 0,
) -> ReadPicture:
    """A picture as an image with 1 (grey) or 3 `channels`, and `size` (height, width).

    It is rotated by its EXIF orientation. Transparent pixels become white. Grey is the brightness (ITU-R BT.601).
    Colour profiles are ignored. The filter widens with the reduction, so that nothing is aliased. `resize`: `stretch`,
    or scale and `crop` both sides equally, or scale and `pad` both equally with black.

    Pixels from 0 to `white`, in the file's own numbers, become 0 to 255; others are clipped. None: white is 255, or
    65,535 for integers of more than 8 bits. Colours of 16 bits a channel are read as 8 bits.

    Raises:
        UnreadablePicture: the file is not a picture, is damaged, has no such `page`, is so large that it may be a
            decompression bomb, or has floating-point numbers and no `white`.
    """
    try:
        flat, facts = _decoded(path, channels=channels, size=size, white=white, page=page)
        resized = np.array(_resized(flat, width=size[1], height=size[0], resize=resize))  # (H, W) or (H, W, 3)
    except MemoryError:
        raise
    except Exception as error:  # Pillow's readers raise errors of many types
        raise UnreadablePicture(path, _reason(error)) from error
    return ReadPicture(torch.from_numpy(resized.reshape(*size, channels)).permute(2, 0, 1).contiguous(), facts)


def count_pages(path: Path) -> int:
    """The number of pages, or frames, of a picture; 1 if it cannot be read, which `read_picture` reports."""
    try:
        with path.open("rb") as file, _opened(file) as image:
            return _page_count(image)
    except Exception:  # Pillow's readers raise errors of many types
        return 1


def _raise(error: OSError) -> NoReturn:
    raise error


@functools.cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _decoded(
    path: Path, *, channels: int, size: tuple[int, int], white: float | None, page: int
) -> tuple[Image.Image, PictureFacts]:
    """An image of the mode L or RGB in its own size, except for a JPEG that is far larger than `size`."""
    with path.open("rb") as file, _opened(file) as image:
        if page:
            image.seek(page)
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


def _opened(file: object) -> Image.Image:
    with _opening, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return Image.open(file, formats=_formats())  # type: ignore[arg-type]


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
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"it has more than {(Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} megapixels"
    if isinstance(error, UnidentifiedImageError):
        return "no picture of a known format"
    return brief_reason(error)
