"""Arrays in `.npy`, `.npz` and IDX files, read in parts: they may be larger than memory.

The first bytes of a file say what it is, not its name. `.npy` and IDX files may be packed with gzip. Nothing in a file
is executed: pickled objects are never loaded.
"""

from __future__ import annotations

import gzip
import io
import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from autoenc.data.datasets.file_kinds import require_file
from autoenc.settings import ConfigError

CHUNK_BYTES = 2**26
"""The largest part of an array that is copied into memory at a time."""

MOST_ROW_BYTES = 2**30
"""The largest row that is read: a file of a few bytes may claim any size."""

_MOST_HEADER_BYTES = 2**14

Stream = IO[bytes] | gzip.GzipFile

_IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""By the third byte of the file: http://yann.lecun.com/exdb/mnist, "The IDX file format"."""

_OTHERS = {
    b"\x89HDF": "an HDF5 file; numpy.savez_compressed(FILE, images=...) saves what h5py reads",
    b"MATLAB": "a MATLAB file; numpy.savez_compressed(FILE, images=...) saves what scipy.io.loadmat reads",
    b"\x80": "a pickle, which could run any program; numpy.savez_compressed(FILE, images=...) saves what is in it",
}
"""What other files begin with, and what to do about them."""


@dataclass(frozen=True, kw_only=True)
class StoredArray:
    """An array on the disk.

    `name` is that in its archive, or that of its file. `key` is the setting or option that names the file, for
    messages.
    """

    name: str
    path: Path
    key: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    column_major: bool
    place: int | None
    """Where in the file the numbers are; None if they are packed."""
    open_unpacked: Callable[[], Stream]
    start: int
    """Where the numbers are in what `open_unpacked` opens."""

    def __len__(self) -> int:
        return self.shape[0] if self.shape else 1

    def chunks(self, rows: int, *, limit: int | None = None) -> Iterator[NDArray[Any]]:
        """Copies of at most `rows` rows, fewer if they are large, of the first `limit` rows of the array.

        Raises:
            ConfigError: the file is damaged or cannot be read, or a row is too large.
        """
        count = len(self) if limit is None else min(limit, len(self))
        row_bytes = max(1, math.prod(self.shape[1:]) * self.dtype.itemsize)
        if row_bytes > MOST_ROW_BYTES:
            raise self.refused(f"each row of {self.name} has {row_bytes:,} bytes; at most {MOST_ROW_BYTES:,} are read")
        rows = max(1, min(rows, CHUNK_BYTES // row_bytes))
        read = self._packed_rows if self.place is None else self._mapped_rows
        with readable(self.path, key=self.key):
            for chunk in read(count, rows):
                yield np.array(chunk, dtype=self.dtype.newbyteorder("="))

    def refused(self, problem: str) -> ConfigError:
        """An error about the file."""
        return ConfigError(self.key, problem, value=str(self.path))

    def _mapped_rows(self, count: int, rows: int) -> Iterator[NDArray[Any]]:
        assert self.place is not None
        shape = self.shape or (1,)
        size = math.prod(shape) * self.dtype.itemsize
        content = np.memmap(self.path, np.uint8, mode="r", offset=self.place, shape=size).view(self.dtype)
        array: NDArray[Any] = content.reshape(shape, order="F" if self.column_major else "C")
        for start in range(0, count, rows):
            yield array[start : min(start + rows, count)]

    def _packed_rows(self, count: int, rows: int) -> Iterator[NDArray[Any]]:
        if self.column_major and len(self.shape) > 1:
            raise ValueError("its array is packed column by column; save numpy.ascontiguousarray of it")
        row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        with self.open_unpacked() as file:
            _read_exactly(file, self.start)
            for start in range(0, count, rows):
                size = min(rows, count - start)
                content = _read_exactly(file, size * row_bytes)
                yield np.ndarray((size, *self.shape[1:]), dtype=self.dtype, buffer=content)


def stored_arrays(path: Path, *, key: str) -> dict[str, StoredArray]:
    """The arrays in a file by name: of an archive, its arrays; of another file, one array with the name of the file.

    Raises:
        ConfigError: the file is of another kind, is damaged, or cannot be read.
    """
    with readable(path, key=key):
        require_file(path)
        with path.open("rb") as file:
            first = file.read(4)
        if first.startswith(b"PK"):
            return _members(path, key=key)
        packed = first.startswith(b"\x1f\x8b")
        with _opened(path, packed=packed) as file:
            shape, dtype, column_major, start = _header(file)
        name = path.name.removesuffix(".gz").removesuffix(".npy")
        return {
            name: StoredArray(
                name=name,
                path=path,
                key=key,
                shape=shape,
                dtype=dtype,
                column_major=column_major,
                place=None if packed else _checked(start, shape, dtype, size=path.stat().st_size),
                open_unpacked=partial(_opened, path, packed=packed),
                start=start,
            )
        }


@contextmanager
def readable(path: Path, *, key: str) -> Iterator[None]:
    """Turn the errors of reading a file into a ConfigError about `key`."""
    try:
        yield
    except ConfigError:
        raise
    except (lzma.LZMAError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, struct.error) as error:
        problem = " ".join(str(error).split())
        raise ConfigError(key, f"it cannot be read: {problem}", value=str(path)) from error
    except OSError as error:
        raise ConfigError(key, f"it cannot be read: {error.strerror or error}", value=str(path)) from error


def _opened(path: Path, *, packed: bool) -> Stream:
    return gzip.open(path, "rb") if packed else path.open("rb")


def _members(path: Path, *, key: str) -> dict[str, StoredArray]:
    """The arrays of a zip archive."""
    arrays = {}
    with zipfile.ZipFile(path) as archive, path.open("rb") as content:
        for member in archive.infolist():
            if not member.filename.endswith(".npy"):
                continue
            with archive.open(member) as file:
                shape, dtype, column_major, start = _header(file)
            _checked(start, shape, dtype, size=member.file_size)
            stored = member.compress_type == zipfile.ZIP_STORED and member.compress_size == member.file_size
            name = member.filename.removesuffix(".npy")
            arrays[name] = StoredArray(
                name=name,
                path=path,
                key=key,
                shape=shape,
                dtype=dtype,
                column_major=column_major,
                place=_place_of(member, content) + start if stored else None,
                open_unpacked=partial(_opened_member, path, member),
                start=start,
            )
    return arrays


def _opened_member(path: Path, member: zipfile.ZipInfo) -> IO[bytes]:
    with zipfile.ZipFile(path) as archive:
        return archive.open(member)  # keeps the file open


def _place_of(member: zipfile.ZipInfo, content: IO[bytes]) -> int:
    """Where the bytes of a member begin in the file. Its local header has texts of its own lengths before them."""
    content.seek(member.header_offset + 26)
    name, extra = struct.unpack("<HH", content.read(4))
    return member.header_offset + 30 + int(name) + int(extra)


def _header(file: Stream) -> tuple[tuple[int, ...], np.dtype[Any], bool, int]:
    """Shape, type, whether columns come first, and where the numbers begin."""
    content = file.read(_MOST_HEADER_BYTES)  # numpy would read as much as the header claims to have
    if content.startswith(npy.MAGIC_PREFIX):
        return _npy_header(content)
    if content[:2] == b"\0\0" and len(content) > 3 and content[2] in _IDX_TYPES:
        dimensions = content[3]
        shape = struct.unpack_from(f">{dimensions}I", content, 4)
        return shape, np.dtype(_IDX_TYPES[content[2]]), False, 4 + 4 * dimensions
    others = [what for start, what in _OTHERS.items() if content.startswith(start)]
    raise ValueError(f"it is {others[0]}" if others else "arrays are in .npy, .npz and IDX files")


def _npy_header(content: bytes) -> tuple[tuple[int, ...], np.dtype[Any], bool, int]:
    file = io.BytesIO(content)
    version = npy.read_magic(file)
    try:
        # Version 3.0 differs from 2.0 only in the encoding of the names of fields, which images do not have.
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, column_major, dtype = read(file)
    except (SyntaxError, TypeError, tokenize.TokenError) as error:
        raise ValueError(f"its header is damaged: {error}") from error
    if min(shape, default=0) < 0:
        raise ValueError(f"its shape is {shape}")
    return shape, dtype, column_major, file.tell()


def _checked(start: int, shape: tuple[int, ...], dtype: np.dtype[Any], *, size: int) -> int:
    """`start`, if a file of `size` bytes has all numbers behind it. Pickled objects have another size."""
    needed = math.prod(shape) * dtype.itemsize
    if size - start < needed and not dtype.hasobject:
        raise ValueError(f"{dtype} {shape} needs {needed:,} bytes, and there are {max(0, size - start):,}")
    return start


def _read_exactly(file: Stream, size: int) -> bytes:
    content = file.read(size)
    if len(content) < size:
        raise EOFError("the file ends early")
    return content
