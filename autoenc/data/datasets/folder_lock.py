"""One process at a time writes to a folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOCK_NAME = ".lock"

logger = logging.getLogger("autoenc.data.datasets")


@contextmanager
def locked_folder(folder: Path, *, task: str) -> Iterator[None]:
    """Make `folder` and keep other processes out of it. The lock ends with the process.

    Folders that were made and stay empty are removed again. `task` is for the log of a process that waits:
    "downloading into".

    Raises:
        OSError: the folder cannot be written to.
    """
    from filelock import FileLock, Timeout  # slow, and seldom needed

    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK_NAME)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        logger.info("waiting for another process, which is %s %s", task, folder)
        lock.acquire()
    try:
        yield
    finally:
        # Deleted while locked: a waiting process notices that it has locked a deleted file, and makes a new one.
        (folder / LOCK_NAME).unlink(missing_ok=True)
        lock.release()
        with suppress(OSError):  # not empty
            for empty in made:
                empty.rmdir()
