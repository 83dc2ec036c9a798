"""Pictures in files, read by several threads."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from autoenc.application.image_batches import Batch, Fitting, ImageSource, counting_bar
from autoenc.data.datasets.image_files import UnreadablePicture, read_picture
from autoenc.runs import printable
from autoenc.settings import ConfigError

log = logging.getLogger(__name__)

Unreadable = Literal["error", "skip"]

THREADS = min(4, os.cpu_count() or 1)
AHEAD = 256
"""The most pictures that are read in advance."""
MOST_LISTED = 10


Result = Tensor | UnreadablePicture


def picture_files(
    *, key: str, root: Path, paths: Sequence[Path], fitting: Fitting, unreadable: Unreadable
) -> ImageSource:
    """Pictures in files; their names are their paths below `root`, with slashes.

    Args:
        key: the option that named the files, for messages.
        root: a folder.
        paths: the files in it.
        fitting: how pictures are brought to the model's shape.
        unreadable: files that cannot be read are listed: with `error` in an error, with `skip`, which leaves them out,
            in the log.
    """
    names = [path.relative_to(root).as_posix() for path in paths]
    read_small = partial(read_picture, channels=1, size=(1, 1), resize="stretch")

    def report(problems: Sequence[UnreadablePicture]) -> None:
        if problems:
            _report(problems, count=len(paths), key=key, root=root, unreadable=unreadable)

    def check() -> None:
        """Read all files once, at a small size: their headers alone prove too little."""
        if unreadable == "error":
            with (
                counting_bar("checking", total=len(paths)) as advance,
                closing(_read(paths, read_small, advance=advance)) as results,
            ):
                report([result for result in results if isinstance(result, UnreadablePicture)])

    def batches(size: int) -> Generator[Batch, None, None]:
        """Full batches, except for the last; unreadable files are reported after all others."""
        problems: list[UnreadablePicture] = []
        read: list[tuple[str, Tensor]] = []
        with closing(_read(paths, fitting.read)) as results:
            for name, result in zip(names, results, strict=True):
                if isinstance(result, UnreadablePicture):
                    problems.append(result)
                else:
                    read.append((name, result))
                if len(read) == size:
                    yield _stacked(read)
                    read = []
        if read:
            yield _stacked(read)
        report(problems)

    return ImageSource(
        description=str(paths[0] if len(paths) == 1 else root), names=names, batches=batches, check=check
    )


def _stacked(read: Sequence[tuple[str, Tensor]]) -> Batch:
    return Batch([name for name, _ in read], torch.stack([image for _, image in read]))


def _read(
    paths: Sequence[Path], read: Callable[[Path], Tensor], *, advance: Callable[[int], None] = lambda _: None
) -> Generator[Result, None, None]:
    """The result of reading each file, in order; at most `AHEAD` are read in advance."""

    def attempt(path: Path) -> Result:
        try:
            return read(path)
        except UnreadablePicture as problem:
            return problem

    waiting: deque[Future[Result]] = deque()
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="pictures")
    left = iter(paths)
    try:
        for _ in paths:
            waiting.extend(threads.submit(attempt, path) for path in islice(left, AHEAD + 1 - len(waiting)))
            yield waiting.popleft().result()
            advance(1)
    finally:
        threads.shutdown(cancel_futures=True)


def _report(problems: Sequence[UnreadablePicture], *, count: int, key: str, root: Path, unreadable: Unreadable) -> None:
    listed = [printable(f"{problem.path.relative_to(root)} ({problem.reason})") for problem in problems]
    share = f"{len(listed):,} of {count:,} pictures"
    if unreadable == "skip" and len(listed) < count:
        log.warning("Going without %s, which cannot be read: %s", share, ", ".join(listed))
        return
    more = f" and {len(listed) - MOST_LISTED:,} more" if len(listed) > MOST_LISTED else ""
    advice = "" if unreadable == "skip" else "; --unreadable skip goes without them"
    problem = f"{share} cannot be read: {', '.join(listed[:MOST_LISTED])}{more}{advice}"
    raise ConfigError(key, problem, value=str(root))
