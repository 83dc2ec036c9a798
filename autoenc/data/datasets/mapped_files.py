"""Images in files that are mapped into memory.

The system reads the parts of such a file that are used, and drops them again when memory is short. So a data set may
be larger than memory; picking images at random from a disk then takes longer than from memory.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import Tensor


def map_images(path: Path, *, shape: tuple[int, ...], offset: int = 0) -> Tensor:
    """The unsigned bytes of a file from `offset` on as a tensor of this shape. Writing to it ends the process."""
    # Read-only, because the system counts a copy on write as memory, and refuses one that is larger than memory.
    images = np.memmap(path, dtype=np.uint8, mode="r", offset=offset, shape=shape)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
        return torch.from_numpy(images)


def temporary_images(shape: tuple[int, ...], *, folder: Path) -> Tensor:
    """New uint8 images of this shape in a file in `folder` that has no name: it is gone when the tensor is.

    Raises:
        OSError: the file cannot be written.
    """
    size = math.prod(shape)
    if size == 0:
        return torch.empty(shape, dtype=torch.uint8)  # an empty file cannot be mapped
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        _allocate(file.fileno(), size)
        return torch.frombuffer(mmap.mmap(file.fileno(), size), dtype=torch.uint8).view(shape)


_GATHERED = 1024
"""How many images are copied at a time."""


def gathered(images: Tensor, indices: Tensor, *, folder: Path) -> Tensor:
    """The images (N, C, H, W) at `indices` (K,), copied into `temporary_images`."""
    copies = temporary_images((len(indices), *images.shape[1:]), folder=folder)
    for part, into in zip(indices.split(_GATHERED), copies.split(_GATHERED), strict=True):
        into.copy_(images[part])
    return copies


def stored_images(path: Path) -> Tensor:
    """The images in a file that `new_images` wrote, mapped: see `map_images`.

    Raises:
        OSError, ValueError, EOFError: it cannot be read, or is damaged.
    """
    array = np.load(path, mmap_mode="r")
    return map_images(path, shape=array.shape, offset=array.offset)


@contextlib.contextmanager
def new_images(path: Path, *, shape: tuple[int, ...]) -> Iterator[Tensor]:
    """A new `.npy` file of uint8 images of this shape, mapped, for the block to fill.

    The file gets its name at the end of the block. If the block raises, there is no file. One process at a time may
    write it: see `autoenc.data.datasets.folder_lock`. What a killed process left is overwritten.

    Raises:
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    try:
        array = open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
        with temporary.open("rb+") as file:
            _allocate(file.fileno(), temporary.stat().st_size)
        yield torch.from_numpy(array)
        array.flush()
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _allocate(file: int, size: int) -> None:
    """Make a file of this size on the disk."""
    os.truncate(file, size)
    if hasattr(os, "posix_fallocate"):  # not on macOS
        # Otherwise a full disk would end the process by a signal while the images are filled in.
        os.posix_fallocate(file, 0, size)
