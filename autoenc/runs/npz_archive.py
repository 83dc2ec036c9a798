"""Arrays in an `.npz` file of unknown origin, read with numpy within limits."""

from __future__ import annotations

import io
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoenc.runs.plain_values import UnreadableError, first_line, read_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_MEMBERS = 64
"""Arrays in a file; a picture has about ten."""
VALUES = "<values>"
"""The array with the numbers and texts of a picture that are not arrays themselves, as JSON."""


class ArrayError(ValueError):
    """A file that is refused; the message can follow the file's name."""


def read_arrays(path: Path, *, most: int, names: Collection[str] | None = None) -> dict[str, NDArray[Any]]:
    """The arrays of an `.npz` file: numbers, truth values or text. With `names`, those of them that it has.

    `most` is for the bytes of the file, and for those of all arrays together.

    Raises:
        FileNotFoundError: there is no such file.
        ArrayError: it is a link or no plain file, is too large, or holds something else.
    """
    try:
        return _unpacked(read_file(str(path), most=most), most=most, names=names)
    except FileNotFoundError:
        raise
    except UnreadableError as error:
        raise ArrayError(str(error)) from None
    except Exception as error:  # numpy, zipfile and zlib raise errors of many types over a damaged file
        raise ArrayError(f"is no archive of arrays: {first_line(error)}") from None


def _unpacked(content: bytes, *, most: int, names: Collection[str] | None) -> dict[str, NDArray[Any]]:
    import numpy as np

    # Counted before zipfile makes an object of each member. These bytes begin a member's entry in the directory.
    if content.count(b"PK\x01\x02") > MOST_MEMBERS:
        raise UnreadableError(f"has more than {MOST_MEMBERS} members")
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        size = sum(member.file_size for member in archive.zip.infolist())
        if size > most:
            raise UnreadableError(f"has arrays of {size:,} bytes, more than the {most:,} that are read")
        arrays = {name: np.asarray(archive[name]) for name in archive.files if names is None or name in names}
    for name, array in arrays.items():
        if array.dtype.kind not in "fiubU":
            raise UnreadableError(f"has {name!r} that are no plain numbers or text")
    return arrays
