from __future__ import annotations

from typing import Any

import pytest
import torch

from autoenc.data.datasets import Dataset, Split, Splits, shown_indices
from autoenc.data.datasets.memory import images_held
from autoenc.data.datasets.splits import Pools, make_splits
from autoenc.settings import ConfigError


def numbered(count: int, *, start: int = 0) -> Split:
    """Images (N, 2, 3, 4) whose pixels are their number, which is their label too."""
    labels = torch.arange(start, start + count)
    return Split(labels.to(torch.uint8).reshape(-1, 1, 1, 1).repeat(1, 2, 3, 4), labels)


POOLS = Pools(train=numbered(50), test=numbered(20, start=100), class_names=("a", "b"))


def settings(**changes: Any) -> Dataset:
    common = {"validation_fraction": 0.2, "split_seed": 0, "limit": None, "shuffle": True, "binarization": "none"}
    return Dataset(**{**common, **changes})


def split(pools: Pools = POOLS, **changes: Any) -> Splits:
    return make_splits(pools, settings=settings(**changes))


def parts(splits: Splits) -> list[Split]:
    return [splits.train, splits.validation, splits.test]


def numbers(part: Split) -> list[int]:
    """The labels, after a check that each image has its own label."""
    assert torch.equal(part.images.flatten(1).long(), part.labels[:, None].expand(-1, 24))
    assert part.images.is_contiguous()
    assert part.image_shape == (2, 3, 4)
    return part.labels.tolist()


@pytest.mark.parametrize("fraction", [0.0, 0.02, 0.2, 0.98])
def test_the_splits_are_disjoint_and_their_union_is_the_pool(fraction: float) -> None:
    splits = split(split_seed=2, validation_fraction=fraction, limit=50)
    train, validation, test = (numbers(part) for part in parts(splits))
    assert len(validation) == round(50 * fraction)
    assert sorted(train + validation) == list(range(50))
    assert (train, validation) == (sorted(train), sorted(validation))
    assert test == list(range(100, 120))
    assert splits.class_names == ("a", "b")
    assert splits.image_shape == (2, 3, 4)


@pytest.mark.parametrize(("limit", "train", "validation"), [(30, 24, 6), (10, 8, 2), (1000, 40, 10)])
def test_the_limit_takes_the_first_images_for_training_and_none_from_the_test(
    limit: int, train: int, validation: int
) -> None:
    splits = split(limit=limit)
    assert [len(part) for part in parts(splits)] == [train, validation, 20]
    assert sorted([*numbers(splits.train), *numbers(splits.validation)]) == list(range(min(limit, 50)))


@pytest.mark.parametrize(("limit", "test"), [(3, 3), (1000, 20)])
def test_the_test_limit_takes_the_first_images_for_the_test_only(limit: int, test: int) -> None:
    splits = split(test_limit=limit)
    assert numbers(splits.test) == list(range(100, 100 + test))
    assert [len(part) for part in parts(splits)] == [40, 10, test]


def test_the_draw_of_the_validation_images_is_pinned() -> None:
    state = torch.get_rng_state()
    assert numbers(split().validation) == [10, 12, 15, 22, 24, 27, 29, 34, 38, 44]
    assert numbers(split(split_seed=1).validation) != numbers(split().validation)
    assert torch.equal(torch.get_rng_state(), state)


def test_published_validation_images_replace_the_draw() -> None:
    pools = Pools(train=numbered(50), test=numbered(20, start=100), class_names=(), validation=numbered(9, start=70))
    train, validation, test = (numbers(part) for part in parts(split(pools)))
    assert (train, validation, test) == (list(range(50)), list(range(70, 79)), list(range(100, 120)))
    train, validation, test = (numbers(part) for part in parts(split(pools, limit=5)))
    assert (train, validation, test) == (list(range(5)), list(range(70, 75)), list(range(100, 120)))


@pytest.mark.parametrize("limit", [None, 31])
def test_images_of_one_file_stay_in_one_split(limit: int | None) -> None:
    files = torch.arange(50) // 4
    pools = Pools(train=numbered(50), test=numbered(20, start=100), class_names=(), files=files)
    train, validation, _ = (numbers(part) for part in parts(split(pools, limit=limit, validation_fraction=0.3)))
    assert sorted(train + validation) == list(range(limit or 50))
    assert {files[index].item() for index in train}.isdisjoint(files[index].item() for index in validation)
    assert len({files[index].item() for index in validation}) == (4 if limit is None else 2)  # of 13 or 8 files
    one_each = Pools(train=POOLS.train, test=POOLS.test, class_names=(), files=torch.arange(50))
    assert numbers(split(one_each).validation) == numbers(split().validation)


