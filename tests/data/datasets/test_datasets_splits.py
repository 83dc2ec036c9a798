from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch

from autoenc.data.datasets import Split, Splits, SplitSettings, shown_indices
from autoenc.data.datasets.binarization import Binarization
from autoenc.data.datasets.splits import Pools, images_held, make_splits
from autoenc.settings import ConfigError


def settings(
    *, validation_fraction: float = 0.2, split_seed: int = 0, limit: int | None = None, shuffle: bool = True
) -> SplitSettings:
    return SplitSettings(
        validation_fraction=validation_fraction,
        split_seed=split_seed,
        limit=limit,
        shuffle=shuffle,
        binarization="none",
    )


def numbered(count: int, *, start: int = 0) -> Split:
    """Images (N, 2, 3, 4) that carry their number, which is their label too."""
    labels = torch.arange(start, start + count)
    return Split(labels.to(torch.uint8).reshape(-1, 1, 1, 1).repeat(1, 2, 3, 4), labels)


POOLS = Pools(train=numbered(50), test=numbered(20, start=100), class_names=("a", "b"))


def split(
    *, validation_fraction: float = 0.2, split_seed: int = 0, limit: int | None = None, pools: Pools = POOLS
) -> Splits:
    return make_splits(
        pools, settings=settings(validation_fraction=validation_fraction, split_seed=split_seed, limit=limit)
    )


def check_images_follow_labels(splits: Splits) -> None:
    for part in (splits.train, splits.validation, splits.test):
        assert torch.equal(part.images[:, 1, 2, 3].long(), part.labels)
        assert part.images.is_contiguous()
        assert part.image_shape == (2, 3, 4)


def test_the_validation_split_is_a_seeded_draw_and_both_keep_the_order_of_the_file() -> None:
    splits = split()
    check_images_follow_labels(splits)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (40, 10, 20)
    assert splits.validation.labels.tolist() == sorted(splits.validation.labels.tolist())
    assert splits.train.labels.tolist() == sorted(splits.train.labels.tolist())
    assert sorted([*splits.train.labels.tolist(), *splits.validation.labels.tolist()]) == list(range(50))
    assert splits.validation.labels.tolist() != list(range(10))
    assert torch.equal(splits.test.labels, POOLS.test.labels)
    assert splits.class_names == ("a", "b")
    assert splits.image_shape == (2, 3, 4)


def test_the_draw_is_pinned() -> None:
    assert split().validation.labels.tolist() == [10, 12, 15, 22, 24, 27, 29, 34, 38, 44]


def test_the_seed_and_nothing_else_changes_the_draw() -> None:
    state = torch.get_rng_state()
    again, other = split(), split(split_seed=1)
    assert torch.equal(again.validation.labels, split().validation.labels)
    assert not torch.equal(again.validation.labels, other.validation.labels)
    assert torch.equal(again.test.labels, other.test.labels)
    assert torch.equal(torch.get_rng_state(), state)


def test_without_a_validation_split_the_training_images_stay_as_they_are() -> None:
    splits = split(validation_fraction=0, split_seed=3)
    check_images_follow_labels(splits)
    assert splits.train.labels.tolist() == list(range(50))
    assert splits.train.images.data_ptr() == POOLS.train.images.data_ptr()
    assert len(splits.validation) == 0
    assert splits.validation.images.shape == (0, 2, 3, 4)


@pytest.mark.parametrize(
    ("limit", "train", "validation", "test"), [(30, 24, 6, 20), (10, 8, 2, 10), (1000, 40, 10, 20)]
)
def test_the_limit_is_for_the_training_pool_and_the_test_pool(
    limit: int, train: int, validation: int, test: int
) -> None:
    splits = split(limit=limit)
    check_images_follow_labels(splits)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (train, validation, test)
    assert sorted([*splits.train.labels.tolist(), *splits.validation.labels.tolist()]) == list(range(min(limit, 50)))
    assert splits.test.labels.tolist() == list(range(100, 100 + test))


