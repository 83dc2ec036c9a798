"""A folder of your own pictures as a dataset."""

from __future__ import annotations

import logging
import math
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import torch
from annotated_types import Gt, Lt
from torch import Tensor

from autoenc.data.datasets.folder_layout import Picture, drawn, one_line, read_layout, refused, some, split_sizes
from autoenc.data.datasets.image_files import ReadPicture, Resize, UnreadablePicture, count_pages, read_picture
from autoenc.data.datasets.memory import copies_held, require_memory
from autoenc.data.datasets.picture_facts import (
    PictureFacts,
    ignored_pages,
    resizing,
    sizes_of,
    unnecessary_changes,
    white_problems,
)
from autoenc.data.datasets.splits import SPLITS, Dataset, Pools, Split, Splits, make_splits
from autoenc.settings import ConfigError, PositiveFloat, PositiveInt

THREADS = min(4, os.cpu_count() or 1)
_BATCH = 256  # pictures that the threads read at a time, so that few wait in memory

_PURPOSES = {"train": "training", "validation": "validation", "test": "the test"}

Item = TypeVar("Item")
Result = TypeVar("Result")

logger = logging.getLogger("autoenc.data.datasets")


@dataclass(frozen=True, kw_only=True)
class ImageFolder(Dataset):
    """Pictures of any format and size, read into memory as images of one shape: `channels` and `size` (height, width).

    The folder `path` has one folder of pictures per class, or only pictures, without classes. Or it has folders of
    splits, and these have the folders of classes. Folders of splits are called train or training; val, valid or
    validation; test or testing, in upper or lower case.

    - `train` and `test`: the pictures for training, from which the validation split is drawn, and the test split.
    - `train`, `val` and `test`: the three splits. `validation_fraction` draws nothing then; 0 leaves `val` unread.
    - `train` and `val`: the pictures for training, and the test split. Others report their scores on such a `val`, so
      it is scored and selects nothing. The validation split is drawn from `train`.
    - `train` alone, or no folder of a split: `test_fraction` of the pictures are for the test, by a draw that depends
      only on their names.

    Two folders for one split, folders of splits without `train`, and `train` next to class folders are refused. `limit`
    is the most images of `train`, and of `val` if it is the validation split; `test_limit` is the most for the test.
    They are drawn, so that every class may have some.

    With `pages=all` each page of a file is an image, called `name.tif#2` for example. All pages of a file are in one
    split. `white` is the number that becomes white in every file; `max` is the brightest number in the files for
    training and validation, which are read twice then. `autoenc.data.datasets.image_files.read_picture` explains
    `white`, `resize`, colours, transparency and rotation.
    """

    path: str | None
    channels: int
    size: tuple[PositiveInt, PositiveInt]
    resize: Resize
    test_fraction: Annotated[float, Gt(0), Lt(1)]
    unreadable: Literal["error", "skip"]
    # These have defaults, because the first runs did not record them in their config.yaml.
    pages: Literal["first", "all"] = "first"
    white: PositiveFloat | Literal["max"] | None = None

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
        layout = read_layout(folder, test_fraction=self.test_fraction, use_validation=self.validation_fraction > 0)
        with warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as threads:
            # Before the threads start: about damaged EXIF data and the like; the pixels are intact.
            warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
            pictures = {
                name: self._images(files, limit=self.test_limit if name == "test" else self.limit, threads=threads)
                for name, files in layout.pools.items()
            }
            count = sum(map(len, pictures.values()))
            require_memory(
                count * self.channels * math.prod(self.size) * copies_held(self),
                dataset="image_folder",
                advice="set dataset.limit, a smaller dataset.size or dataset.channels=1",
            )
            logger.info("reading %d pictures from %s", count, folder)
            white = self._brightest(pictures, threads=threads) if self.white == "max" else self.white
            pools, changes = self._read(pictures, layout.class_names, folder=folder, white=white, threads=threads)
        splits = make_splits(pools, settings=self)
        _warn_of_missing_classes(splits, folders=layout.folders)
        origins = {name: f"folder {folder}" for name, folder in layout.folders.items()}
        return replace(splits, white=white, remarks=[*changes, split_sizes(splits, origins=origins)])

    def _images(self, files: list[Picture], *, limit: int | None, threads: ThreadPoolExecutor) -> list[Picture]:
        """The images to read from some files: each file or each of its pages, at most `limit`."""
        if self.pages == "all":
            counts = _mapped(count_pages, [file.path for file in files], task="counting pages", threads=threads)
            files = [image for file, count in zip(files, counts, strict=True) for image in file.paged(count)]
        return files if limit is None else drawn(files, count=limit, purpose="limit")

    def _brightest(self, pictures: Mapping[str, Sequence[Picture]], *, threads: ThreadPoolExecutor) -> float:
        """The brightest number in the files for training and validation."""
        used = [picture for name, pool in pictures.items() if name != "test" for picture in pool]
        # Numbers are measured before they are scaled, so any white will do.
        read = _reader(channels=1, size=(1, 1), resize="stretch", white=1)
        results = _mapped(read, used, task="measuring white", threads=threads)
        brightest = max((result.facts.brightest for result in results if isinstance(result, ReadPicture)), default=0)
        if brightest <= 0:
            raise ConfigError("dataset.white", "no picture for training has a pixel above 0", value="max")
        logger.info("dataset.white=max: the brightest pixel for training is %g", brightest)
        return brightest

    def _read(
        self,
        pictures: Mapping[str, Sequence[Picture]],
        class_names: tuple[str, ...],
        *,
        folder: Path,
        white: float | None,
        threads: ThreadPoolExecutor,
    ) -> tuple[Pools, list[str]]:
        """The images, and how they were changed in a line or two."""
        read = _reader(channels=self.channels, size=self.size, resize=self.resize, white=white)
        pools = {
            name: _Pool(torch.empty((len(pool), self.channels, *self.size), dtype=torch.uint8))
            for name, pool in pictures.items()
        }
        places = [(name, picture) for name, pool in pictures.items() for picture in pool]
        results = _mapped(read, [picture for _, picture in places], task="reading pictures", threads=threads)
        for (name, picture), result in zip(places, results, strict=True):
            pools[name].add(picture, result)
        self._report([line for pool in pools.values() for line in pool.unreadable], count=len(places), folder=folder)
        for name, pool in pools.items():
            if not pool.kept:
                raise refused(folder, f"no picture for {_PURPOSES[name]} can be read")
        facts = sum((pool.facts for pool in pools.values()), Counter[PictureFacts]())
        self._warn(facts, white=white)
        changes = self._changes(sizes_of(facts), grey=all(pool.grey for pool in pools.values()))
        splits = {name: pool.split(class_names) for name, pool in pools.items()}
        files = _numbers([picture.path for picture in pools["train"].kept])
        validation = splits.get("validation")
        return Pools(splits["train"], splits["test"], class_names, validation=validation, files=files), changes

    def _warn(self, facts: Counter[PictureFacts], *, white: float | None) -> None:
        """Warn about dark and clipped pictures, and about pages that are not read."""
        for problem in white_problems(facts, white=white, key="dataset.white"):
            logger.warning(problem)
        if self.pages == "first" and (ignored := ignored_pages(facts)):
            logger.warning("%s; dataset.pages=all reads each page as an image", ignored)

    def _changes(self, sizes: Counter[tuple[int, int]], *, grey: bool) -> list[str]:
        """How pictures of these (width, height) change to become images, and which settings avoid it."""
        lines = (
            resizing(sizes, size=self.size, resize=self.resize, option="dataset.resize="),
            unnecessary_changes(sizes, grey=grey, channels=self.channels, size=self.size),
        )
        return [line for line in lines if line]

    def _report(self, unreadable: Sequence[str], *, count: int, folder: Path) -> None:
        """Warn about the pictures that cannot be read, or raise an error that lists some of them."""
        if not unreadable:
            return
        if self.unreadable == "skip":
            listing = one_line(", ".join(unreadable))
            logger.warning("skipping %d of %d pictures, which cannot be read: %s", len(unreadable), count, listing)
            return
        advice = "repair or remove them, or set dataset.unreadable=skip"
        raise refused(folder, f"{len(unreadable)} of {count} pictures cannot be read: {some(unreadable)}; {advice}")


