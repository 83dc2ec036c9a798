"""Arrays in files as a dataset."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import torch
from annotated_types import Gt, Lt
from torch import Tensor

from autoenc.data.datasets.array_images import BYTES, ImageArray, image_arrays
from autoenc.data.datasets.array_labels import read_labels
from autoenc.data.datasets.array_layout import ArrayLayout, read_array_layout
from autoenc.data.datasets.folder_layout import existing, some
from autoenc.data.datasets.memory import byte_count, usable_memory
from autoenc.data.datasets.published_sets import brief_reason
from autoenc.data.datasets.split_remarks import split_sizes
from autoenc.data.datasets.splits import Dataset, Pools, Split, Splits, make_splits
from autoenc.seeds import derived_seed
from autoenc.settings import ConfigError

FOLDER = "arrays"
"""In `data_dir`, for images that do not fit into memory."""

logger = logging.getLogger("autoenc.data.datasets")


@dataclass(frozen=True, kw_only=True)
class Arrays(Dataset):
    """Images in an `.npz`, `.npy` or IDX file, or in the `.npy` and IDX files of a folder.

    Images are (N, H, W), (N, C, H, W) or (N, H, W, C), with 1 or 3 channels. The names of the arrays say what they are:
    `images`, `imgs`, `x` or `data`; `labels`, `y` or `targets`; with the name of a split before or after it, as in
    `train_images` and `y_test`, or without. A single array may have any name. `images` and `labels` name others. The
    arrays of MedMNIST, Keras, dSprites and MNIST have such names. Splits are those of `ImageFolder`: `val` is the test
    split if there is none, and what is missing is drawn, `test_fraction` for the test.

    `value_range` are the numbers that are black and white. Without it, images are bits, or uint8 from 0 to 255, or from
    0 to 1 if there are no other numbers. All others need it. They are rounded to the 256 levels of a byte.

    Labels are whole numbers, (N,) or (N, 1). Others, such as those of several classes for an image, are not used.

    The bytes of a file are used where they are: the file is mapped, and not copied. Images that have to be unpacked,
    converted or drawn are in memory, or in files in `data_dir` if memory does not suffice. `limit` draws the images for
    training and validation, or for each if both have an array; `test_limit` those for the test.
    """

    path: str | None
    images: str | None
    labels: str | None
    value_range: tuple[float, float] | None
    test_fraction: Annotated[float, Gt(0), Lt(1)]

    def __post_init__(self) -> None:
        black, white = self.value_range or BYTES
        if black == white or not math.isfinite(black + white):
            problem = "it must be two different numbers, those of black and white"
            raise ConfigError("dataset.value_range", problem, value=list(self.value_range or BYTES))

    def build(self, *, data_dir: Path) -> Splits:
        """Images (N, C, H, W), with their positions in the array.

        Raises:
            ConfigError: there is no such file, it is not clear which arrays are the images, or they are damaged.
        """
        layout = read_array_layout(
            existing(
                self.path,
                kinds=["a file", "a folder"],
                required="it must be a file or folder with arrays, as in dataset.path=mine.npz",
            ),
            images=self.images,
            labels=self.labels,
            use_validation=self.validation_fraction > 0,
        )
        images = dict(zip(layout.images, self._image_arrays(layout), strict=True))
        labels = read_labels(layout, required=self.labels is not None)
        folder = self._folder(images, data_dir=data_dir)
        with _written(data_dir):
            pools = {
                split: Split(_read(image, folder=folder), labels.numbers[split]) for split, image in images.items()
            }
            found = Pools(
                train=pools["train"],
                test=pools.get("test", pools["train"]),
                class_names=labels.class_names,
                validation=pools.get("validation"),
                rows=self._rows({split: len(pool) for split, pool in pools.items()}),
            )
            splits = make_splits(found, settings=self, folder=folder)
        return replace(splits, remarks=[*_remarks(images, layout), *labels.remarks, _sizes(splits, layout)])

    def _image_arrays(self, layout: ArrayLayout) -> list[ImageArray]:
        return image_arrays(list(layout.images.values()), value_range=self.value_range)

    def _rows(self, counts: Mapping[str, int]) -> dict[str, Tensor]:
        """The positions of the images of each split in its array, or in that for training, in rising order.

        Which images are for the test depends only on the number of images.
        """
        orders = {name: _order(name, count) for name, count in counts.items()}
        if "test" not in orders:
            held_out = self._test_count(counts["train"])
            orders["test"], orders["train"] = orders["train"][:held_out], orders["train"][held_out:]
        return {name: orders[name][:count].sort().values for name, count in self._used(counts).items()}

    def _used(self, counts: Mapping[str, int]) -> dict[str, int]:
        """How many images each split has; training and validation count together if validation images are drawn."""
        test = counts["test"] if "test" in counts else self._test_count(counts["train"])
        train = counts["train"] if "test" in counts else counts["train"] - test
        limits = {"test": self.test_limit}
        available = {**counts, "train": train, "test": test}
        return {name: min(count, limits.get(name, self.limit) or count) for name, count in available.items()}

    def _test_count(self, size: int) -> int:
        count = round(size * self.test_fraction)
        if not 0 < count < size:
            problem = (
                f"of {size} images, {count} would be for the test and {size - count} for training and validation; "
            )
            raise ConfigError("dataset.test_fraction", problem + "both need at least 1", value=self.test_fraction)
        return count

    def _folder(self, images: Mapping[str, ImageArray], *, data_dir: Path) -> Path | None:
        """The folder for copies of the images; None if memory suffices for them."""
        used = self._used({split: image.shape[0] for split, image in images.items()})
        whole = {split for split, image in images.items() if used[split] == image.shape[0]}
        if self.validation_fraction > 0 and "validation" not in images:
            whole.discard("train")
        converted = sum(image.shape[0] for image in images.values() if not image.is_mappable)
        drawn = sum(count for split, count in used.items() if split not in whole)
        binarized = sum(used.values()) if self.binarization != "none" else 0
        needed = (converted + drawn + binarized) * math.prod(images["train"].shape[1:])
        usable = usable_memory()
        if needed <= usable:
            return None
        folder = data_dir / FOLDER
        logger.info(
            "copies of the images need %s of memory, and %s are available: they are kept in files in %s",
            *(byte_count(needed), byte_count(usable), folder),
        )
        return folder


def _read(image: ImageArray, *, folder: Path | None) -> Tensor:
    """The images, uint8 (N, C, H, W)."""
    if image.is_mappable:
        return image.mapped()
    cache = None if folder is None else image.cache_file(folder)
    if cache is not None:
        verb = "using" if cache.exists() else "writing"
        size = byte_count(math.prod(image.shape))
        logger.info("%s %s (%s): the images of %s; it may be deleted", verb, cache, size, image.stored.name)
    return image.converted(cache=cache)


def _order(split: str, count: int) -> Tensor:
    """The positions of all images in a random order, which depends on no setting, (N,)."""
    generator = torch.Generator().manual_seed(derived_seed(0, f"order of arrays: {split}"))
    return torch.randperm(count, generator=generator)


def _remarks(images: Mapping[str, ImageArray], layout: ArrayLayout) -> Iterator[str]:
    """How the numbers became images, and which arrays are not used."""
    for image in images.values():
        black, white = image.value_range
        numbers = f"{image.stored.name} ({image.stored.dtype}): {black:g} is black, and {white:g} is white"
        if image.stored.dtype.kind == "f" or abs(white - black) > 255:
            yield f"{numbers}; numbers are rounded to 256 levels"
        elif not image.is_bytes:
            yield numbers
    if layout.unused:
        yield f"arrays that are not used: {some(layout.unused)}"


def _sizes(splits: Splits, layout: ArrayLayout) -> str:
    return split_sizes(splits, origins={split: array.name for split, array in layout.images.items()})


@contextmanager
def _written(data_dir: Path) -> Iterator[None]:
    """Turn an error of writing a file in `data_dir` into a ConfigError."""
    try:
        yield
    except OSError as error:
        problem = "images that do not fit into memory are kept in files in it, and these cannot be written"
        raise ConfigError("data_dir", f"{problem}: {brief_reason(error)}", value=str(data_dir)) from error
