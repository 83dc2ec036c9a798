"""Arrays in `.npy` and `.npz` files, mapped into memory: they may be larger than it."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor

from autoenc.application.image_batches import Batch, Fitting, ImageSource, numbered
from autoenc.data.datasets.file_kinds import require_file
from autoenc.settings import ConfigError, listed
from autoenc.trained_model import PixelLimits, scale_problem

SUFFIXES = (".npy", ".npz")
CHUNK_BYTES = 2**26
"""The largest part of an array that is copied into memory at a time."""


def open_array(path: Path, *, key: str, name: str) -> NDArray[Any]:
    """The array in a file, read-only and on disk; of an archive, the array `name`, or else the only one.

    Raises:
        ConfigError: there is no such array, or its items are objects. Pickled objects are not loaded.
    """
    with _readable(path, key=key):
        if path.suffix.lower() == ".npz":
            return _unpacked(path, key=key, name=name)
        array: NDArray[Any] = open_memmap(path, mode="r")
        return array


def array_names(path: Path, *, key: str) -> list[str]:
    """The names of the arrays in an `.npz` archive; none for an `.npy` file. Raises ConfigError if it is damaged."""
    if path.suffix.lower() != ".npz":
        return []
    with _readable(path, key=key), zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def chunks(array: NDArray[Any], rows: int) -> Iterator[NDArray[Any]]:
    """Copies of at most `rows` rows of an array, fewer if they are large."""
    row_bytes = max(1, array[:1].nbytes)
    rows = max(1, min(rows, CHUNK_BYTES // row_bytes))
    for start in range(0, len(array), rows):
        yield np.array(array[start : start + rows], dtype=array.dtype.newbyteorder("="))


@contextmanager
def _readable(path: Path, *, key: str) -> Iterator[None]:
    try:
        require_file(path)
        yield
    except ConfigError:
        raise
    except OSError as error:
        raise ConfigError(key, f"it cannot be read: {error.strerror or error}", value=str(path)) from error
    except (ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise ConfigError(key, f"it is not a readable {path.suffix} file: {error}", value=str(path)) from error


def _unpacked(path: Path, *, key: str, name: str) -> NDArray[Any]:
    """An array of an archive, unpacked into a temporary file that is gone when the array is."""
    found = array_names(path, key=key)
    if name not in found and len(found) != 1:
        raise ConfigError(key, f"it should have an array '{name}', and has {listed(found)}", value=str(path))
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        zipfile.ZipFile(path) as archive,
        archive.open(f"{name if name in found else found[0]}.npy") as member,
    ):
        unpacked = Path(folder) / "array.npy"
        with unpacked.open("wb") as file:
            shutil.copyfileobj(member, file)
        array: NDArray[Any] = open_memmap(unpacked, mode="r")
    return array


def array_images(path: Path, *, key: str, fitting: Fitting, limit: int | None) -> ImageSource:
    """Images (N, H, W) or (N, C, H, W), floats in [0, 1], uint8 or bool, named by their numbers.

    Of an archive, the array `images`, or the only array there is. The batches have fewer images if these are large.

    Raises:
        ConfigError: there are no images in the file.
    """
    found = array_names(path, key=key)
    if "codes" in found and "images" not in found:
        raise ConfigError(key, "it holds codes and no pictures; --do decode makes pictures of them", value=str(path))
    array = open_array(path, key=key, name="images")
    if problem := _shape_problem(array.shape) or _type_problem(array.dtype):
        raise ConfigError(key, problem, value=str(path))
    names = numbered(range(len(array)))[:limit]
    fitting.log_resizing(Counter({(array.shape[-1], array.shape[-2]): len(names)}), description=str(path))
    checked = partial(_checked_batches, array[:limit], names, key=key, path=path, limits=fitting.pixel_limits)

    def batches(size: int) -> Generator[Batch, None, None]:
        for batch in checked(size):
            yield batch._replace(images=fitting.fit(batch.images))

    def check(size: int) -> None:
        if array.dtype.kind == "f":
            for _ in checked(size):
                pass

    return ImageSource(description=str(path), names=names, batches=batches, check=check)


def _checked_batches(
    array: NDArray[Any], names: Sequence[str], size: int, *, key: str, path: Path, limits: PixelLimits
) -> Iterator[Batch]:
    """The images as they are. Raises ConfigError for a pixel that is not finite, and for a batch on another scale."""
    start = 0
    for chunk in chunks(array, size):
        batch = Batch(names[start : start + len(chunk)], _as_images(chunk))
        if problem := _pixel_problem(batch, limits=limits):
            raise ConfigError(key, problem, value=str(path))
        yield batch
        start += len(chunk)


def _pixel_problem(batch: Batch, *, limits: PixelLimits) -> str:
    if not batch.images.is_floating_point():
        return ""
    finite = batch.images.flatten(1).isfinite().all(1)
    if not finite.all():
        return f"image {batch.names[int(finite.int().argmin())]} has a pixel that is not finite"
    return scale_problem(batch.images, limits=limits)


def _as_images(chunk: NDArray[Any]) -> Tensor:
    """(B, C, H, W), uint8 or float32."""
    if chunk.dtype == np.bool_:
        chunk = chunk.astype(np.uint8) * 255
    images = torch.from_numpy(chunk if chunk.dtype == np.uint8 else chunk.astype(np.float32))
    return images if images.ndim == 4 else images.unsqueeze(1)


def _shape_problem(shape: tuple[int, ...]) -> str:
    if min(shape, default=0) > 0 and (len(shape) == 3 or (len(shape) == 4 and shape[1] in {1, 3})):
        return ""
    channels_last = len(shape) == 4 and shape[3] in {1, 3}
    advice = "; numpy.moveaxis(images, -1, 1) puts the channels second" if channels_last else ""
    return f"images are (N, H, W), or (N, C, H, W) with 1 or 3 channels, and this is {shape}{advice}"


def _type_problem(dtype: np.dtype[Any]) -> str:
    if dtype in {np.dtype(np.uint8), np.dtype(np.bool_)} or dtype.kind == "f":
        return ""
    return f"pixels must be floats in [0, 1] or uint8 from 0 to 255, not {dtype}"
