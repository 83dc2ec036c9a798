"""A person's pictures, read from their files by several threads."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from autoenc.application.counting import counting
from autoenc.application.fitting import Fitting
from autoenc.application.source import Batch
from autoenc.data.datasets.image_files import UnreadablePicture, read_picture
from autoenc.settings import ConfigError

log = logging.getLogger(__name__)

Unreadable = Literal["error", "skip"]

THREADS = min(4, os.cpu_count() or 1)
AHEAD = 256
"""How many pictures are read before they are asked for."""
MOST_TOLD = 10


class _Attempt(NamedTuple):
    place: int
    """Among the paths."""
    result: Tensor | UnreadablePicture


@dataclass(frozen=True, kw_only=True)
class PictureFiles:
    """Pictures in files; their names are their paths below `root`, with slashes.

    With `unreadable="error"` those that cannot be read are an error that lists them; with `skip` they are left out, and
    listed in the log.
    """

    key: str
    """What asked for them, for messages."""
    root: Path
    paths: Sequence[Path]
    fitting: Fitting
    unreadable: Unreadable

    @property
    def description(self) -> str:
        """The folder, or the only file."""
        return str(self.paths[0] if len(self.paths) == 1 else self.root)

    @cached_property
    def names(self) -> Sequence[str]:
        """The paths below `root`."""
        return [path.relative_to(self.root).as_posix() for path in self.paths]

    def check(self) -> None:
        """Read all once, small, if they all have to be readable: their headers alone would promise too much.

        Raises:
            ConfigError: some cannot be read.
        """
        if self.unreadable == "skip":
            return
        problems: list[UnreadablePicture] = []
        look = partial(read_picture, channels=1, size=(1, 1), resize="stretch")
        with counting("checking", total=len(self.paths)) as advance, closing(self._attempts(look)) as attempts:
            for attempt in attempts:
                advance(1)
                if isinstance(attempt.result, UnreadablePicture):
                    problems.append(attempt.result)
        self._tell(problems)

    def batches(self, size: int) -> Generator[Batch, None, None]:
        """In the order of the names; whole ones, but for the last.

        Raises:
            ConfigError: some, or all, cannot be read; after all others.
        """
        problems: list[UnreadablePicture] = []
        names: list[str] = []
        images: list[Tensor] = []
        with closing(self._attempts(self.fitting.read)) as attempts:
            for place, result in attempts:
                if isinstance(result, UnreadablePicture):
                    problems.append(result)
                    continue
                names.append(self.names[place])
                images.append(result)
                if len(names) == size:
                    yield Batch(names, torch.stack(images))
                    names, images = [], []
        if names:
            yield Batch(names, torch.stack(images))
        self._tell(problems)

    def _attempts(self, read: Callable[[Path], Tensor]) -> Generator[_Attempt, None, None]:
        """What reading each file leads to, in their order, with no more than some waiting to be fetched."""

        def attempt(path: Path) -> Tensor | UnreadablePicture:
            try:
                return read(path)
            except UnreadablePicture as problem:
                return problem

        waiting: deque[Future[Tensor | UnreadablePicture]] = deque()
        threads = ThreadPoolExecutor(THREADS, thread_name_prefix="pictures")
        try:
            for index, path in enumerate(self.paths):
                waiting.append(threads.submit(attempt, path))
                if len(waiting) > AHEAD:
                    yield _Attempt(index - AHEAD, waiting.popleft().result())
            first = len(self.paths) - len(waiting)
            for index in range(first, len(self.paths)):
                yield _Attempt(index, waiting.popleft().result())
        finally:
            threads.shutdown(cancel_futures=True)

    def _tell(self, problems: Sequence[UnreadablePicture]) -> None:
        if not problems:
            return
        told = [printable(f"{problem.path.relative_to(self.root)} ({problem.reason})") for problem in problems]
        count = f"{len(told):,} of {len(self.paths):,} pictures"
        if self.unreadable == "skip" and len(told) < len(self.paths):
            log.warning("Going without %s, which cannot be read: %s", count, ", ".join(told))
            return
        more = f" and {len(told) - MOST_TOLD:,} more" if len(told) > MOST_TOLD else ""
        advice = "" if self.unreadable == "skip" else "; --unreadable skip goes without them"
        problem = f"{count} cannot be read: {', '.join(told[:MOST_TOLD])}{more}{advice}"
        raise ConfigError(self.key, problem, value=str(self.root))


def printable(text: str) -> str:
    """A text that any terminal takes: a file's name may have bytes in it that are no characters."""
    return "".join(character if character.isprintable() else "?" for character in text)
