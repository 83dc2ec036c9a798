"""Arrays in an `.npz` that anyone may have made, read within bounds: nothing in it runs, and nothing grows.

numpy and zipfile trust what such a file says of itself. A list of millions of members becomes as many objects before
the first is looked at, some kilobytes can be packed so that they become terabytes, and a header of a few bytes can
announce an array of any size, or be a literal that is evaluated.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_END, _END_SIZE = b"PK\x05\x06", 22
_LOCATOR, _LOCATOR_SIZE = b"PK\x06\x07", 20
_LISTED = 512
"""Bytes that the archive's list may take for each member; numpy's take some sixty."""


class ArrayError(ValueError):
    """A file that is not what it should be; the message is the end of a sentence that began with its name."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much of a file is read; what has more is refused."""

    file_bytes: int
    array_bytes: int
    """Of all arrays that are read, together."""
    members: int


@contextlib.contextmanager
def opened_archive(path: Path, *, limits: Limits) -> Iterator[Archive]:
    """An `.npz`, in which nothing has been unpacked yet.

    Raises:
        OSError: there is no such file, or it may not be read.
        ArrayError: it is a link or no plain file, too large, or holds something else; also while it is read from.
    """
    if not stat.S_ISREG(path.lstat().st_mode):  # a pipe would keep whoever opens it waiting
        raise ArrayError("is no plain file")
    try:
        with os.fdopen(os.open(path, _FLAGS), "rb") as file:
            _check_size(file, limits)
            _check_listing(file, limits)
            with zipfile.ZipFile(file) as archive:
                yield Archive(archive, limits.array_bytes)
    except ArrayError:
        raise
    # What a damaged archive leads zipfile, zlib and numpy to.
    except (ValueError, EOFError, RecursionError, NotImplementedError, RuntimeError, TypeError, MemoryError) as error:
        raise ArrayError(f"is no archive of arrays: {_first_line(error)}") from None
    except (zipfile.BadZipFile, zlib.error, struct.error) as error:
        raise ArrayError(f"is no archive of arrays: {_first_line(error)}") from None


def _check_size(file: BinaryIO, limits: Limits) -> None:
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode):
        raise ArrayError("is no plain file")
    if found.st_size > limits.file_bytes:
        raise ArrayError(f"has {found.st_size:,} bytes, more than the {limits.file_bytes:,} that are read")


def _check_listing(file: BinaryIO, limits: Limits) -> None:
    """Refuse an archive whose list of members is long, before zipfile makes an object of each."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END_SIZE - 2**16))
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        raise ArrayError("is no archive of arrays")
    if tail[max(0, at - _LOCATOR_SIZE) : at].startswith(_LOCATOR):
        raise ArrayError("is an archive of a kind that only huge ones need")
    members, listing = struct.unpack("<HL", tail[at + 10 : at + 16])
    if members > limits.members or listing > limits.members * _LISTED:
        raise ArrayError(f"has {members} members; a picture's numbers have at most {limits.members}")
    file.seek(0)


class Archive:
    """The arrays of a file, by name."""

    def __init__(self, archive: zipfile.ZipFile, left: int) -> None:
        self._archive = archive
        self._left = left

    @property
    def names(self) -> list[str]:
        """Of the arrays in it."""
        return [name.removesuffix(".npy") for name in self._archive.namelist() if name.endswith(".npy")]

    def array(
        self, name: str, *, kinds: str = "fiubU", dimensions: int | None = None, most: int | None = None
    ) -> NDArray[Any]:
        """One of them, whole.

        Args:
            name: without its ending.
            kinds: of numpy's letters for the kinds of types, those that will do.
            dimensions: how many it has to have; None for any.
            most: bytes that it may take; None for what is left of the limit of all.

        Raises:
            ArrayError: there is none, or it is something else.
        """
        with self._member(name) as member:
            header = _header(member, name)
            if header.dtype.kind not in kinds or (header.dtype.kind != "U" and header.dtype.itemsize > 8):
                raise ArrayError(f"has {name!r} that are no plain {'text' if kinds == 'U' else 'numbers'}")
            if dimensions is not None and len(header.shape) != dimensions:
                raise ArrayError(f"has {name!r} of shape {header.shape}, and not of {dimensions} dimensions")
            content = self._content(member, header, name, most=most)
        # Of a copy, which may be written to.
        return np.ndarray(header.shape, header.dtype, buffer=bytearray(content), order=header.order)

    def _member(self, name: str) -> IO[bytes]:
        try:
            info = self._archive.getinfo(f"{name}.npy")
        except KeyError:
            raise ArrayError(f"has no numbers called {name!r}") from None
        if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ArrayError(f"has {name!r} packed in a way that numpy does not")
        return self._archive.open(info)

    def _content(self, member: IO[bytes], header: _Header, name: str, *, most: int | None) -> bytes:
        """What the header promises and nothing more; the member's checksum is checked at its end."""
        size = math.prod(header.shape) * header.dtype.itemsize
        allowed = self._left if most is None else min(most, self._left)
        if size > allowed:
            raise ArrayError(f"has {name!r} of {size:,} bytes, more than the {allowed:,} that are read")
        self._left -= size
        content = member.read(size)
        if len(content) != size or member.read(1):
            raise ArrayError(f"has {name!r} of another size than it states")
        return content


class _Header(NamedTuple):
    shape: tuple[int, ...]
    order: Literal["C", "F"]
    dtype: np.dtype[Any]


_HEADER = re.compile(
    rb"\{'descr': '([<>|][fiubU]\d{1,7})', 'fortran_order': (True|False), 'shape': \(((?:\d{1,12},? ?)*)\), \} *\n"
)


def _header(member: IO[bytes], name: str) -> _Header:
    """What stands before the numbers, if numpy wrote it, of numbers or texts; numpy itself would evaluate a literal."""
    begin = member.read(10)
    if len(begin) < 10 or begin[:8] != b"\x93NUMPY\x01\x00":
        raise ArrayError(f"has {name!r} that are not in numpy's format 1.0")
    match = _HEADER.fullmatch(member.read(struct.unpack("<H", begin[8:])[0]))
    if match is None:
        raise ArrayError(f"has {name!r} that are no plain numbers")
    shape = tuple(int(size) for size in match[3].decode().split(",") if size.strip())
    return _Header(shape, "F" if match[2] == b"True" else "C", np.dtype(match[1].decode()))


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
