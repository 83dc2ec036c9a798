"""Three splits of a set of images, and what each dataset's settings have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from autoenc.data.datasets.binarization import Binarization, frozen
from autoenc.seeds import derived_seed
from autoenc.settings import ConfigError, NonNegativeInt, PositiveInt, ProperFraction


class Dataset(Protocol):
    """The settings of a dataset: a frozen dataclass with at least these fields, which `SplitSettings` has."""

    @property
    def validation_fraction(self) -> float: ...  # noqa: D102
    @property
    def split_seed(self) -> int: ...  # noqa: D102
    @property
    def limit(self) -> int | None: ...  # noqa: D102
    @property
    def shuffle(self) -> bool: ...  # noqa: D102
    @property
    def binarization(self) -> Binarization: ...  # noqa: D102

    def build(self, *, data_dir: Path) -> Splits:
        """The images, on the CPU. `data_dir` is the folder below which datasets keep their files.

        Raises:
            ConfigError: the files cannot be had, or the settings do not fit them.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class SplitSettings:
    """The fields every dataset has.

    `validation_fraction` of the training images, drawn by `split_seed`, become the validation split. `limit` is the
    most images used, of the training pool (training and validation together) and of the test pool each. `shuffle` is
    for the training loop, which draws a new order of the training split each epoch; nothing here reads it.
    `binarization` is explained in `autoenc.data.datasets.binarization`; `split_seed` draws what is drawn once.
    """

    validation_fraction: ProperFraction
    split_seed: NonNegativeInt
    limit: PositiveInt | None
    shuffle: bool
    binarization: Binarization


@dataclass(frozen=True, eq=False)
class Split:
    """Images with their labels: contiguous uint8 (N, C, H, W) from 0 to 255, and int64 (N,).

    `names` are those of the files, where each image had one.
    """

    images: Tensor
    labels: Tensor
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.images.dtype != torch.uint8 or self.images.ndim != 4 or not self.images.is_contiguous():
            raise ValueError(f"images must be contiguous uint8 (N, C, H, W), not {_kind(self.images)}")
        if self.labels.dtype != torch.int64 or self.labels.shape != self.images.shape[:1]:
            raise ValueError(f"labels must be int64 ({len(self.images)},), not {_kind(self.labels)}")
        if self.names is not None and len(self.names) != len(self.images):
            raise ValueError(f"names must be {len(self.images)}, not {len(self.names)}")

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

    def take(self, indices: Tensor) -> Split:
        """The images at `indices` (K,), in that order, copied."""
        names = None if self.names is None else tuple(self.names[index] for index in indices.tolist())
        return Split(self.images[indices], self.labels[indices], names)


@dataclass(frozen=True, eq=False)
class Pools:
    """A set as it is published: images for training, and images for the test."""

    train: Split
    test: Split
    class_names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Splits:
    """What a dataset's `build` returns. `validation` has 0 images where `validation_fraction` is 0.

    `train_probabilities` are the grey training images, uint8 (N, C, H, W), from which each batch is drawn anew; None
    where `binarization` is not dynamic. `train` then has a draw of them that stays, to measure the model on.
    """

    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]
    train_probabilities: Tensor | None = None

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.train.image_shape

    def to(self, device: torch.device) -> Splits:
        """The same splits with their images on a device; labels stay on the CPU."""
        moved = {name: getattr(self, name).to(device) for name in ("train", "validation", "test")}
        drawn_from = self.train_probabilities
        return replace(self, **moved, train_probabilities=None if drawn_from is None else drawn_from.to(device))


def make_splits(pools: Pools, *, settings: SplitSettings) -> Splits:
    """Three splits, each in the order of the published files.

    Which images are for validation depends on `split_seed`, `validation_fraction` and the size of the pool alone.

    Raises:
        ConfigError: `validation_fraction` leaves one of the first two splits without an image.
    """
    pool = _first(pools.train, limit=settings.limit)
    count = _validation_count(len(pool), fraction=settings.validation_fraction)
    generator = torch.Generator().manual_seed(derived_seed(settings.split_seed, "validation split"))
    drawn = torch.randperm(len(pool), generator=generator)
    splits = Splits(
        # Without a validation split nothing is moved or copied.
        train=pool.take(drawn[count:].sort().values) if count else pool,
        validation=pool.take(drawn[:count].sort().values),
        test=_first(pools.test, limit=settings.limit),
        class_names=pools.class_names,
    )
    return splits if settings.binarization == "none" else _binarized(splits, settings=settings)


def copies_held(settings: SplitSettings) -> int:
    """How many times over a set is in memory, at the most, while `make_splits` is at work."""
    return 1 + (settings.validation_fraction > 0) + (settings.binarization != "none")


def images_held(counts: Sequence[int], *, settings: SplitSettings) -> int:
    """How many images are in memory, at the most, while pools of these sizes are read and `make_splits` is at work."""
    splitting = 0
    for count in counts:
        used = count if settings.limit is None else min(count, settings.limit)
        whole = count if used < count else 0  # what a limit cuts from stays while `make_splits` is at work
        splitting += whole + used * copies_held(settings)
    reading = 2 * sum(counts)  # what is read, and the same in its place
    return max(reading, splitting)


def shown_indices(labels: Tensor, *, count: int = 10) -> Tensor:
    """Which test images the pictures of a dataset show: the first of each class, in the order of the classes.

    Where there are fewer classes than `count`, the next images in the order of the file fill up.

    Args:
        labels: int64 (N,).
        count: how many, if there are that many.

    Returns:
        int64 (min(count, N),)
    """
    firsts = [int((labels == label).nonzero()[0]) for label in sorted(set(labels.tolist()))]
    others = [index for index in range(min(len(labels), count)) if index not in firsts]
    return torch.tensor([*firsts, *others][:count], dtype=torch.int64)


def _first(pool: Split, *, limit: int | None) -> Split:
    if limit is None or limit >= len(pool):
        return pool
    names = None if pool.names is None else pool.names[:limit]
    # A view would keep the whole pool in memory.
    return Split(pool.images[:limit].clone(), pool.labels[:limit].clone(), names)


def _binarized(splits: Splits, *, settings: SplitSettings) -> Splits:
    """The splits with each image drawn once, and the grey training images beside them where they are needed again."""

    def drawn(split: Split, name: str) -> Split:
        return replace(split, images=frozen(split.images, seed=settings.split_seed, split=name))

    return replace(
        splits,
        train=drawn(splits.train, "train"),
        validation=drawn(splits.validation, "validation"),
        test=drawn(splits.test, "test"),
        train_probabilities=splits.train.images if settings.binarization == "dynamic" else None,
    )


def _validation_count(size: int, *, fraction: float) -> int:
    count = round(size * fraction)
    if fraction > 0 and not 0 < count < size:
        problem = f"of {size} images for training and validation, {count} would be for validation and {size - count} "
        raise ConfigError("dataset.validation_fraction", problem + "for training; both need at least 1", value=fraction)
    return count


def _kind(tensor: Tensor) -> str:
    layout = "" if tensor.is_contiguous() else "non-contiguous "
    return f"{layout}{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
