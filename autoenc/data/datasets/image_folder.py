"""A folder of your own pictures as a dataset."""

from __future__ import annotations

import logging
import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import torch
from annotated_types import Gt, Lt
from torch import Tensor

from autoenc.data.datasets.decoded_cache import cached, not_written
from autoenc.data.datasets.decoded_pictures import (
    THREADS,
    DecodedPictures,
    Decoding,
    decode,
    in_threads,
    unreadable_pictures,
)
from autoenc.data.datasets.folder_layout import Picture, drawn, existing, one_line, read_layout
from autoenc.data.datasets.image_files import MAX_PIXELS, Resize, count_pages
from autoenc.data.datasets.memory import copies_held, require_memory, usable_memory
from autoenc.data.datasets.picture_facts import (
    PictureFacts,
    ignored_pages,
    resizing,
    sizes_of,
    unnecessary_changes,
    white_problems,
)
from autoenc.data.datasets.split_remarks import split_sizes, warn_of_missing_classes
from autoenc.data.datasets.splits import Dataset, Pools, Split, Splits, make_splits
from autoenc.settings import ConfigError, PositiveFloat, PositiveInt

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
    `white`, `resize`, `max_pixels`, colours, transparency and rotation.

    With `cache`, the decoded images are kept below `data_dir` for the next start, and mapped from there, so they may be
    larger than memory: see `autoenc.data.datasets.decoded_cache`.
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
    max_pixels: PositiveInt = MAX_PIXELS
    cache: bool = False

    def __post_init__(self) -> None:
        if self.channels not in {1, 3}:
            raise ConfigError("dataset.channels", "it must be 1 (grey) or 3 (colour)", value=self.channels)

    def build(self, *, data_dir: Path) -> Splits:
        """Images (N, C, H, W), with the files' names. `path` is relative to the working directory.

        Raises:
            ConfigError: there is no such folder, it has too few pictures, some cannot be read, or the cache cannot be
                written.
            DatasetError: the pictures do not fit into memory; raised before they are read.
        """
        folder = existing(
            self.path,
            kinds=["a folder"],
            required="it must be a folder with pictures, as in dataset.path=pictures",
        )
        layout = read_layout(folder, test_fraction=self.test_fraction, use_validation=self.validation_fraction > 0)
        with warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as threads:
            # Before the threads start: about damaged EXIF data and the like; the pixels are intact.
            warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
            pictures = {
                name: self._images(files, limit=self.test_limit if name == "test" else self.limit, threads=threads)
                for name, files in layout.pools.items()
            }
            place = data_dir / "image_folder"
            decoded = self._decoded(pictures, folder=folder, place=place, threads=threads)
        kept = {name: pool.kept(pictures[name]) for name, pool in decoded.pools.items()}
        changes = self._reported(decoded, pictures)
        pools = _pools(decoded, kept, class_names=layout.class_names)
        try:
            splits = make_splits(pools, settings=self, folder=self._folder_of_copies(decoded, place=place))
        except OSError as error:
            raise not_written(place, error) from error
        warn_of_missing_classes(splits, folders=layout.folders)
        origins = {name: f"folder {folder}" for name, folder in layout.folders.items()}
        return replace(splits, white=decoded.white, remarks=[*changes, split_sizes(splits, origins=origins)])

    def _decoded(
        self,
        pictures: Mapping[str, Sequence[Picture]],
        *,
        folder: Path,
        place: Path,
        threads: ThreadPoolExecutor,
    ) -> DecodedPictures:
        count = sum(map(len, pictures.values()))
        if not self.cache:
            require_memory(
                count * self.channels * math.prod(self.size) * copies_held(self),
                dataset="image_folder",
                advice="dataset.cache=true keeps them on the disk, or set dataset.limit, a smaller dataset.size or "
                "dataset.channels=1",
            )
        logger.info("reading %d pictures from %s", count, folder)
        decoding = Decoding(
            channels=self.channels,
            size=self.size,
            resize=self.resize,
            white=self.white,
            max_pixels=self.max_pixels,
            unreadable=self.unreadable,
        )

        def fill(images: Mapping[str, Tensor]) -> DecodedPictures:
            return decode(pictures, decoding, into=images, folder=folder, threads=threads)

        if self.cache:
            return cached(pictures, decoding, folder=place, decode=fill, threads=threads)
        shape = (self.channels, *self.size)
        return fill({name: torch.empty((len(pool), *shape), dtype=torch.uint8) for name, pool in pictures.items()})

    def _folder_of_copies(self, decoded: DecodedPictures, *, place: Path) -> Path | None:
        """The folder for the images that are copied from a cache; None if memory suffices for them."""
        copied = sum(pool.images.nbytes for pool in decoded.pools.values()) * (copies_held(self) - 1)
        return place if self.cache and copied > usable_memory() else None

    def _images(self, files: list[Picture], *, limit: int | None, threads: ThreadPoolExecutor) -> list[Picture]:
        """The images to read from some files: each file or each of its pages, at most `limit`."""
        if self.pages == "all":
            count_of = partial(count_pages, max_pixels=self.max_pixels)
            counts = in_threads(count_of, [file.path for file in files], task="counting pages", threads=threads)
            files = [image for file, count in zip(files, counts, strict=True) for image in file.paged(count)]
        return files if limit is None else drawn(files, count=limit, purpose="limit")

    def _reported(self, decoded: DecodedPictures, pictures: Mapping[str, Sequence[Picture]]) -> list[str]:
        """Log what was found while decoding. Returns how the pictures were changed in a line or two."""
        if self.white == "max":
            logger.info("dataset.white=max: the brightest pixel for training is %g", decoded.white)
        if unreadable := unreadable_pictures(decoded, pictures):
            count = sum(map(len, pictures.values()))
            listing = one_line(", ".join(unreadable))
            logger.warning("skipping %d of %d pictures, which cannot be read: %s", len(unreadable), count, listing)
        facts = sum((pool.facts for pool in decoded.pools.values()), Counter[PictureFacts]())
        self._warn(facts, white=decoded.white)
        return self._changes(sizes_of(facts), grey=all(pool.grey for pool in decoded.pools.values()))

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


def _pools(decoded: DecodedPictures, kept: Mapping[str, Sequence[Picture]], *, class_names: tuple[str, ...]) -> Pools:
    numbers = {name: number for number, name in enumerate(class_names)}
    splits = {}
    for name, pool in decoded.pools.items():
        labels = torch.tensor([numbers[picture.class_name] for picture in kept[name]], dtype=torch.int64)
        splits[name] = Split(pool.images, labels, tuple(picture.name for picture in kept[name]))
    files = _numbers([picture.path for picture in kept["train"]])
    return Pools(splits["train"], splits["test"], class_names, validation=splits.get("validation"), files=files)


def _numbers(paths: Sequence[Path]) -> Tensor:
    """A number for each path, int64 (N,): equal paths have equal numbers, in the order of their first appearance."""
    numbers: dict[Path, int] = {}
    return torch.tensor([numbers.setdefault(path, len(numbers)) for path in paths], dtype=torch.int64)
