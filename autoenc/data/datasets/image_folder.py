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
from typing import Annotated, Literal, NamedTuple

import torch
from annotated_types import Gt, Lt
from torch import Tensor

from autoenc.data.datasets.image_files import SUFFIXES, Resize, UnreadablePicture, find_pictures, read_picture
from autoenc.data.datasets.memory import require_memory
from autoenc.data.datasets.published_sets import brief_reason
from autoenc.data.datasets.splits import Dataset, Pools, Split, Splits, copies_held, make_splits
from autoenc.seeds import derived_seed
from autoenc.settings import ConfigError, PositiveInt, listed

CLASSLESS = "images"
POOLS = ("train", "test")
THREADS = min(4, os.cpu_count() or 1)
_BATCH = 256  # pictures that the threads read at a time, so that few wait in memory
_MOST_LISTED = 10

Advance = Callable[[], None]

logger = logging.getLogger("autoenc.data.datasets")


class Picture(NamedTuple):
    """A file to read. `name` is its path relative to the dataset's folder, with slashes."""

    path: Path
    name: str
    class_name: str


class ImageFolderPools(NamedTuple):
    """The pictures of both pools, each sorted by name, and the names of the classes, sorted."""

    train: list[Picture]
    test: list[Picture]
    class_names: tuple[str, ...]


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
        pools = _list_pictures(folder, test_fraction=self.test_fraction, limit=self.limit)
        count = len(pools.train) + len(pools.test)
        require_memory(
            count * self.channels * math.prod(self.size) * copies_held(self),
            dataset="image_folder",
            advice="set dataset.limit, a smaller dataset.size or dataset.channels=1",
        )
        classes = 0 if pools.class_names == (CLASSLESS,) else len(pools.class_names)
        logger.info("reading %d pictures from %s (classes: %d)", count, folder, classes)
        return make_splits(self._read(pools, folder=folder), settings=self)

    def _read(self, pools: ImageFolderPools, *, folder: Path) -> Pools:
        from autoenc.progress import data_bars

        count = len(pools.train) + len(pools.test)
        with warnings.catch_warnings(), data_bars() as progress, ThreadPoolExecutor(THREADS) as threads:
            # Before the threads start: about damaged EXIF data and the like; the pixels are intact.
            warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
            advance = functools.partial(progress.advance, progress.add_task("reading pictures", total=count))
            (train, no_train), (test, no_test) = (
                self._read_pool(pictures, pools.class_names, threads=threads, advance=advance)
                for pictures in (pools.train, pools.test)
            )
        self._report([*no_train, *no_test], count=count, folder=folder)
        for name, pool in (("training", train), ("the test", test)):
            if not len(pool):
                raise _refused(folder, f"no picture for {name} can be read")
        return Pools(train, test, pools.class_names)

    def _read_pool(
        self, pictures: Sequence[Picture], names: tuple[str, ...], *, threads: ThreadPoolExecutor, advance: Advance
    ) -> tuple[Split, list[UnreadablePicture]]:
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
        raise _refused(folder, f"{len(reasons)} of {count} pictures cannot be read: {listing}; {advice}")


def _existing(path: str | None) -> Path:
    if not path:
        raise ConfigError("dataset.path", "it must be a folder with pictures, as in dataset.path=pictures", value=path)
    try:
        folder = Path(path).expanduser().absolute()
    except RuntimeError as error:  # an unknown user's home
        raise _refused(path, str(error)) from None
    if not os.path.isdir(folder):  # noqa: PTH112  (pathlib raises if a parent may not be read)
        missing = f"there is no folder {folder}; if it was moved, give its new place by dataset.path="
        raise _refused(path, "it is a file" if os.path.isfile(folder) else missing)  # noqa: PTH113
    return folder


def _list_pictures(folder: Path, *, test_fraction: float, limit: int | None) -> ImageFolderPools:
    """List the pictures of both pools: those in the folders `train` and `test`; without these, a draw of all pictures.

    The draw depends only on the names of the files, so that most of it stays the same when pictures are added.
    """
    has_pools = all((folder / name).is_dir() for name in POOLS)
    train, test = _published_pools(folder) if has_pools else _drawn_pools(folder, test_fraction=test_fraction)
    class_names = tuple(sorted({picture.class_name for picture in (*train, *test)}))
    train, test = (pool if limit is None else _drawn(pool, count=limit, purpose="limit") for pool in (train, test))
    return ImageFolderPools(train, test, class_names)


def _published_pools(folder: Path) -> tuple[list[Picture], list[Picture]]:
    others = [entry.name for entry in sorted(folder.iterdir()) if entry.is_dir() and entry.name not in POOLS]
    if others:
        logger.info("%s has folders train and test; its other folders are not read: %s", folder, listed(others))
    return _pool(folder / "train", root=folder), _pool(folder / "test", root=folder)


def _drawn_pools(folder: Path, *, test_fraction: float) -> tuple[list[Picture], list[Picture]]:
    pictures = _pool(folder, root=folder)
    size, count = len(pictures), round(len(pictures) * test_fraction)
    if not 0 < count < size:
        problem = f"of {size} pictures, {count} would be for the test and {size - count} for training and validation; "
        raise ConfigError("dataset.test_fraction", problem + "both need at least 1", value=test_fraction)
    test = _drawn(pictures, count=count, purpose="test split")
    return sorted(set(pictures) - set(test)), test


def _pool(folder: Path, *, root: Path) -> list[Picture]:
    """The pictures in a folder. Its folders are their classes; without folders they have no class."""
    try:
        found = find_pictures(folder)
    except OSError as error:
        raise _refused(root, f"{error.filename} cannot be read: {brief_reason(error)}") from error
    if not found.pictures:
        raise _refused(root, f"there are no pictures in {folder}; their names end in {listed(SUFFIXES)}")
    if found.others:
        kinds = listed(f"{count} {suffix or 'without a suffix'}" for suffix, count in found.others.most_common(10))
        logger.info("%s has %d other files, which are skipped: %s", folder, found.others.total(), kinds)
    class_names = _class_names(found.pictures, folder=folder, root=root)
    return [
        Picture(path, path.relative_to(root).as_posix(), class_name)
        for path, class_name in zip(found.pictures, class_names, strict=True)
    ]


def _class_names(pictures: Sequence[Path], *, folder: Path, root: Path) -> list[str]:
    inside = [path.relative_to(folder).parts for path in pictures]
    loose = sum(len(parts) == 1 for parts in inside)
    if 0 < loose < len(inside):
        folders = listed(sorted({parts[0] for parts in inside if len(parts) > 1})[:10])
        problem = f"{folder} has {loose} pictures outside of its folders of pictures ({folders}), which are classes"
        raise _refused(root, f"{problem}; move these pictures into a folder, or out of {folder}")
    return [CLASSLESS if loose else parts[0] for parts in inside]


def _refused(folder: Path | str, problem: str) -> ConfigError:
    """An error about a dataset's folder. The message is one line, even if the names of files are not printable."""
    printable = "".join(character if character.isprintable() else "?" for character in problem)
    return ConfigError("dataset.path", printable, value=str(folder))


def _drawn(pictures: Sequence[Picture], *, count: int, purpose: str) -> list[Picture]:
    # Hashes of the names replace a random draw, because they are the same in every version of a library.
    order = sorted(pictures, key=lambda picture: derived_seed(0, f"{purpose} of pictures: {picture.name}"))
    return sorted(order[:count])
