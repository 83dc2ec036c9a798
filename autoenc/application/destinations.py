"""What is written: files that appear whole or not at all, and nothing over what is there unless that is allowed."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from autoenc.data.datasets.image_files import SUFFIXES
from autoenc.runs import flush_folder
from autoenc.settings import ConfigError

KEY = "OUTPUT"
OVERVIEW = "overview.png"
THREADS = min(4, os.cpu_count() or 1)


def check_suffix(path: Path, *, suffix: str) -> None:
    """Refuse a name that would not say what the file is.

    Raises:
        ConfigError: it does not end in `suffix`.
    """
    if path.suffix.lower() != suffix:
        raise ConfigError(KEY, f"it must be the name of a {suffix} file", value=str(path))


def check_file(path: Path, *, overwrite: bool) -> None:
    """Refuse a file that may not be written.

    Raises:
        ConfigError: something is there already.
    """
    if path.is_dir():
        raise ConfigError(KEY, "this is a folder, and should be a file", value=str(path))
    if path.exists() and not overwrite:
        raise ConfigError(KEY, "this file exists; --overwrite replaces it", value=str(path))


def check_folder(path: Path, *, overwrite: bool) -> None:
    """Refuse a folder that pictures may not be written into.

    Raises:
        ConfigError: it is no folder, or there is something in it.
    """
    if path.exists() and not path.is_dir():
        raise ConfigError(KEY, "it is a file, and should be a folder for the pictures", value=str(path))
    if path.is_dir() and not overwrite and any(path.iterdir()):
        problem = "this folder is not empty; --overwrite replaces the files in it that have the same names"
        raise ConfigError(KEY, problem, value=str(path))


def check_apart(path: Path, *, given: str, key: str) -> None:
    """Refuse to write where the pictures come from: they could be replaced, or the results taken for some of them.

    Args:
        path: what would be written.
        given: where pictures come from.
        key: what asked for those, for the message.

    Raises:
        ConfigError: `path` is what is given, in it, or around it.
    """
    here, there = path.resolve(), Path(given).expanduser().resolve()
    if there.exists() and (here == there or here in there.parents or there in here.parents):
        raise ConfigError(KEY, f"{key} is there too; the results need a place of their own", value=str(path))


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write to that takes the name `path` in the end, on the disk; or, after an error, is gone again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        with temporary.open("w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    flush_folder(path.parent)


class PictureFolder:
    """A folder with a PNG for each picture, called like it; see `file_names`."""

    def __init__(self, path: Path, *, names: Sequence[str]) -> None:
        self.path = path
        self._files = file_names(names)
        self._made: set[Path] = set()

    def write(self, names: Sequence[str], images: Tensor) -> None:
        """Write images (B, C, H, W) in [0, 1] scale under these names; what leaves [0, 1] is clipped."""
        pixels = (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()  # (B, H, W, C)
        paths = [self.path / self._files[name] for name in names]
        for folder in {path.parent for path in paths} - self._made:
            folder.mkdir(parents=True, exist_ok=True)
            self._made.add(folder)
        with ThreadPoolExecutor(THREADS, thread_name_prefix="pictures") as threads:
            list(threads.map(_write_picture, paths, pixels))  # `list` for the errors


def file_names(names: Sequence[str]) -> dict[str, str]:
    """The file, relative to the folder, for each picture: its own path with the suffix `.png` instead of its own.

    Where that would be one file for several (`a.jpg` and `a.png`, or, as some systems take them for the same, `A.jpg`),
    or the overview's, the suffix is added instead: `a.jpg.png`.

    Raises:
        ConfigError: a name, which may come from somebody else's file, leads out of the folder, or there are two alike.
    """
    short = {name: _with_suffix(name) for name in names}
    counts = Counter(file.casefold() for file in [OVERVIEW, *short.values()])
    files = {name: file if counts[file.casefold()] == 1 else f"{name}.png" for name, file in short.items()}
    if len({file.casefold() for file in files.values()}) < len(names):
        raise ConfigError("INPUT", "several of the pictures have the same name")
    return files


def _with_suffix(name: str) -> str:
    path = Path(name)
    if not path.name or path.anchor or ".." in path.parts or "\0" in name:
        raise ConfigError("INPUT", "a picture's name leads out of the folder", value=name)
    return f"{path.with_suffix('') if path.suffix.lower() in SUFFIXES else path}.png"


def _write_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    """An image (H, W, C) as a PNG. It is not flushed to the disk, which takes longer than all the rest."""
    temporary = _temporary(path)
    try:
        Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(temporary, format="PNG")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{secrets.token_hex(8)}.new")  # short: a name may be as long as names may be
