"""Files of folders that come from others, opened only where that can do no harm."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from autoenc.runs.reading.plain import UnreadableError

_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


class Stamp(NamedTuple):
    """What changes when a file does."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    mode: int


def stamp(path: str) -> Stamp | None:
    """Of the file itself, not of what it may point to; None where there is no file."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:  # it is there and may not be looked at; opening it will say why
        return Stamp(0, 0, 0, 0, 0)
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_mode)


class Content(NamedTuple):
    """What was read of a file."""

    whole: bytes
    cut: bool
    """Whether it is the end of a file that is larger."""


def content(path: str, *, most: int) -> bytes:
    """The bytes of a file of at most so many.

    Raises:
        UnreadableError: it is larger, no plain file (a link, a pipe or a device is never opened), or may not be read.
    """
    found = end(path, most=most)
    if found.cut:
        raise UnreadableError(f"is larger than {most // 1024:,} kB")
    return found.whole


def end(path: str, *, most: int) -> Content:
    """The last bytes of a file, at most so many.

    Raises:
        UnreadableError: it is no plain file, or may not be read.
    """
    try:
        mode = os.lstat(path).st_mode
        if not stat.S_ISREG(mode):
            raise UnreadableError("is a link, which is not followed" if stat.S_ISLNK(mode) else "is no plain file")
        descriptor = os.open(path, _FLAGS)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):  # it became something else in between
                raise UnreadableError("is no plain file")
            cut = found.st_size > most
            if cut:
                os.lseek(descriptor, found.st_size - most, os.SEEK_SET)
            return Content(_read(descriptor, most), cut)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from None


def _read(descriptor: int, most: int) -> bytes:
    parts: list[bytes] = []
    while most and (part := os.read(descriptor, most)):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)
