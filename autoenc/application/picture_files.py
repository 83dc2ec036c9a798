"""Pictures in files, read by several threads."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from autoenc.application.image_batches import Batch, Fitting, ImageSource, counting_bar
from autoenc.data.datasets.image_files import ReadPicture, UnreadablePicture
from autoenc.data.datasets.picture_facts import PictureFacts, ignored_pages, sizes_of, white_problems
from autoenc.runs import printable
from autoenc.settings import ConfigError

log = logging.getLogger(__name__)

Unreadable = Literal["error", "skip"]

THREADS = min(4, os.cpu_count() or 1)
AHEAD = 256
"""The most pictures that are read in advance."""
MOST_LISTED = 10

Result = ReadPicture | UnreadablePicture


@dataclass(frozen=True, kw_only=True)
class PictureFiles:
    """Pictures in the files `paths`; their names are their paths below the folder `root`, with slashes.

    Files that cannot be read are listed: with `unreadable="error"` in an error about the option `key`, with "skip" in
    the log.
    """

    key: str
    root: Path
    paths: Sequence[Path]
    fitting: Fitting
    unreadable: Unreadable

    def source(self) -> ImageSource:
        """The pictures, to be read in batches."""
        names = [path.relative_to(self.root).as_posix() for path in self.paths]
        return ImageSource(
            description=self._description, names=names, batches=partial(self._batches, names), check=self._check
        )

    @property
    def _description(self) -> str:
        return str(self.paths[0] if len(self.paths) == 1 else self.root)

    def _batches(self, names: Sequence[str], size: int) -> Generator[Batch, None, None]:
        """Full batches, except for the last. Dark, clipped and unreadable pictures are reported after the last."""
        problems: list[UnreadablePicture] = []
        facts: Counter[PictureFacts] = Counter()
        read: list[tuple[str, Tensor]] = []
        with closing(_read(self.paths, self.fitting.read)) as results:
            for name, result in zip(names, results, strict=True):
                if isinstance(result, UnreadablePicture):
                    problems.append(result)
                else:
                    read.append((name, result.image))
                    facts[result.facts] += 1
                if len(read) == size:
                    yield _stacked(read)
                    read = []
        if read:
            yield _stacked(read)
        for problem in white_problems(facts, white=self.fitting.white, key="--white"):
            log.warning("%s: %s", self._description, problem)
        if (ignored := ignored_pages(facts)) is not None:
            log.warning("%s: %s", self._description, ignored)
        self.fitting.log_resizing(sizes_of(facts), description=self._description)
        self._report(problems)

    def _check(self, size: int) -> None:  # noqa: ARG002
        """Read all files once, at a small size: their headers alone prove too little."""
        if self.unreadable == "skip":
            return
        read_small = replace(self.fitting, image_shape=(1, 1, 1), resize="stretch", invert=False).read
        problems: list[UnreadablePicture] = []
        with counting_bar("checking", total=len(self.paths)) as advance, closing(_read(self.paths, read_small)) as read:
            for result in read:
                if isinstance(result, UnreadablePicture):
                    problems.append(result)
                advance(1)
        self._report(problems)

    def _report(self, problems: Sequence[UnreadablePicture]) -> None:
        if not problems:
            return
        listed = [printable(f"{problem.path.relative_to(self.root)} ({problem.reason})") for problem in problems]
        share = f"{len(listed):,} of {len(self.paths):,} pictures"
        if self.unreadable == "skip" and len(listed) < len(self.paths):
            log.warning("Skipped %s, which cannot be read: %s", share, ", ".join(listed))
            return
        more = f" and {len(listed) - MOST_LISTED:,} more" if len(listed) > MOST_LISTED else ""
        advice = "" if self.unreadable == "skip" else "; --unreadable skip leaves them out"
        problem = f"{share} cannot be read: {', '.join(listed[:MOST_LISTED])}{more}{advice}"
        raise ConfigError(self.key, problem, value=self._description)


def _stacked(read: Sequence[tuple[str, Tensor]]) -> Batch:
    return Batch([name for name, _ in read], torch.stack([image for _, image in read]))


def _read(paths: Sequence[Path], read: Callable[[Path], ReadPicture]) -> Generator[Result, None, None]:
    def attempt(path: Path) -> Result:
        try:
            return read(path)
        except UnreadablePicture as problem:
            return problem

    with ThreadPoolExecutor(THREADS, thread_name_prefix="pictures") as threads:
        for start in range(0, len(paths), AHEAD):
            yield from threads.map(attempt, paths[start : start + AHEAD])
