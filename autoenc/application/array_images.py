"""The images in a `.npy` or `.npz` file."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoenc.application.fitting import Fitting
from autoenc.application.source import Batch, numbered
from autoenc.application.stored_arrays import StoredArray, members
from autoenc.settings import ConfigError


@dataclass(frozen=True, kw_only=True)
class ArrayImages:
    """Images (N, H, W) or (N, C, H, W), floats in [0, 1] scale, uint8 or bool; their names are their numbers."""

    array: StoredArray
    fitting: Fitting
    names: Sequence[str]

    @classmethod
    def open(cls, path: Path, *, key: str, fitting: Fitting, limit: int | None) -> ArrayImages:
        """The images in a file; of an archive those called `images`, or the only array there is.

        Raises:
            ConfigError: there are no images in it.
        """
        found = members(path, key=key) if path.suffix.lower() == ".npz" else []
        if "codes" in found and "images" not in found:
            problem = "it holds codes and no pictures; --do decode makes pictures of them"
            raise ConfigError(key, problem, value=str(path))
        array = StoredArray.open(path, key=key, names=["images"])
        problem = _shape_problem(array.shape) or _kind_problem(array.dtype)
        if problem:
            raise ConfigError(key, problem, value=str(path))
        return cls(array=array, fitting=fitting, names=numbered(len(array))[:limit])

    @property
    def description(self) -> str:
        """The file."""
        return str(self.array.path)

    def check(self) -> None:
        """Nothing that reading does not see."""

    def batches(self, size: int) -> Generator[Batch, None, None]:
        """In the order of the array, at most `size` at a time, less of large ones.

        Raises:
            ConfigError: a pixel is not finite, or the file is not whole.
        """
        start = 0
        for chunk in self.array.chunks(size):
            names = self.names[start : start + len(chunk)]
            if not names:
                return
            start += len(names)
            yield Batch(names, self.fitting.fit(self._images(chunk[: len(names)], names=names)))

    def _images(self, chunk: NDArray[Any], *, names: Sequence[str]) -> Tensor:
        """(B, C, H, W), uint8 or float32."""
        if chunk.dtype == np.bool_:
            chunk = chunk.astype(np.uint8) * 255
        if chunk.dtype != np.uint8:
            chunk = chunk.astype(np.float32)
            finite = np.isfinite(chunk).reshape(len(chunk), -1).all(axis=1)
            if not finite.all():
                problem = f"image {names[int(np.argmin(finite))]} has a pixel that is not finite"
                raise ConfigError(self.array.key, problem, value=str(self.array.path))
        images = torch.from_numpy(chunk)
        return images if images.ndim == 4 else images.unsqueeze(1)


def _shape_problem(shape: tuple[int, ...]) -> str:
    if min(shape, default=0) > 0 and (len(shape) == 3 or (len(shape) == 4 and shape[1] in {1, 3})):
        return ""
    channels_last = len(shape) == 4 and shape[3] in {1, 3}
    advice = "; numpy.moveaxis(images, -1, 1) puts the channels where they belong" if channels_last else ""
    return f"images are (N, H, W), or (N, C, H, W) with 1 or 3 channels, and this is {shape}{advice}"


def _kind_problem(dtype: np.dtype[Any]) -> str:
    if dtype in {np.dtype(np.uint8), np.dtype(np.bool_)} or dtype.kind == "f":
        return ""
    return f"pixels must be floats in [0, 1] or uint8 from 0 to 255, not {dtype}"
