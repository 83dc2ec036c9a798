"""Arrays in `.npy` and `.npz` files, read from front to back: none has to fit into memory."""

from __future__ import annotations

import contextlib
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from autoenc.settings import ConfigError, listed

SUFFIXES = (".npy", ".npz")
MOST_BYTES = 2**26
"""Of an array that are in memory at a time."""

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


@dataclass(frozen=True, kw_only=True)
class StoredArray:
    """An array on disk; `member` is its name in an archive, and None in a file of its own."""

    key: str
    """What asked for it, for messages."""
    path: Path
    member: str | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @classmethod
    def open(cls, path: Path, *, key: str, names: Sequence[str]) -> StoredArray:
        """The array in a file: of an archive, the first of `names` that it has, or else the only array there is.

        Raises:
            ConfigError: there is no such array, or not one of plain numbers or texts.
        """
        member = _chosen(path, key=key, names=names) if path.suffix.lower() == ".npz" else None
        with _opened(path, member, key=key) as file:
            shape, dtype = _header(file, path=path, key=key)
        return cls(key=key, path=path, member=member, shape=shape, dtype=dtype)

    def __len__(self) -> int:
        return self.shape[0] if self.shape else 1

    def chunks(self, rows: int) -> Iterator[NDArray[Any]]:
        """The array in pieces of at most `rows` rows.

        Raises:
            ConfigError: the file ends before the array does.
        """
        row_bytes = max(1, int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize)
        rows = max(1, min(rows, MOST_BYTES // row_bytes))
        with _opened(self.path, self.member, key=self.key) as file:
            _header(file, path=self.path, key=self.key)
            for start in range(0, len(self), rows):
                count = min(rows, len(self) - start)
                content = _read(file, count * row_bytes, path=self.path, key=self.key)
                # A copy, which may be written to.
                yield np.frombuffer(content, dtype=self.dtype).reshape(count, *self.shape[1:]).copy()


def members(path: Path, *, key: str) -> list[str]:
    """The names of the arrays in an `.npz` archive.

    Raises:
        ConfigError: it is no such archive.
    """
    with _complaining(path, key=key), zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def _chosen(path: Path, *, key: str, names: Sequence[str]) -> str:
    found = members(path, key=key)
    known = [name for name in names if name in found] or (found if len(found) == 1 else [])
    if not known:
        wanted = " or ".join(f"'{name}'" for name in names)
        raise ConfigError(key, f"it should have an array {wanted}, and has {listed(found)}", value=str(path))
    return known[0]


@contextlib.contextmanager
def _opened(path: Path, member: str | None, *, key: str) -> Iterator[BinaryIO]:
    with contextlib.ExitStack() as stack:
        with _complaining(path, key=key):
            if member is None:
                file: BinaryIO = stack.enter_context(path.open("rb"))
            else:
                archive = stack.enter_context(zipfile.ZipFile(path))
                file = cast("BinaryIO", stack.enter_context(archive.open(f"{member}.npy")))
        yield file


@contextlib.contextmanager
def _complaining(path: Path, *, key: str) -> Iterator[None]:
    """Say of a file that cannot be read which one it is."""
    try:
        yield
    except OSError as error:
        raise ConfigError(key, f"it cannot be read: {error.strerror or error}", value=str(path)) from error
    except (ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise ConfigError(key, f"it is no whole {path.suffix} file: {error}", value=str(path)) from error


def _header(file: BinaryIO, *, path: Path, key: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and the kind of what follows in the file."""
    with _complaining(path, key=key):
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"its format {version} is not known here")
        shape, fortran_order, dtype = _HEADERS[version](file)
    if dtype.hasobject or dtype.names:
        raise ConfigError(key, f"it holds no plain numbers, but {dtype}", value=str(path))
    if fortran_order and len(shape) > 1:
        problem = "its rows are not one after another (Fortran order); save numpy.ascontiguousarray(...) of it"
        raise ConfigError(key, problem, value=str(path))
    return shape, dtype


def _read(file: BinaryIO, count: int, *, path: Path, key: str) -> bytes:
    with _complaining(path, key=key):
        content = file.read(count)
    if len(content) < count:
        raise ConfigError(key, "it ends before its array does: the file is not whole", value=str(path))
    return content
