"""An `.npz` that anyone may have made: read only if it is small, and nothing in it can run."""

from __future__ import annotations

import math
import os
import stat
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 2**28
"""Of all arrays together, and of the file. A picture's own are a few megabytes."""
MOST_ARRAYS = 64

_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def stored_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays in an `.npz`, by name.

    What they would take is added up before any of it is unpacked: some kilobytes can be packed so that they become
    terabytes, and a header of a few bytes can announce an array of any size.

    Raises:
        OSError: there is no such file, or it may not be read.
        ValueError: it is no plain file, too large, or holds something else.
    """
    if not stat.S_ISREG(path.lstat().st_mode):  # a pipe would keep whoever opens it waiting
        raise ValueError("it is no plain file")
    with os.fdopen(os.open(path, _FLAGS), "rb") as file:
        if os.fstat(file.fileno()).st_size > MOST_BYTES:
            raise ValueError(f"it is larger than {MOST_BYTES // 2**20} MB")
        _check_sizes(file)
        file.seek(0)
        with np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}


def _check_sizes(file: BinaryIO) -> None:
    """Refuse what is large when unpacked. More than its directory says is never unpacked of a member."""
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if len(members) > MOST_ARRAYS or sum(member.file_size for member in members) > MOST_BYTES:
            raise ValueError(
                f"unpacked it is larger than {MOST_BYTES // 2**20} MB, or of more than {MOST_ARRAYS} arrays"
            )
        for member in members:
            with archive.open(member) as content:
                _check_header(cast("BinaryIO", content), size=member.file_size)


def _check_header(content: BinaryIO, *, size: int) -> None:
    version = np.lib.format.read_magic(content)
    if version not in _HEADERS:
        raise ValueError(f"its format {version} is not known here")
    shape, _, kind = _HEADERS[version](content)
    if kind.hasobject or any(length < 0 for length in shape) or math.prod(shape) * kind.itemsize > size:
        raise ValueError(f"it announces an array of shape {shape} and type {kind} that is not there")
