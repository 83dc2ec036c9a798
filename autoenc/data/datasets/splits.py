"""The settings that all datasets share, and how a set of images is divided into three splits."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from autoenc.data.datasets.binarization import Binarization, frozen
from autoenc.data.datasets.digests import count_duplicates, image_hashes, ordered_digest, unordered_digest
from autoenc.data.datasets.mapped_files import gathered
from autoenc.data.datasets.memory import byte_count, fits_onto
from autoenc.registry import Choice
from autoenc.seeds import derived_seed
from autoenc.settings import ConfigError, NonNegativeInt, PositiveInt, ProperFraction

SPLITS = ("train", "validation", "test")

logger = logging.getLogger("autoenc.data.datasets")


@dataclass(frozen=True, kw_only=True)
class Dataset(Choice):
    """The settings of a dataset.

    `validation_fraction` of the training images, drawn with `split_seed`, become the validation split. `limit` is the
    most images used of the training pool (training and validation together), `test_limit` the most of the test pool.
    `shuffle` is for the training loop, which draws a new order of the training split each epoch. `binarization` is
    explained in `autoenc.data.datasets.binarization`; what is drawn once is drawn with `split_seed`.
    """

    validation_fraction: ProperFraction
    split_seed: NonNegativeInt
    limit: PositiveInt | None
    test_limit: PositiveInt | None = None
    """The default is for plugins from before this setting existed. Old runs: see `autoenc.runs.old_names`."""
    shuffle: bool
    binarization: Binarization

    def build(self, *, data_dir: Path) -> Splits:
        """The images, on the CPU. `data_dir` is the folder below which datasets keep their files.

        Raises:
            ConfigError: the files are not available, or the settings do not fit them.
        """
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Split:
    """Images with their labels: contiguous uint8 (N, C, H, W) from 0 to 255, and int64 (N,).

    The images may be mapped from a file, which may be larger than memory. They must not be written to.
    `names` are those of the image files, if each image is a file. `indices`, int64 (N,), are the positions of the
    images in the published file, or in the sorted list of the pictures read for training or for the test. By default
    the images are the whole file, in its order. Labels and indices stay on the CPU.
    """

    images: Tensor
    labels: Tensor
    names: tuple[str, ...] | None = None
    indices: Tensor = field(default=None)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.indices is None:
            object.__setattr__(self, "indices", torch.arange(len(self.labels)))  # type: ignore[unreachable]

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> Split:
        """The same split with its images on a device."""
        return replace(self, images=self.images.to(device))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        _, channels, height, width = self.images.shape
        return channels, height, width

    def take(self, indices: Tensor, *, folder: Path | None = None) -> Split:
        """The images at `indices` (K,), in that order, copied into memory, or into a temporary file in `folder`."""
        names = None if self.names is None else tuple(self.names[index] for index in indices.tolist())
        images = self.images[indices] if folder is None else gathered(self.images, indices, folder=folder)
        return Split(images, self.labels[indices], names, self.indices[indices])


@dataclass(frozen=True, eq=False)
class Pools:
    """A dataset as it is published: images for training, images for the test, and perhaps images for validation.

    `files`, int64 (N,), numbers the files of the images for training, from 0, if several images may be from one file.
    The draw of the validation split keeps these together. `rows` are the positions of the images used of a pool, in
    rising order, if not all are; one pool may be both `train` and `test` then.
    """

    train: Split
    test: Split
    class_names: tuple[str, ...]
    validation: Split | None = None
    files: Tensor | None = None
    rows: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Splits:
    """The result of a dataset's `build`. `validation` has no images if `validation_fraction` is 0.

    With dynamic binarization, `train_probabilities` are the grey training images, uint8 (N, C, H, W), from which each
    batch is drawn, and `train` is a fixed draw of them to measure the model on. Otherwise they are None.

    `digests` identify the images by their content, as SHA-256 in hexadecimal: those of each split in their order, as
    they are used, black and white if they are binarized (of `train`, the images that batches are made of); and, as
    `training_pool`, the images of train and validation together, before they are binarized, in any order.
    `duplicates` counts equal images, before they are binarized: see `count_duplicates`.
    `white` is the number in the files that became white, if the dataset has a setting for it.
    `remarks` are lines about the images and how they were changed, for the log of a new run.
    """

    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]
    train_probabilities: Tensor | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    duplicates: Mapping[str, int] = field(default_factory=dict)
    white: float | None = None
    remarks: Sequence[str] = ()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.train.image_shape

    def to(self, device: torch.device) -> Splits:
        """The same splits with their images on a device, if they fit there; labels stay on the CPU."""
        drawn_from = self.train_probabilities
        size = sum(getattr(self, name).images.nbytes for name in SPLITS)
        size += 0 if drawn_from is None else drawn_from.nbytes
        if not fits_onto(device, size):
            logger.info("the images (%s) do not fit onto %s: each batch is moved there", byte_count(size), device)
            return self
        moved = {name: getattr(self, name).to(device) for name in SPLITS}
        return replace(self, **moved, train_probabilities=None if drawn_from is None else drawn_from.to(device))


def make_splits(pools: Pools, *, settings: Dataset, folder: Path | None = None) -> Splits:
    """Three splits, each in the order of the published files.

    Images that have to be copied are copied into memory, or into temporary files in `folder`.

    Raises:
        ConfigError: `validation_fraction` leaves no image for training or none for validation.
        OSError: a temporary file cannot be written.
    """

    def rows_of(name: str, pool: Split, *, limit: int | None) -> Tensor:
        return pools.rows.get(name, torch.arange(len(pool)))[:limit]

    def chosen(pool: Split, rows: Tensor) -> Split:
        return pool if len(rows) == len(pool) else pool.take(rows, folder=folder)

    train_rows, validation = rows_of("train", pools.train, limit=settings.limit), pools.validation
    if validation is None:
        validation = pools.train
        train_rows, validation_rows = _divided(train_rows, files=pools.files, settings=settings)
    else:
        validation_rows = rows_of("validation", validation, limit=settings.limit)
    splits = Splits(
        train=chosen(pools.train, train_rows),
        validation=chosen(validation, validation_rows),
        test=chosen(pools.test, rows_of("test", pools.test, limit=settings.test_limit)),
        class_names=pools.class_names,
    )
    return _identified(splits, settings=settings, folder=folder)


def shown_indices(labels: Tensor, *, count: int = 10) -> Tensor:
    """The test images that pictures show: the first of each class, in the order of the classes.

    If there are fewer classes than `count`, the first other images follow.

    Args:
        labels: int64 (N,).
        count: the most images.

    Returns:
        int64 (min(count, N),)
    """
    firsts = [int((labels == label).nonzero()[0]) for label in sorted(set(labels.tolist()))]
    others = [index for index in range(min(len(labels), count)) if index not in firsts]
    return torch.tensor([*firsts, *others][:count], dtype=torch.int64)


def _identified(splits: Splits, *, settings: Dataset, folder: Path | None) -> Splits:
    """The splits, binarized if the settings say so, with their digests and the counts of their duplicates."""
    published = {name: image_hashes(getattr(splits, name).images) for name in SPLITS}
    used = published
    if settings.binarization != "none":
        splits = _binarized(splits, settings=settings, folder=folder)
        used = {name: image_hashes(getattr(splits, name).images) for name in SPLITS}
    if splits.train_probabilities is not None:
        used["train"] = published["train"]
    digests = {name: ordered_digest(hashes) for name, hashes in used.items()}
    digests["training_pool"] = unordered_digest(published["train"] + published["validation"])
    return replace(splits, digests=digests, duplicates=count_duplicates(published))


def _divided(rows: Tensor, *, files: Tensor | None, settings: Dataset) -> tuple[Tensor, Tensor]:
    """The rows for training and for validation. Images of one file go to the same split."""
    of_file = torch.arange(len(rows)) if files is None else files[rows]
    names, size = "images" if files is None else "files", int(of_file.max()) + 1
    count = _validation_count(size, names=names, fraction=settings.validation_fraction)
    generator = torch.Generator().manual_seed(derived_seed(settings.split_seed, "validation split"))
    held_out = torch.isin(of_file, torch.randperm(size, generator=generator)[:count])
    return rows[~held_out], rows[held_out]


def _binarized(splits: Splits, *, settings: Dataset, folder: Path | None) -> Splits:
    def drawn(split: Split, name: str) -> Split:
        return replace(split, images=frozen(split.images, seed=settings.split_seed, split=name, folder=folder))

    return replace(
        splits,
        train=drawn(splits.train, "train"),
        validation=drawn(splits.validation, "validation"),
        test=drawn(splits.test, "test"),
        train_probabilities=splits.train.images if settings.binarization == "dynamic" else None,
    )


def _validation_count(size: int, *, names: str, fraction: float) -> int:
    count = round(size * fraction)
    if fraction > 0 and not 0 < count < size:
        problem = f"of {size} {names} for training and validation, {count} would be for validation and {size - count} "
        raise ConfigError("dataset.validation_fraction", problem + "for training; both need at least 1", value=fraction)
    return count
