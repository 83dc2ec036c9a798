"""The published files, where they are present: below AUTOENC_DATA, or in the folder that is lent to the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from autoenc.data.datasets.emnist import Emnist, EmnistSplit, emnist_set
from autoenc.data.datasets.files import missing
from autoenc.data.datasets.idx import IdxSet
from autoenc.data.datasets.kmnist import KMNIST, Kmnist
from autoenc.data.datasets.mnist import FASHION_MNIST, MNIST, FashionMnist, Mnist

from autoenc.data.datasets import Dataset, Splits, shown_indices
from autoenc.data.datasets.cifar10 import CIFAR10, Cifar10, CifarSet

LENT = Path(__file__).parents[3] / "shared" / "data"
DATA_DIR = Path(os.environ.get("AUTOENC_DATA") or LENT)


def require(published: IdxSet | CifarSet) -> None:
    absent = missing(published.files, folder=DATA_DIR / published.folder)
    if absent:
        names = ", ".join(file.name for file in absent)
        pytest.skip(f"NOT CHECKED AGAINST THE REAL {published.folder}: {DATA_DIR / published.folder} has no {names}")


def check(splits: Splits, *, train_sum: int, test_sum: int, train_labels: list[int], test_labels: list[int]) -> None:
    assert splits.train.images.shape == (60_000, 1, 28, 28)
    assert splits.validation.images.shape == (0, 1, 28, 28)
    assert splits.test.images.shape == (10_000, 1, 28, 28)
    assert splits.train.images.sum(dtype=torch.int64) == train_sum
    assert splits.test.images.sum(dtype=torch.int64) == test_sum
    assert splits.train.labels[:8].tolist() == train_labels
    assert splits.test.labels[:8].tolist() == test_labels
    assert sorted(set(splits.train.labels.tolist())) == list(range(10))
    assert len(splits.class_names) == 10


@pytest.mark.slow
def test_mnist() -> None:
    require(MNIST)
    settings = Mnist(validation_fraction=0, split_seed=0, limit=None, shuffle=False, binarization="none")
    check(
        settings.build(data_dir=DATA_DIR),
        train_sum=1_567_298_545,
        test_sum=264_923_200,
        train_labels=[5, 0, 4, 1, 9, 2, 1, 3],
        test_labels=[7, 2, 1, 0, 4, 1, 4, 9],
    )


@pytest.mark.slow
def test_fashion_mnist() -> None:
    require(FASHION_MNIST)
    settings = FashionMnist(validation_fraction=0, split_seed=0, limit=None, shuffle=False, binarization="none")
    splits = settings.build(data_dir=DATA_DIR)
    check(
        splits,
        train_sum=3_431_114_169,
        test_sum=573_469_082,
        train_labels=[9, 0, 0, 3, 0, 2, 7, 2],
        test_labels=[9, 2, 1, 1, 6, 1, 4, 6],
    )
    shown = shown_indices(splits.test.labels)
    assert splits.test.labels[shown].tolist() == list(range(10))
    assert shown.tolist() == [19, 2, 1, 13, 6, 8, 4, 9, 18, 0]


def check_balance(settings: Dataset, *, classes: int, train: int, test: int) -> None:
    """So many images of each class, as published."""
    splits = settings.build(data_dir=DATA_DIR)
    assert torch.bincount(splits.train.labels).tolist() == [train] * classes
    assert torch.bincount(splits.test.labels).tolist() == [test] * classes
    assert len(splits.class_names) == classes


@pytest.mark.slow
def test_kmnist() -> None:
    require(KMNIST)
    settings = Kmnist(validation_fraction=0, split_seed=0, limit=None, shuffle=False, binarization="none")
    check_balance(settings, classes=10, train=6000, test=1000)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("split", "classes", "train", "test"),
    [("balanced", 47, 2400, 400), ("digits", 10, 24_000, 4000), ("letters", 26, 4800, 800)],
)
def test_emnist(split: EmnistSplit, classes: int, train: int, test: int) -> None:
    require(emnist_set(split))
    settings = Emnist(validation_fraction=0, split_seed=0, limit=None, shuffle=False, binarization="none", split=split)
    check_balance(settings, classes=classes, train=train, test=test)


@pytest.mark.slow
def test_cifar10() -> None:
    require(CIFAR10)
    settings = Cifar10(validation_fraction=0, split_seed=0, limit=None, shuffle=False, binarization="none")
    check_balance(settings, classes=10, train=5000, test=1000)
