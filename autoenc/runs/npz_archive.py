"""Arrays in an `.npz` file of unknown origin, read with numpy within limits."""

from __future__ import annotations

import contextlib
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO

from autoenc.runs.plain_values import UnreadableError, first_line, open_plain

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ArrayError(ValueError):
    """A file that is refused; the message can follow the file's name."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much is read; a larger file is refused."""

    file_bytes: int
    array_bytes: int
    """Of all arrays together."""
    members: int


@contextlib.contextmanager
def opened_archive(path: Path, *, limits: Limits) -> Iterator[Archive]:
    """An `.npz` file, of which nothing has been unpacked yet.

    Raises:
        OSError: there is no such file, or it cannot be read.
        ArrayError: it is a link or no plain file, too large, or holds something else; also while it is read from.
    """
    try:
        with open_plain(str(path)) as file:
            _check_size(file, limits)
            with zipfile.ZipFile(file) as archive:
                yield Archive(archive, limits.array_bytes)
    except ArrayError:
        raise
    except UnreadableError:
        raise ArrayError("is no plain file") from None
    # Errors of zipfile, zlib and numpy over a damaged file.
    except (ValueError, EOFError, RecursionError, NotImplementedError, RuntimeError, TypeError, MemoryError) as error:
        raise ArrayError(f"is no archive of arrays: {first_line(error)}") from None
    except (zipfile.BadZipFile, zlib.error, struct.error) as error:
        raise ArrayError(f"is no archive of arrays: {first_line(error)}") from None


def _check_size(file: BinaryIO, limits: Limits) -> None:
    """Refuse a large file, or one with many members before zipfile makes an object of each."""
    size = file.seek(0, os.SEEK_END)
    if size > limits.file_bytes:
        raise ArrayError(f"has {size:,} bytes, more than the {limits.file_bytes:,} that are read")
    file.seek(max(0, size - 2**16 - 22))
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")  # the end of the list of members
    if end < 0 or len(tail) - end < 22:
        raise ArrayError("is no archive of arrays")
    if tail[max(0, end - 20) : end].startswith(b"PK\x06\x07"):
        raise ArrayError("is an archive of a kind that only huge ones need")
    members, listing = struct.unpack("<HL", tail[end + 10 : end + 16])
    if members > limits.members or listing > limits.members * 512:
        raise ArrayError(f"has {members} members; a picture's numbers have at most {limits.members}")


class Archive:
    """The arrays of a file, by name."""

    def __init__(self, archive: zipfile.ZipFile, bytes_left: int) -> None:
        self._archive = archive
        self._bytes_left = bytes_left

    @property
    def names(self) -> list[str]:
        """The names of the arrays."""
        return [name.removesuffix(".npy") for name in self._archive.namelist() if name.endswith(".npy")]

    def array(
        self, name: str, *, kinds: str = "fiubU", dimensions: int | None = None, most: int | None = None
    ) -> NDArray[Any]:
        """An array, which may be written to.

        Args:
            name: of the array.
            kinds: allowed types, as numpy's letters.
            dimensions: required number of dimensions; None for any.
            most: bytes; None for what is left of the limit for all arrays.

        Raises:
            ArrayError: there is no such array, or it is something else.
        """
        import numpy as np

        with self._member(name) as member:
            shape, is_fortran, dtype = _header(member, name)
            if dtype.kind not in kinds or (dtype.kind != "U" and dtype.itemsize > 8):
                raise ArrayError(f"has {name!r} that are no plain {'text' if kinds == 'U' else 'numbers'}")
            if dimensions is not None and len(shape) != dimensions:
                raise ArrayError(f"has {name!r} of shape {shape}, and not of {dimensions} dimensions")
            size = math.prod(shape) * dtype.itemsize
            allowed = self._bytes_left if most is None else min(most, self._bytes_left)
            if size > allowed:
                raise ArrayError(f"has {name!r} of {size:,} bytes, more than the {allowed:,} that are read")
            self._bytes_left -= size
            content = member.read(size)
            if len(content) != size or member.read(1):  # the second read checks the member's checksum
                raise ArrayError(f"has {name!r} of another size than it states")
        return np.ndarray(shape, dtype, buffer=bytearray(content), order="F" if is_fortran else "C")

    def _member(self, name: str) -> IO[bytes]:
        try:
            info = self._archive.getinfo(f"{name}.npy")
        except KeyError:
            raise ArrayError(f"has no numbers called {name!r}") from None
        if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ArrayError(f"has {name!r} packed in a way that numpy does not")
        return self._archive.open(info)


def _header(member: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran's order, and type; numpy evaluates at most 10,000 characters, and only literals."""
    import numpy as np

    try:
        version = np.lib.format.read_magic(member)
        header = np.lib.format.read_array_header_1_0(member) if version == (1, 0) else None
    except Exception:
        header = None
    if header is None or any(size < 0 for size in header[0]) or header[2].hasobject:
        raise ArrayError(f"has {name!r} that are no plain numbers in numpy's format 1.0")
    return header
