"""A folder of your own pictures as a dataset."""

from __future__ import annotations

import functools
import logging
import math
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
from annotated_types import Gt, Lt
from torch import Tensor

from autoenc.data.datasets.image_files import Resize, UnreadablePicture, read_picture
from autoenc.data.datasets.image_folder_pools import CLASSLESS, ImageFolderPools, Picture, list_pictures, refused
from autoenc.data.datasets.memory import require_memory
from autoenc.data.datasets.splits import Dataset, Pools, Split, Splits, copies_held, make_splits
from autoenc.settings import ConfigError, PositiveInt

THREADS = min(4, os.cpu_count() or 1)
_BATCH = 256  # pictures that the threads read at a time, so that few wait in memory
_MOST_LISTED = 10

Advance = Callable[[], None]

logger = logging.getLogger("autoenc.data.datasets")


@dataclass(frozen=True, kw_only=True)
class ImageFolder(Dataset):
    """Pictures of any format and size, read into memory as images of one shape: `channels` and `size` (height, width).

    The folder `path` has one folder of pictures per class, or only pictures, without classes. If it has folders `train`
    and `test`, these are the pools. Otherwise `test_fraction` of the pictures are for the test, by a draw that depends
    only on their names. With `limit` the pictures used are drawn too, so that every class may have some.
    `autoenc.data.datasets.image_files.read_picture` explains `resize`, colours, transparency and rotation.
    """

    path: str | None
    channels: int
    size: tuple[PositiveInt, PositiveInt]
    resize: Resize
    test_fraction: Annotated[float, Gt(0), Lt(1)]
    unreadable: Literal["error", "skip"]

    def __post_init__(self) -> None:
        if self.channels not in {1, 3}:
            raise ConfigError("dataset.channels", "it must be 1 (grey) or 3 (colour)", value=self.channels)

    def build(self, *, data_dir: Path) -> Splits:  # noqa: ARG002
        """Images (N, C, H, W), with the files' names. `path` is relative to the working directory.

        Raises:
            ConfigError: there is no such folder, it has too few pictures, or some cannot be read.
            DatasetError: the pictures do not fit into memory; raised before they are read.
        """
        folder = _existing(self.path)
        listed = list_pictures(folder, test_fraction=self.test_fraction, limit=self.limit)
        count = len(listed.train) + len(listed.test)
        require_memory(
            count * self.channels * math.prod(self.size) * copies_held(self),
            dataset="image_folder",
            advice="set dataset.limit, a smaller dataset.size or dataset.channels=1",
        )
        classes = 0 if listed.class_names == (CLASSLESS,) else len(listed.class_names)
        logger.info("reading %d pictures from %s (classes: %d)", count, folder, classes)
        return make_splits(self._read(listed, folder=folder), settings=self)

    def _read(self, listed: ImageFolderPools, *, folder: Path) -> Pools:
        from autoenc.data.datasets.progress_bars import progress_bars

        count = len(listed.train) + len(listed.test)
        with warnings.catch_warnings(), progress_bars() as progress, ThreadPoolExecutor(THREADS) as threads:
            # Before the threads start: about damaged EXIF data and the like; the pixels are intact.
            warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
            advance = functools.partial(progress.advance, progress.add_task("reading pictures", total=count))
            (train, no_train), (test, no_test) = (
                self._read_pool(pictures, listed.class_names, threads=threads, advance=advance)
                for pictures in (listed.train, listed.test)
            )
        self._report([*no_train, *no_test], count=count, folder=folder)
        for name, pool in (("training", train), ("the test", test)):
            if not len(pool):
                raise refused(folder, f"no picture for {name} can be read")
        return Pools(train, test, listed.class_names)

    def _read_pool(
        self, pictures: Sequence[Picture], names: tuple[str, ...], *, threads: ThreadPoolExecutor, advance: Advance
    ) -> tuple[Split, list[UnreadablePicture]]:
        """The pictures of a pool, and the problems of those that are left out."""
        images = torch.empty((len(pictures), self.channels, *self.size), dtype=torch.uint8)
        kept: list[Picture] = []
        problems: list[UnreadablePicture] = []
        for picture, result in self._results(pictures, threads):
            advance()
            if isinstance(result, UnreadablePicture):
                problems.append(result)
            else:
                images[len(kept)] = result
                kept.append(picture)
        numbers = {name: number for number, name in enumerate(names)}
        labels = torch.tensor([numbers[picture.class_name] for picture in kept], dtype=torch.int64)
        return Split(images[: len(kept)], labels, tuple(picture.name for picture in kept)), problems

    def _results(
        self, pictures: Sequence[Picture], threads: ThreadPoolExecutor
    ) -> Iterator[tuple[Picture, Tensor | UnreadablePicture]]:
        for start in range(0, len(pictures), _BATCH):
            batch = pictures[start : start + _BATCH]
            yield from zip(batch, threads.map(self._attempt, batch), strict=True)

    def _attempt(self, picture: Picture) -> Tensor | UnreadablePicture:
        try:
            return read_picture(picture.path, channels=self.channels, size=self.size, resize=self.resize)
        except UnreadablePicture as problem:
            return problem

    def _report(self, problems: Sequence[UnreadablePicture], *, count: int, folder: Path) -> None:
        """Warn about the pictures that cannot be read, or raise an error that lists some of them."""
        if not problems:
            return
        reasons = [f"{problem.path.relative_to(folder)} ({problem.reason})" for problem in problems]
        if self.unreadable == "skip":
            listing = ", ".join(reasons)
            logger.warning("skipping %d of %d pictures, which cannot be read: %s", len(reasons), count, listing)
            return
        more = f" and {len(reasons) - _MOST_LISTED} more" if len(reasons) > _MOST_LISTED else ""
        listing = ", ".join(reasons[:_MOST_LISTED]) + more
        advice = "repair or remove them, or set dataset.unreadable=skip"
        raise refused(folder, f"{len(reasons)} of {count} pictures cannot be read: {listing}; {advice}")


def _existing(path: str | None) -> Path:
    """The absolute path of the folder."""
    if not path:
        raise ConfigError("dataset.path", "it must be a folder with pictures, as in dataset.path=pictures", value=path)
    try:
        folder = Path(path).expanduser().absolute()
    except RuntimeError as error:  # an unknown user's home
        raise refused(path, str(error)) from None
    if not os.path.isdir(folder):  # noqa: PTH112  (pathlib raises if a parent may not be read)
        raise refused(path, f"there is no folder {folder}" if not os.path.isfile(folder) else "it is a file")  # noqa: PTH113
    return folder
