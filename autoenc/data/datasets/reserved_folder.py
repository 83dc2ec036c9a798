"""A folder that one process at a time works in."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

LOCK_NAME = ".download.lock"
_ATTEMPTS = 100

logger = logging.getLogger("autoenc.data.datasets")


@contextmanager
def reserved(folder: Path) -> Iterator[None]:
    """Hold `folder`, made where it is missing, against other processes. The lock dies with the process.

    In the end the lock's file is deleted again, and so are those of the folders made here that are still empty.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    created: list[Path] = []
    try:
        lock = _locked(folder, created=created)
    except BaseException:
        _remove_empty(created)
        raise
    try:
        yield
    finally:
        # All deleted while the lock is held: filelock notices when it got hold of a deleted file, and starts over.
        with suppress(PermissionError):  # Windows keeps what is open; filelock deletes it there
            (folder / LOCK_NAME).unlink(missing_ok=True)
        _remove_empty(created)
        lock.release()


def _locked(folder: Path, *, created: list[Path]) -> FileLock:
    for _ in range(_ATTEMPTS):
        # Another process made the folder, failed and took it away again, just now. More than a few times in a row it is
        # something else: there are places where nobody can make a folder.
        with suppress(FileNotFoundError):
            return _make_and_lock(folder, created=created)
    return _make_and_lock(folder, created=created)


def _make_and_lock(folder: Path, *, created: list[Path]) -> FileLock:
    """Before it makes folders, it writes down in `created` which are missing, the deepest first."""
    created[:0] = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return _acquired(folder / LOCK_NAME)


def _acquired(path: Path) -> FileLock:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        logger.info("waiting for another process, which is downloading into %s", path.parent)
        lock.acquire()
    return lock


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with suppress(OSError):  # not empty, or removed already by another process: either is well
            folder.rmdir()
