"""The images of a dataset's split."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, cast

from torch import Tensor

from autoenc.application.fitting import Fitting
from autoenc.application.source import Batch, numbered
from autoenc.data.datasets import DATASETS, Dataset, Split
from autoenc.settings import ConfigError, listed, nearest

log = logging.getLogger(__name__)

OWN = "run"
"""In the place of a dataset's name: the run's own, with the run's settings."""

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class Datasets:
    """Where datasets are found."""

    usual: Callable[[str], Dataset]
    """From the name of a dataset to its usual settings."""
    own: Dataset
    """The run's."""
    own_name: str
    data_dir: Path


class NamedSplit(NamedTuple):
    """One split of a dataset, by their names."""

    dataset: str
    """`OWN`, or one of the choices."""
    split: str


@dataclass(frozen=True, kw_only=True)
class DatasetImages:
    """The images of one split; their names are those of their files, or else their numbers."""

    description: str
    images: Tensor
    """uint8 (N, C, H, W)."""
    fitting: Fitting
    names: Sequence[str]

    @classmethod
    def open(cls, text: str, *, key: str, fitting: Fitting, datasets: Datasets, limit: int | None) -> DatasetImages:
        """The split that a text like `mnist:train` names; `mnist` alone is the test split.

        Raises:
            ConfigError: there is none of that name, or its files cannot be had.
        """
        name, split_name = named_split(text, key=key)
        dataset = datasets.own if name == OWN else _like_own(name, datasets=datasets)
        split: Split = getattr(dataset.build(data_dir=datasets.data_dir), split_name)
        if not len(split):
            raise ConfigError(key, "this split has no images", value=text)
        names = numbered(len(split)) if split.names is None else split.names
        whose, which = (datasets.own_name, "the run's ") if name == OWN else (name, "")
        return cls(
            description=f"{whose} ({which}{split_name} split)",
            images=split.images[:limit],
            fitting=fitting,
            names=names[:limit],
        )

    def check(self) -> None:
        """Nothing: they are read."""

    def batches(self, size: int) -> Generator[Batch, None, None]:
        """In the order of the split."""
        for start in range(0, len(self.names), size):
            images = self.images[start : start + size]
            yield Batch(self.names[start : start + size], self.fitting.fit(images))


def named_split(text: str, *, key: str) -> NamedSplit:
    """The split that a text like `mnist:train` names; nothing is read.

    Raises:
        ConfigError: there is none of that name.
    """
    dataset, colon, split = text.partition(":")
    choices = DATASETS.names()
    if dataset not in {OWN, *choices}:
        problem = f"there is no such file or folder, and no such dataset{nearest(dataset, choices)}"
        raise ConfigError(key, f"{problem}; the datasets are {listed(choices)}", value=text)
    split = split if colon else "test"
    if split not in SPLITS:
        problem = f"there is no such split{nearest(split, SPLITS)}; the splits are {listed(SPLITS)}"
        raise ConfigError(key, problem, value=text)
    return NamedSplit(dataset, split)


def _like_own(name: str, *, datasets: Datasets) -> Dataset:
    """The usual dataset, black and white if the run's is, and grey if not.

    Otherwise, a model of black-and-white images would find all grey ones odd, whatever they show.
    """
    usual, binarization = datasets.usual(name), datasets.own.binarization
    if usual.binarization == binarization:
        return usual
    log.info("%s is taken with dataset.binarization=%s, as the run's %s is.", name, binarization, datasets.own_name)
    # Settings are dataclasses (`Registry`), which a protocol cannot say.
    like_own: Dataset = replace(cast("Any", usual), binarization=binarization)
    return like_own