@dataclass
class _Pool:
    """The pictures of one folder, as they are read."""

    images: Tensor
    kept: list[Picture] = field(default_factory=list)
    facts: Counter[PictureFacts] = field(default_factory=Counter)
    grey: bool = True
    """Whether every picture has equal channels."""
    unreadable: list[str] = field(default_factory=list)
    """The names of pictures that cannot be read, with the reasons."""

    def add(self, picture: Picture, result: ReadPicture | UnreadablePicture) -> None:
        if isinstance(result, UnreadablePicture):
            self.unreadable.append(f"{picture.name} ({result.reason})")
            return
        self.images[len(self.kept)] = result.image
        self.kept.append(picture)
        self.facts[result.facts] += 1
        self.grey = self.grey and bool((result.image == result.image[:1]).all())

    def split(self, class_names: Sequence[str]) -> Split:
        numbers = {name: number for number, name in enumerate(class_names)}
        labels = torch.tensor([numbers[picture.class_name] for picture in self.kept], dtype=torch.int64)
        return Split(self.images[: len(self.kept)], labels, tuple(picture.name for picture in self.kept))


def _reader(
    *, channels: int, size: tuple[int, int], resize: Resize, white: float | None
) -> Callable[[Picture], ReadPicture | UnreadablePicture]:
    def read(picture: Picture) -> ReadPicture | UnreadablePicture:
        try:
            return read_picture(
                picture.path, channels=channels, size=size, resize=resize, white=white, page=picture.page
            )
        except UnreadablePicture as problem:
            return problem

    return read


