"""Images from stored arrays: which numbers are black and white, where the channels are, and the conversion to bytes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoenc.data.datasets.folder_lock import locked_folder
from autoenc.data.datasets.mapped_files import map_images, new_images, stored_images
from autoenc.data.datasets.stored_arrays import StoredArray, readable
from autoenc.settings import ConfigError

KEY = "dataset.value_range"

BLACK_AND_WHITE = (0.0, 1.0)
BYTES = (0.0, 255.0)

_NUMBERS = 2**22
"""How many numbers are converted at a time."""


@dataclass(frozen=True, kw_only=True)
class ImageArray:
    """An array of images. `value_range` are the numbers that are black and white."""

    stored: StoredArray
    channels_last: bool
    value_range: tuple[float, float]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, C, H, W)."""
        count, *image = self.stored.shape
        if len(image) == 2:
            image = [1, *image]
        elif self.channels_last:
            image = [image[2], *image[:2]]
        channels, height, width = image
        return count, channels, height, width

    @property
    def is_bytes(self) -> bool:
        """Whether the numbers are those of images already."""
        return self.stored.dtype == np.uint8 and self.value_range == BYTES

    @property
    def is_mappable(self) -> bool:
        """Whether the file has the bytes of the images as they are."""
        in_order = not self.stored.column_major and (self.shape[1] == 1 or not self.channels_last)
        return self.stored.place is not None and in_order and self.is_bytes

    def mapped(self) -> Tensor:
        """The images in the file itself, uint8 (N, C, H, W), if it `is_mappable`."""
        assert self.stored.place is not None
        with readable(self.stored.path, key=self.stored.key):
            return map_images(self.stored.path, shape=self.shape, offset=self.stored.place)

    def converted(self, *, cache: Path | None) -> Tensor:
        """The images as bytes, (N, C, H, W): in memory, or mapped from the file `cache`, which is written if missing.

        Raises:
            ConfigError: a number is outside of the range or not finite, or the file is damaged.
            OSError: `cache` cannot be written.
        """
        if cache is None:
            images = torch.empty(self.shape, dtype=torch.uint8)
            self._fill(images)
            return images
        if not cache.exists():
            with locked_folder(cache.parent, task="writing images into"):
                if not cache.exists():  # another process may have written it meanwhile
                    with new_images(cache, shape=self.shape) as images:
                        self._fill(images)
        with readable(cache, key="data_dir"):
            return stored_images(cache)

    def cache_file(self, folder: Path) -> Path:
        """The file in `folder` for the converted images. Its name depends on the content of the array's file."""
        with readable(self.stored.path, key=self.stored.key), self.stored.path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        conversion = f"{content} {self.stored.name} {self.shape} {self.channels_last} {self.value_range}"
        digest = hashlib.sha256(conversion.encode()).hexdigest()[:16]
        return folder / f"{self.stored.path.name.partition('.')[0]}-{digest}.npy"

    def _fill(self, images: Tensor) -> None:
        from autoenc.progress import data_bars

        count, start = len(images), 0
        with data_bars() as progress:
            bar = progress.add_task(f"reading {self.stored.name}", total=count)
            for chunk in self.stored.chunks(max(1, _NUMBERS // math.prod(self.shape[1:]))):
                levels = chunk if self.is_bytes else self._levels(chunk, start=start)
                if self.channels_last:
                    levels = np.moveaxis(levels, -1, 1)
                images[start : start + len(chunk)] = torch.from_numpy(levels).reshape(-1, *self.shape[1:])
                start += len(chunk)
                progress.advance(bar, len(chunk))

    def _levels(self, chunk: NDArray[Any], *, start: int) -> NDArray[np.uint8]:
        """The numbers of some images as bytes; `start` is the position of the first."""
        black, white = self.value_range
        levels = np.rint((chunk.astype(np.float64) - black) * (255 / (white - black)))
        inside = ((levels >= 0) & (levels <= 255)).reshape(len(levels), -1).all(1)  # False for NaN
        if inside.all():
            return levels.astype(np.uint8)
        first = int(inside.argmin())
        where, image = f"image {start + first} of {self.stored.name}", chunk[first]
        if not np.isfinite(image).all():
            raise self.stored.refused(f"{where} has a number that is not finite")
        problem = f"{where} has numbers from {image.min():g} to {image.max():g}, outside of this range"
        raise ConfigError(KEY, problem, value=_as_written(self.value_range))


def image_arrays(arrays: Sequence[StoredArray], *, value_range: tuple[float, float] | None) -> list[ImageArray]:
    """The arrays of the splits as images of one shape.

    Without a `value_range`, uint8 is from 0 to 255, or from 0 to 1 if there are no other numbers, and so are bits.

    Raises:
        ConfigError: an array has no images, their shapes differ, or their type needs a `value_range`.
    """
    last = [_channels_last(array) for array in arrays]
    if value_range is None:
        for array in arrays:
            _check_type(array)
    of_bytes = BLACK_AND_WHITE if value_range is None and _is_binary(arrays) else BYTES
    images = [
        ImageArray(
            stored=array,
            channels_last=at_the_end,
            value_range=value_range or (of_bytes if array.dtype == np.uint8 else BLACK_AND_WHITE),
        )
        for array, at_the_end in zip(arrays, last, strict=True)
    ]
    for other in images[1:]:
        if other.shape[1:] != images[0].shape[1:]:
            shapes = " and ".join(f"{each.stored.name} {each.stored.shape}" for each in (images[0], other))
            raise other.stored.refused(f"the images of all splits need one shape, and there are {shapes}")
    return images


def channels_last(shape: tuple[int, ...]) -> bool:
    """Whether images of this shape have their channels last: (N, H, W, C) and not (N, C, H, W) or (N, H, W).

    Raises:
        ValueError: these are not images, or it is not clear.
    """
    kinds = "images are (N, H, W), or (N, C, H, W) or (N, H, W, C) with 1 or 3 channels"
    if len(shape) == 3 and min(shape) > 0 and shape[2] not in {1, 3}:
        return False
    if len(shape) != 4 or min(shape) < 1:
        advice = "; numpy.reshape(images, (-1, height, width)) makes images of rows" if len(shape) == 2 else ""
        raise ValueError(f"{kinds}, and this is {shape}{advice}")
    first, last = shape[1] in {1, 3}, shape[3] in {1, 3}
    if first and last:
        raise ValueError(f"{kinds}, and {shape} may be either; numpy.squeeze removes axes of size 1")
    if not first and not last:
        advice = "; images[..., :3] has the first three channels" if shape[3] == 4 else ""
        raise ValueError(f"{kinds}, and this is {shape}{advice}")
    return last


def _channels_last(array: StoredArray) -> bool:
    try:
        found = channels_last(array.shape)
    except ValueError as error:
        raise array.refused(f"{array.name}: {error}") from None
    if array.dtype.kind not in "bfiu":
        raise array.refused(f"{array.name}: pixels are numbers, and these are {array.dtype}")
    return found


def _check_type(array: StoredArray) -> None:
    """Refuse numbers whose black and white are not known, with a proposal."""
    if array.dtype in {np.dtype(np.uint8), np.dtype(np.bool_)}:
        return
    smallest, largest = math.inf, -math.inf
    for chunk in _parts(array):
        smallest, largest = min(smallest, float(chunk.min())), max(largest, float(chunk.max()))
        if not math.isfinite(smallest + largest):
            raise array.refused(f"{array.name} has numbers that are not finite")
    usual = [(0, 1), (-1, 1), (0, 255), (0, 4095), (0, 65_535)]
    near = [each for each in usual if each[0] <= smallest and each[1] / 2 < largest <= each[1]]
    proposed = near[0] if near else (smallest, largest)
    problem = (
        f"{array.name} has {array.dtype} numbers from {smallest:g} to {largest:g}; say which numbers are black and "
        f'white, as in "{KEY}={_as_written(proposed)}"'
    )
    raise ConfigError(KEY, problem, value=None)


def _is_binary(arrays: Sequence[StoredArray]) -> bool:
    """Whether no byte is above 1. The first images usually tell."""
    of_bytes = [array for array in arrays if array.dtype == np.uint8]
    return bool(of_bytes) and all(int(part.max()) <= 1 for array in of_bytes for part in _parts(array))


def _parts(array: StoredArray) -> Iterator[NDArray[Any]]:
    return array.chunks(max(1, _NUMBERS // math.prod(array.shape[1:])))


def _as_written(value_range: tuple[float, float]) -> str:
    return f"[{value_range[0]:g},{value_range[1]:g}]"