def test_one_file_cannot_be_divided() -> None:
    pools = Pools(train=numbered(50), test=numbered(2), class_names=(), files=torch.zeros(50, dtype=torch.int64))
    with pytest.raises(
        ConfigError, match="of 1 files for training and validation, 0 would be for validation and 1 for"
    ):
        split(pools)


def test_images_are_copied_only_if_necessary() -> None:
    assert split(validation_fraction=0).train.images.data_ptr() == POOLS.train.images.data_ptr()
    splits = split(limit=5, test_limit=5, validation_fraction=0)
    for part in (splits.train, splits.test):  # a view would keep the whole pool in memory
        assert part.images.untyped_storage().nbytes() == 5 * 2 * 3 * 4


@pytest.mark.parametrize(
    ("fraction", "limit", "problem"),
    [
        (0.1, 4, "of 4 images for training and validation, 0 would be for validation and 4 for training"),
        (0.9, 4, "of 4 images for training and validation, 4 would be for validation and 0 for training"),
        (0.5, 1, "of 1 images for training and validation, 0 would be for validation and 1 for training"),
    ],
)
def test_a_fraction_that_leaves_a_split_empty_is_refused(fraction: float, limit: int, problem: str) -> None:
    with pytest.raises(ConfigError, match=f"^dataset.validation_fraction={fraction}: {problem}; both") as caught:
        split(validation_fraction=fraction, limit=limit)
    assert caught.value.key == "dataset.validation_fraction"


@pytest.mark.parametrize(
    ("fraction", "binarization", "limit", "test_limit", "held"),
    [
        (0, "none", None, None, 2 * 70),  # the files' contents and their tensors
        (0.1, "static", None, None, 3 * 70),
        (0.1, "dynamic", 30, None, 50 + 3 * 30 + 3 * 20),
        (0.1, "static", 15, 15, 50 + 3 * 15 + 20 + 3 * 15),
        (0.1, "static", 1, 1, 2 * 70),
    ],
)
def test_how_many_images_are_in_memory(
    fraction: float, binarization: str, limit: int | None, test_limit: int | None, held: int
) -> None:
    """Of pools of 50 and 20: a pool stays in memory while a part of it is copied."""
    chosen = settings(validation_fraction=fraction, limit=limit, test_limit=test_limit, binarization=binarization)
    assert images_held(train=50, test=20, settings=chosen) == held


@pytest.mark.parametrize(
    ("labels", "count", "expected"),
    [
        ([2, 2, 0, 1, 1, 0], 3, [2, 3, 0]),
        ([2, 2, 0, 1, 1, 0], 5, [2, 3, 0, 1, 4]),
        ([2, 2, 0, 1, 1, 0], 10, [2, 3, 0, 1, 4, 5]),
        ([7, 7, 7], 2, [0, 1]),
        ([5, 4, 3, 2, 1, 0], 2, [5, 4]),
        ([], 10, []),
    ],
)
def test_shown_indices(labels: list[int], count: int, expected: list[int]) -> None:
    indices = shown_indices(torch.tensor(labels, dtype=torch.int64), count=count)
    assert indices.dtype == torch.int64
    assert indices.tolist() == expected


def test_names_stay_with_their_images() -> None:
    pool = numbered(50)
    named = Split(pool.images, pool.labels, tuple(f"{label}.png" for label in pool.labels.tolist()))
    for limit in (None, 30):
        for part in parts(split(Pools(train=named, test=named, class_names=("a",)), limit=limit)):
            assert part.names == tuple(f"{label}.png" for label in part.labels.tolist())
    assert split().train.names is None


@pytest.mark.parametrize("binarization", ["none", "static", "dynamic"])
def test_indices_are_the_positions_in_the_published_files(binarization: str) -> None:
    for limit in (None, 30):
        splits = split(limit=limit, binarization=binarization)
        for part, first in zip(parts(splits), (0, 0, 100), strict=True):
            assert part.indices.dtype == torch.int64
            assert torch.equal(part.indices + first, part.labels)