def _mapped(
    function: Callable[[Item], Result], items: Sequence[Item], *, task: str, threads: ThreadPoolExecutor
) -> Iterator[Result]:
    """The results for the items, in their order; a bar on a terminal shows the progress of the task."""
    from autoenc.progress import data_bars

    with data_bars() as progress:
        bar = progress.add_task(task, total=len(items))
        for start in range(0, len(items), _BATCH):
            for result in threads.map(function, items[start : start + _BATCH]):
                progress.advance(bar)
                yield result


def _warn_of_missing_classes(splits: Splits, *, folders: Mapping[str, str]) -> None:
    present = {name: set(getattr(splits, name).labels.tolist()) for name in SPLITS if len(getattr(splits, name))}
    if "validation" not in folders:  # drawn from the images for training
        present["train"] |= present.pop("validation", set())
    for name, labels in present.items():
        if missing := [class_name for label, class_name in enumerate(splits.class_names) if label not in labels]:
            logger.warning("classes without an image for %s: %s", _PURPOSES[name], some(missing))


def _numbers(paths: Sequence[Path]) -> Tensor:
    """A number for each path, int64 (N,): equal paths have equal numbers, in the order of their first appearance."""
    numbers: dict[Path, int] = {}
    return torch.tensor([numbers.setdefault(path, len(numbers)) for path in paths], dtype=torch.int64)


def _existing(path: str | None) -> Path:
    if not path:
        raise ConfigError("dataset.path", "it must be a folder with pictures, as in dataset.path=pictures", value=path)
    try:
        folder = Path(path).expanduser().absolute()
    except RuntimeError as error:  # an unknown user's home
        raise refused(path, str(error)) from None
    if not os.path.isdir(folder):  # noqa: PTH112  (pathlib raises if a parent may not be read)
        missing = "there is no such folder" + ("" if folder == Path(path) else f" in {Path.cwd()}")
        raise refused(path, "it is a file" if os.path.isfile(folder) else missing)  # noqa: PTH113
    return folder
