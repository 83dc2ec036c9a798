"""The images of a dataset's split."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from autoenc.application.fitting import Fitting
from autoenc.application.source import Batch, numbered
from autoenc.datasets import DATASETS, Dataset, Split
from autoenc.settings import ConfigError, listed, nearest

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
        name, colon, split_name = text.partition(":")
        dataset = _dataset(name, text=text, key=key, datasets=datasets)
        split_name = split_name if colon else "test"
        if split_name not in SPLITS:
            problem = f"there is no such split{nearest(split_name, SPLITS)}; the splits are {listed(SPLITS)}"
            raise ConfigError(key, problem, value=text)
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


def _dataset(name: str, *, text: str, key: str, datasets: Datasets) -> Dataset:
    if name == OWN:
        return datasets.own
    choices = DATASETS.names()
    if name in choices:
        return datasets.usual(name)
    problem = f"there is no such file or folder, and no such dataset{nearest(name, choices)}"
    raise ConfigError(key, f"{problem}; the datasets are {listed(choices)}", value=text)
