"""The numbers of a run's picture, read from an `.npz` that anyone may have made: nothing runs, and nothing grows.

`autoenc.figures` reads these files too, for our own runs; it needs matplotlib, and trusts the sizes they state.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.comparison.reading.text import printable

MOST_FILE_BYTES = 2**25
MOST_ARRAY_BYTES = 2**26
MOST_TEXT = 100_000  # characters of the values that are no arrays
MOST_MEMBERS = 32
MOST_LISTING = 2**14  # bytes of the archive's list of members
VALUES = "<values>"  # as in autoenc.figures.picture

_END, _END_SIZE = b"PK\x05\x06", 22
_LOCATOR, _LOCATOR_SIZE = b"PK\x06\x07", 20


class ArrayError(ValueError):
    """A file that is not what it should be; the message is the end of a sentence that began with its name."""


class Stored(NamedTuple):
    """What was asked for."""

    arrays: dict[str, NDArray[Any]]
    values: dict[str, Any]


def read_arrays(path: Path, *, inside: Path, dimensions: Mapping[str, int]) -> Stored:
    """The arrays named in `dimensions`, each of that many dimensions, and the other values.

    Args:
        path: of the file.
        inside: the run's folder; a link that leads out of it is not followed.
        dimensions: by the name of each array, how many it has to have.

    Raises:
        ArrayError: it cannot be read, is too large, or holds something else.
    """
    try:
        with _opened(path, inside=inside) as file:
            _check_listing(file)
            with zipfile.ZipFile(file) as archive:
                arrays = {name: _array(archive, name, dimensions=count) for name, count in dimensions.items()}
                return Stored(arrays, _values(archive))
    except ArrayError:
        raise
    except OSError as error:
        raise ArrayError(f"cannot be read: {error.strerror or error}") from None
    # What a damaged archive leads zipfile, zlib and json to.
    except (ValueError, EOFError, RecursionError, NotImplementedError, RuntimeError, TypeError) as error:
        raise ArrayError(f"is no archive of arrays: {_first_line(error)}") from None
    except (zipfile.BadZipFile, zlib.error, struct.error) as error:
        raise ArrayError(f"is no archive of arrays: {_first_line(error)}") from None


def _opened(path: Path, *, inside: Path) -> BinaryIO:
    """The file, if it is a plain one of the run's own; opened without waiting, as for a pipe one would."""
    if not path.resolve(strict=True).is_relative_to(inside.resolve()):
        raise ArrayError("is a link to somewhere else")
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    file = os.fdopen(descriptor, "rb")
    found = os.fstat(descriptor)
    problem = None
    if not stat.S_ISREG(found.st_mode):
        problem = "is no plain file"
    elif found.st_size > MOST_FILE_BYTES:
        problem = f"has {found.st_size:,} bytes, more than the {MOST_FILE_BYTES:,} that are read"
    if problem:
        file.close()
        raise ArrayError(problem)
    return file


def _check_listing(file: BinaryIO) -> None:
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
    if members > MOST_MEMBERS or listing > MOST_LISTING:
        raise ArrayError(f"has {members} members; a picture's numbers have at most {MOST_MEMBERS}")
    file.seek(0)


def _array(archive: zipfile.ZipFile, name: str, *, dimensions: int) -> NDArray[Any]:
    with _member(archive, name) as member:
        header = _header(member, name)
        if header.dtype.kind not in "fiu" or header.dtype.itemsize > 8:
            raise ArrayError(f"has '{name}' that are no plain numbers")
        if len(header.shape) != dimensions:
            raise ArrayError(f"has '{name}' of shape {header.shape}, and not of {dimensions} dimensions")
        content = _content(member, header, name)
    return np.frombuffer(content, dtype=header.dtype).reshape(header.shape, order=header.order)


def _values(archive: zipfile.ZipFile) -> dict[str, Any]:
    with _member(archive, VALUES) as member:
        header = _header(member, VALUES)
        if header.dtype.kind != "U" or header.shape or header.dtype.itemsize > 4 * MOST_TEXT:
            raise ArrayError(f"has '{VALUES}' that are no short text")
        content = _content(member, header, VALUES)
    text = str(np.frombuffer(content, dtype=header.dtype)[0])
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ArrayError(f"has '{VALUES}' that are no table")
    return values


def _member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    try:
        info = archive.getinfo(f"{name}.npy")
    except KeyError:
        raise ArrayError(f"has no numbers called '{name}'") from None
    if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArrayError(f"has '{name}' packed in a way that numpy does not")
    return archive.open(info)


class _Header(NamedTuple):
    shape: tuple[int, ...]
    order: Literal["C", "F"]
    dtype: np.dtype[Any]


_HEADER = re.compile(
    rb"\{'descr': '([<>|][fiuU]\d{1,7})', 'fortran_order': (True|False), 'shape': \(((?:\d{1,12},? ?)*)\), \} *\n"
)


def _header(member: IO[bytes], name: str) -> _Header:
    """What stands before the numbers, if numpy wrote it, of numbers or texts; numpy itself would evaluate a literal."""
    begin = member.read(10)
    if len(begin) < 10 or begin[:8] != b"\x93NUMPY\x01\x00":
        raise ArrayError(f"has '{name}' that are not in numpy's format 1.0")
    match = _HEADER.fullmatch(member.read(struct.unpack("<H", begin[8:])[0]))
    if match is None:
        raise ArrayError(f"has '{name}' that are no plain numbers")
    shape = tuple(int(size) for size in match[3].decode().split(",") if size.strip())
    return _Header(shape, "F" if match[2] == b"True" else "C", np.dtype(match[1].decode()))


def _content(member: IO[bytes], header: _Header, name: str) -> bytes:
    """What the header promises and nothing more; the member's checksum is checked at its end."""
    size = math.prod(header.shape) * header.dtype.itemsize
    if size > MOST_ARRAY_BYTES:
        raise ArrayError(f"has '{name}' of {size:,} bytes, more than the {MOST_ARRAY_BYTES:,} that are read")
    content = member.read(size)
    if len(content) != size or member.read(1):
        raise ArrayError(f"has '{name}' of another size than it states")
    return content


def list_of_texts(values: Mapping[str, Any], name: str, *, most: int, count: int | None = None) -> list[str]:
    """A list among the values, of the given length, as texts of at most `most` characters that may be shown.

    Raises:
        ArrayError: it is something else.
    """
    found = values.get(name)
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise ArrayError(f"has no list of texts called '{name}'")
    if count is not None and len(found) != count:
        raise ArrayError(f"has {len(found)} of '{name}', and not {count}")
    return [printable(text, most=most) for text in found]


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
