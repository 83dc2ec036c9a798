"""The published files, if they are present: below AUTOENC_DATA, or in the project's shared folder."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from autoenc.data.datasets import DATASETS, Splits, shown_indices
from autoenc.data.datasets.cifar10 import CIFAR10
from autoenc.data.datasets.idx_sets import IDX_SETS, emnist_set
from autoenc.data.datasets.local_files import find_files
from autoenc.data.datasets.published_sets import PublishedSet

SHARED = Path(__file__).parents[3] / "shared" / "data"
DATA_DIR = Path(os.environ.get("AUTOENC_DATA") or SHARED)


def build(published: PublishedSet, *, data_dir: Path = DATA_DIR, **fields: Any) -> Splits:
    absent = find_files(published.files, published=published, data_dir=data_dir).missing
    if absent:
        names = ", ".join(file.name for file in absent)
        pytest.skip(f"NOT CHECKED AGAINST THE REAL {published.folder}: {data_dir / published.folder} has no {names}")
    common = {"validation_fraction": 0, "split_seed": 0, "limit": None, "shuffle": False, "binarization": "none"}
    return DATASETS.parse({"name": published.name, **common, **fields}).build(data_dir=data_dir)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sums", "train_labels", "test_labels"),
    [
        ("mnist", (1_567_298_545, 264_923_200), [5, 0, 4, 1, 9, 2, 1, 3], [7, 2, 1, 0, 4, 1, 4, 9]),
        ("fashion_mnist", (3_431_114_169, 573_469_082), [9, 0, 0, 3, 0, 2, 7, 2], [9, 2, 1, 1, 6, 1, 4, 6]),
    ],
)
def test_mnist_and_fashion_mnist(
    name: str, sums: tuple[int, int], train_labels: list[int], test_labels: list[int]
) -> None:
    splits = build(IDX_SETS[name])
    assert splits.train.images.shape == (60_000, 1, 28, 28)
    assert splits.test.images.shape == (10_000, 1, 28, 28)
    assert tuple(int(part.images.sum(dtype=torch.int64)) for part in (splits.train, splits.test)) == sums
    assert splits.train.labels[:8].tolist() == train_labels
    assert splits.test.labels[:8].tolist() == test_labels
    assert splits.test.labels[shown_indices(splits.test.labels)].tolist() == list(range(10))


@pytest.mark.slow
def test_packed_and_renamed_copies_are_the_same_images(tmp_path: Path) -> None:
    published = IDX_SETS["mnist"]
    expected = build(published)
    for file in published.files:
        content = find_files([file], published=published, data_dir=DATA_DIR).paths[file.name].read_bytes()
        (tmp_path / f"{file.aliases[0]}.gz").write_bytes(gzip.compress(content, compresslevel=1))
    assert build(published, data_dir=tmp_path).digests == expected.digests


@pytest.mark.slow
@pytest.mark.parametrize(
    ("published", "fields", "train", "test"),
    [
        (IDX_SETS["kmnist"], {}, 6000, 1000),
        (emnist_set("balanced"), {"split": "balanced"}, 2400, 400),
        (emnist_set("digits"), {"split": "digits"}, 24_000, 4000),
        (emnist_set("letters"), {"split": "letters"}, 4800, 800),
        (CIFAR10, {}, 5000, 1000),
    ],
    ids=["kmnist", "emnist balanced", "emnist digits", "emnist letters", "cifar10"],
)
def test_each_class_has_as_many_images_as_published(
    published: PublishedSet, fields: dict[str, Any], train: int, test: int
) -> None:
    splits = build(published, **fields)
    assert torch.bincount(splits.train.labels).tolist() == [train] * len(published.class_names)
    assert torch.bincount(splits.test.labels).tolist() == [test] * len(published.class_names)