def test_a_limited_split_does_not_hold_on_to_the_rest() -> None:
    splits = split(limit=5, validation_fraction=0)
    assert splits.train.images.untyped_storage().nbytes() == 5 * 2 * 3 * 4
    assert splits.test.images.untyped_storage().nbytes() == 5 * 2 * 3 * 4


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


def test_the_smallest_pool_that_can_be_split() -> None:
    splits = split(validation_fraction=0.5, limit=2)
    assert (len(splits.train), len(splits.validation)) == (1, 1)


@pytest.mark.parametrize(
    ("fraction", "binarization", "limit", "held"),
    [
        (0, "none", None, 2 * 70),  # while they are read
        (0.1, "static", None, 3 * 70),
        (0.1, "static", 50, 3 * 70),
        (0.1, "static", 30, 50 + 3 * 30 + 3 * 20),
        (0.1, "static", 15, 50 + 3 * 15 + 20 + 3 * 15),
        (0.1, "static", 1, 2 * 70),
    ],
)
def test_how_many_images_are_in_memory(
    fraction: float, binarization: Binarization, limit: int | None, held: int
) -> None:
    """Of pools of 50 and 20: what a limit cuts from stays beside what is made of it."""
    chosen = replace(settings(validation_fraction=fraction, limit=limit), binarization=binarization)
    assert images_held([50, 20], settings=chosen) == held


@pytest.mark.parametrize(
    ("labels", "count", "expected"),
    [
        ([2, 2, 0, 1, 1, 0], 3, [2, 3, 0]),
        ([2, 2, 0, 1, 1, 0], 5, [2, 3, 0, 1, 4]),
        ([2, 2, 0, 1, 1, 0], 10, [2, 3, 0, 1, 4, 5]),
        ([2, 2, 0, 1, 1, 0], 2, [2, 3]),
        ([7, 7, 7], 2, [0, 1]),
        ([5, 4, 3, 2, 1, 0], 2, [5, 4]),
        ([], 10, []),
    ],
)
def test_shown_indices(labels: list[int], count: int, expected: list[int]) -> None:
    indices = shown_indices(torch.tensor(labels, dtype=torch.int64), count=count)
    assert indices.dtype == torch.int64
    assert indices.tolist() == expected


@pytest.mark.parametrize(
    ("images", "labels", "problem"),
    [
        (torch.zeros(2, 1, 3, 3), torch.zeros(2).long(), "images must be contiguous uint8 (N, C, H, W), not float32"),
        (torch.zeros(2, 3, 3).byte(), torch.zeros(2).long(), "not uint8 (2, 3, 3)"),
        (torch.zeros(2, 1, 3, 4).byte().transpose(2, 3), torch.zeros(2).long(), "non-contiguous uint8 (2, 1, 4, 3)"),
        (torch.zeros(2, 1, 3, 3).byte(), torch.zeros(2).byte(), "labels must be int64 (2,), not uint8 (2,)"),
        (torch.zeros(2, 1, 3, 3).byte(), torch.zeros(3).long(), "labels must be int64 (2,), not int64 (3,)"),
    ],
)
def test_a_split_refuses_what_is_not_one(images: torch.Tensor, labels: torch.Tensor, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        Split(images, labels)


def test_names_go_with_their_images() -> None:
    pool = numbered(50)
    named = Split(pool.images, pool.labels, tuple(f"{label}.png" for label in pool.labels.tolist()))
    for limit in (None, 30):
        splits = split(limit=limit, pools=Pools(train=named, test=named, class_names=("a",)))
        for part in (splits.train, splits.validation, splits.test):
            assert part.names == tuple(f"{label}.png" for label in part.labels.tolist())
    assert split().train.names is None
    with pytest.raises(ValueError, match="names must be 50, not 1"):
        Split(pool.images, pool.labels, ("a.png",))
