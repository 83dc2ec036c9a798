"""Find the pictures in a folder by their names."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

SUFFIXES = (
    *(".apng", ".bmp", ".gif", ".j2c", ".j2k", ".jfif", ".jp2", ".jpc", ".jpe", ".jpeg", ".jpf", ".jpg", ".jpx"),
    *(".pbm", ".pfm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"),
)
"""The endings of an image file's name, in lower case or capitals. Other files are skipped."""


class Found(NamedTuple):
    """The pictures in a folder, sorted, and the files and folders that were left out."""

    pictures: list[Path]
    others: Counter[str]
    """The number of other files, by suffix."""
    passed_over: dict[Path, Path]
    """Folders that are read under another name, which is the value."""


def find_pictures(folder: Path) -> Found:
    """The pictures in `folder` and its folders, found by their suffixes. Hidden files and folders are skipped.

    Links are followed. A folder that has several names is read once: under its real name if this is inside `folder`,
    otherwise under the link that comes first in the alphabet. A link to a file is a picture like any other.

    Raises:
        OSError: a folder cannot be read.
    """
    pictures: list[Path] = []
    others: Counter[str] = Counter()
    passed_over: dict[Path, Path] = {}
    for path in _visible_files(folder, passed_over=passed_over):
        suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122  (faster, for a million names)
        if suffix in SUFFIXES:
            pictures.append(Path(path))
        else:
            others[suffix] += 1
    return Found(sorted(pictures), others, passed_over)


def _visible_files(folder: Path, *, passed_over: dict[Path, Path]) -> Iterator[str]:
    """The files in `folder`; `passed_over` receives its folders that are read under another name."""
    names: dict[tuple[int, int], str] = {}
    starts = [str(folder)]
    while starts:  # real folders first, then those behind links, then those behind the links in these
        links: list[str] = []
        for start in sorted(starts):
            for here, folders, files in os.walk(start, onerror=_raise):
                status = os.stat(here)  # noqa: PTH116  (faster)
                name = names.setdefault((status.st_dev, status.st_ino), here)
                if name != here:
                    passed_over[Path(here)] = Path(name)
                    folders.clear()
                    continue
                folders[:] = [name for name in folders if not name.startswith(".")]
                links += [path for path in (f"{here}/{name}" for name in folders) if os.path.islink(path)]  # noqa: PTH114
                yield from (f"{here}/{name}" for name in files if not name.startswith("."))
        starts = links


def _raise(error: OSError) -> NoReturn:
    raise error
