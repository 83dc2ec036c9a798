"""Kinds of files. Reading a named pipe or some devices waits for another program, perhaps forever."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def file_kind(path: str | Path) -> str:
    """What is at `path`, behind all links: "a file", "a folder", "a named pipe", ...

    Raises:
        OSError: nothing is there, or it cannot be looked at.
    """
    return _KINDS[stat.S_IFMT(os.stat(path).st_mode)]  # noqa: PTH116  (`path` may be a text)


def require_file(path: Path) -> None:
    """Refuse to read what is not a file.

    Raises:
        OSError: it is a folder, a named pipe, a socket or a device, or nothing is there.
    """
    if (kind := file_kind(path)) != "a file":
        raise OSError(f"it is {kind}, not a file")
