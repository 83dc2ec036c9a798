"""Images in files that are mapped into memory.

The system reads the parts of such a file that are used, and drops them again when memory is short. So a data set may
be larger than memory; picking images at random from a disk then takes longer than from memory.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import Tensor


def map_images(path: Path, *, shape: tuple[int, ...], offset: int = 0) -> Tensor:
    """The unsigned bytes of a file from `offset` on as a tensor of this shape. It must not be written to."""
    # Copy on write, because torch warns about arrays that are not writable. The file never changes.
    return torch.from_numpy(np.memmap(path, dtype=np.uint8, mode="c", offset=offset, shape=shape))


def stored_images(path: Path) -> Tensor:
    """The images in a file that `new_images` wrote, mapped: see `map_images`."""
    array = np.load(path, mmap_mode="r")
    return map_images(path, shape=array.shape, offset=array.offset)


@contextlib.contextmanager
def new_images(path: Path, *, shape: tuple[int, ...]) -> Iterator[Tensor]:
    """A new `.npy` file of uint8 images of this shape, mapped, for the block to fill.

    The file gets its name at the end of the block. If the block raises, there is no file.

    Raises:
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        array = open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
        if hasattr(os, "posix_fallocate"):  # not on macOS
            # Otherwise a full disk would end the process by a signal while the images are filled in.
            with temporary.open("rb+") as file:
                os.posix_fallocate(file.fileno(), 0, temporary.stat().st_size)
        yield torch.from_numpy(array)
        array.flush()
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
