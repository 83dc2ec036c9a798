"""A folder of a person's own pictures."""

from __future__ import annotations

import logging
import math
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
from annotated_types import Gt, Lt
from torch import Tensor

from autoenc.data.datasets.memory import require_memory
from autoenc.data.datasets.picture_lists import CLASSLESS, Lists, Picture, list_pictures, refused
from autoenc.data.datasets.pictures import Resize, UnreadablePicture, read_picture
from autoenc.data.datasets.splits import Pools, Split, Splits, SplitSettings, copies_held, make_splits
from autoenc.settings import ConfigError, PositiveInt

THREADS = min(4, os.cpu_count() or 1)
_AT_ONCE = 256
_MOST_TOLD = 10

logger = logging.getLogger("autoenc.data.datasets")


@dataclass(frozen=True, kw_only=True)
class ImageFolder(SplitSettings):
    """Pictures of any kind and size, read into memory as images of one shape: `channels` and `size` (height, width).

    The folder `path` has them either in folders, which are the classes, or loose, without classes. Where it has folders
    `train` and `test`, these are the pools, each so arranged; otherwise `test_fraction` of the pictures are for the
    test, by a draw that depends on their names alone. `resize` and what becomes of colours, transparency and rotation
    is explained in `autoenc.data.datasets.pictures.read_picture`. With `limit`, the pictures used are drawn too, so
    that every class may have some.
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

    def build(self, *, data_dir: Path) -> Splits:  # noqa: ARG002  (where datasets are downloaded to)
        """Images (N, C, H, W), with the files' names; `path` is relative to where the command is given.

        Raises:
            ConfigError: there is no such folder, it has no pictures or not enough, some cannot be read, or they are
                more than the memory holds, which is told before they are read.
        """
        folder = _existing(self.path)
        lists = list_pictures(folder, test_fraction=self.test_fraction, limit=self.limit)
        count = len(lists.train) + len(lists.test)
        require_memory(
            count * self.channels * math.prod(self.size) * copies_held(self),
            dataset="image_folder",
            advice="set dataset.limit, a smaller dataset.size or dataset.channels=1",
        )
        classes = 0 if lists.class_names == (CLASSLESS,) else len(lists.class_names)
        logger.info("reading %d pictures from %s (classes: %d)", count, folder, classes)
        return make_splits(self._read(lists, folder=folder), settings=self)

    def _read(self, lists: Lists, *, folder: Path) -> Pools:
        from autoenc.data.datasets.bars import counting_bars

        problems: list[UnreadablePicture] = []
        count = len(lists.train) + len(lists.test)
        labels = {name: label for label, name in enumerate(lists.class_names)}
        with (
            _quiet(),
            counting_bars() as progress,
            ThreadPoolExecutor(THREADS, thread_name_prefix="pictures") as threads,
        ):
            task = progress.add_task("reading pictures", total=count)

            def read(pictures: Sequence[Picture]) -> Split:
                results = _in_order(self._attempt, pictures, threads=threads, done=lambda: progress.advance(task))
                return self._collected(pictures, results, labels=labels, problems=problems)

            pools = Pools(read(lists.train), read(lists.test), lists.class_names)
        self._tell(problems, count=count, folder=folder)
        for name, pool in (("training", pools.train), ("the test", pools.test)):
            if not len(pool):
                raise refused(folder, f"no picture for {name} can be read")
        return pools

    def _attempt(self, picture: Picture) -> Tensor | UnreadablePicture:
        try:
            return read_picture(picture.path, channels=self.channels, size=self.size, resize=self.resize)
        except UnreadablePicture as problem:
            return problem

    def _collected(
        self,
        pictures: Sequence[Picture],
        results: Iterator[Tensor | UnreadablePicture],
        *,
        labels: dict[str, int],
        problems: list[UnreadablePicture],
    ) -> Split:
        images = torch.empty((len(pictures), self.channels, *self.size), dtype=torch.uint8)
        kept: list[Picture] = []
        for picture, result in zip(pictures, results, strict=True):
            if isinstance(result, UnreadablePicture):
                problems.append(result)
            else:
                images[len(kept)] = result
                kept.append(picture)
        numbers = torch.tensor([labels[picture.class_name] for picture in kept], dtype=torch.int64)
        return Split(images[: len(kept)], numbers, tuple(picture.name for picture in kept))

    def _tell(self, problems: Sequence[UnreadablePicture], *, count: int, folder: Path) -> None:
        if not problems:
            return
        told = [f"{problem.path.relative_to(folder)} ({problem.reason})" for problem in problems]
        if self.unreadable == "skip":
            listing = ", ".join(told)
            logger.warning("going without %d of %d pictures, which cannot be read: %s", len(told), count, listing)
            return
        more = f" and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
        listing = ", ".join(told[:_MOST_TOLD]) + more
        advice = "repair or remove them, or set dataset.unreadable=skip to go without them"
        raise refused(folder, f"{len(told)} of {count} pictures cannot be read: {listing}; {advice}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Pillow's warnings of damaged EXIF data and the like, where the pixels are well.

    To be entered while nobody else reads pictures: the filters of warnings belong to the whole process.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        yield


def _existing(path: str | None) -> Path:
    """The folder, absolute."""
    if not path:
        raise ConfigError(
            "dataset.path", "it must name a folder with pictures, as in dataset.path=pictures", value=path
        )
    try:
        folder = Path(path).expanduser().absolute()
    except RuntimeError as error:  # nobody's home
        raise refused(path, str(error)) from None
    if not os.path.isdir(folder):  # noqa: PTH112  (pathlib's own raises where one may not look)
        what = "it is a file, and not a folder" if os.path.isfile(folder) else f"there is no folder {folder}"  # noqa: PTH113
        raise refused(path, what)
    return folder


def _in_order(
    work: Callable[[Picture], Tensor | UnreadablePicture],
    pictures: Sequence[Picture],
    *,
    threads: ThreadPoolExecutor,
    done: Callable[[], None],
) -> Iterator[Tensor | UnreadablePicture]:
    """What `work` makes of each, in the order of the pictures, with no more than some waiting to be fetched."""
    for start in range(0, len(pictures), _AT_ONCE):
        for result in threads.map(work, pictures[start : start + _AT_ONCE]):
            done()
            yield result
