"""Images in `.npy` and `.npz` files, read in parts: the files may be larger than memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoenc.application.image_batches import Batch, Fitting, ImageSource, numbered
from autoenc.data.datasets.array_images import channels_last
from autoenc.data.datasets.stored_arrays import StoredArray, stored_arrays
from autoenc.settings import ConfigError, listed
from autoenc.trained_model import PixelLimits, scale_problem

SUFFIXES = (".npy", ".npz")


def picked(arrays: Mapping[str, StoredArray], name: str, *, key: str, path: Path) -> StoredArray:
    """The array `name` of a file, or else the only one.

    Raises:
        ConfigError: there is no such array, or its items are objects. Pickled objects are not loaded.
    """
    if name not in arrays and len(arrays) != 1:
        raise ConfigError(key, f"it should have an array '{name}', and has {listed(arrays)}", value=str(path))
    array = arrays.get(name) or next(iter(arrays.values()))
    if array.dtype.hasobject:
        raise array.refused("it holds Python objects, which are not loaded")
    return array


def array_images(path: Path, *, key: str, fitting: Fitting, limit: int | None) -> ImageSource:
    """Images (N, H, W), (N, C, H, W) or (N, H, W, C), floats in [0, 1], uint8 or bool, named by their numbers.

    Of an archive, the array `images`, or the only array there is. The batches have fewer images if these are large.

    Raises:
        ConfigError: there are no images in the file.
    """
    found = stored_arrays(path, key=key)
    if "codes" in found and "images" not in found:
        raise ConfigError(key, "it holds codes and no pictures; --do decode makes pictures of them", value=str(path))
    array = picked(found, "images", key=key, path=path)
    try:
        last = channels_last(array.shape)
    except ValueError as error:
        raise array.refused(str(error)) from None
    if problem := _type_problem(array.dtype):
        raise array.refused(problem)
    names = numbered(range(len(array)))[:limit]
    width, height = array.shape[2:0:-1] if last else array.shape[:-3:-1]
    fitting.log_resizing(Counter({(width, height): len(names)}), description=str(path))
    checked = partial(_checked_batches, array, names, last=last, limits=fitting.pixel_limits)

    def batches(size: int) -> Generator[Batch, None, None]:
        for batch in checked(size):
            yield batch._replace(images=fitting.fit(batch.images))

    def check(size: int) -> None:
        if array.dtype.kind == "f":
            for _ in checked(size):
                pass

    return ImageSource(description=str(path), names=names, batches=batches, check=check)


def _checked_batches(
    array: StoredArray, names: Sequence[str], size: int, *, last: bool, limits: PixelLimits
) -> Iterator[Batch]:
    """The images as they are. Raises ConfigError for a pixel that is not finite, and for a batch on another scale."""
    start = 0
    for chunk in array.chunks(size, limit=len(names)):
        batch = Batch(names[start : start + len(chunk)], _as_images(chunk, channels_last=last))
        if problem := _pixel_problem(batch, limits=limits):
            raise array.refused(problem)
        yield batch
        start += len(chunk)


def _pixel_problem(batch: Batch, *, limits: PixelLimits) -> str:
    if not batch.images.is_floating_point():
        return ""
    finite = batch.images.flatten(1).isfinite().all(1)
    if not finite.all():
        return f"image {batch.names[int(finite.int().argmin())]} has a pixel that is not finite"
    return scale_problem(batch.images, limits=limits)


def _as_images(chunk: NDArray[Any], *, channels_last: bool) -> Tensor:
    """(B, C, H, W), uint8 or float32."""
    if chunk.dtype == np.bool_:
        chunk = chunk.astype(np.uint8) * 255
    images = torch.from_numpy(chunk if chunk.dtype == np.uint8 else chunk.astype(np.float32))
    if channels_last:
        return images.permute(0, 3, 1, 2).contiguous()
    return images if images.ndim == 4 else images.unsqueeze(1)


def _type_problem(dtype: np.dtype[Any]) -> str:
    if dtype in {np.dtype(np.uint8), np.dtype(np.bool_)} or dtype.kind == "f":
        return ""
    return f"pixels must be floats in [0, 1] or uint8 from 0 to 255, not {dtype}"
