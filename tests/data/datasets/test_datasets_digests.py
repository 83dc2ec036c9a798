"""Digests of images, and the counts of their duplicates."""

from __future__ import annotations

import hashlib

import pytest
import torch

from autoenc.data.datasets import Split, Splits
from autoenc.data.datasets.digests import count_duplicates, differing, image_hashes, ordered_digest, unordered_digest
from autoenc.data.datasets.splits import Pools, make_splits
from tests.data.datasets.test_datasets_splits import settings


def pool(*values: int, first: int = 0) -> Split:
    """Images (N, 1, 2, 2), each of one grey value; the labels count from `first`."""
    images = torch.tensor(values, dtype=torch.uint8).reshape(-1, 1, 1, 1).repeat(1, 1, 2, 2)
    return Split(images, torch.arange(first, first + len(values)))


def split(train: Split, test: Split, **changes: object) -> Splits:
    return make_splits(Pools(train, test, class_names=("a",)), settings=settings(**changes))


TRAIN, TEST = pool(*range(20)), pool(*range(100, 110))


def test_an_image_is_its_shape_and_its_pixels() -> None:
    images = torch.arange(8, dtype=torch.uint8).reshape(2, 1, 2, 2)
    first, second = image_hashes(images)
    assert first == hashlib.sha256(b"(1, 2, 2)" + bytes([0, 1, 2, 3])).digest()
    assert image_hashes(images[1:]) == [second]
    assert first not in image_hashes(images.reshape(2, 1, 1, 4))
    assert ordered_digest([first, second]) == hashlib.sha256(first + second).hexdigest()
    assert ordered_digest([first, second]) != ordered_digest([second, first])
    assert unordered_digest([first, second]) == unordered_digest([second, first])
    assert unordered_digest([first]) != unordered_digest([first, first])


def test_equal_images_have_equal_digests_and_one_other_pixel_changes_those_of_its_split() -> None:
    before = split(TRAIN, TEST).digests
    assert list(before) == ["train", "validation", "test", "training_pool"]
    assert split(pool(*range(20), first=5), pool(*range(100, 110))).digests == before  # labels are not part of them
    images = TEST.images.clone()
    images[3, 0, 1, 1] += 1
    assert differing(split(TRAIN, Split(images, TEST.labels)).digests, before) == ["test"]


def test_the_digest_of_the_training_pool_does_not_depend_on_its_order_or_its_division() -> None:
    before = split(TRAIN, TEST).digests
    assert differing(split(TRAIN, TEST, split_seed=1).digests, before) == ["train", "validation"]
    assert differing(split(TRAIN, TEST, validation_fraction=0).digests, before) == ["train", "validation"]
    assert differing(split(TRAIN.take(torch.arange(19, -1, -1)), TEST).digests, before) == ["train", "validation"]
    assert differing(split(TRAIN, TEST, limit=15).digests, before) == [*list(before)[:2], "training_pool"]


def test_digests_are_of_the_images_as_they_are_used() -> None:
    """Drawn images are others; batches of a dynamic run are drawn from the grey ones."""
    grey, static, dynamic = (split(TRAIN, TEST, binarization=name).digests for name in ("none", "static", "dynamic"))
    assert differing(static, grey) == ["train", "validation", "test"]
    assert differing(dynamic, static) == ["train"]
    assert dynamic["train"] == grey["train"]
    other_draw = split(TRAIN, TEST, binarization="static", split_seed=1, validation_fraction=0).digests
    assert other_draw["test"] != static["test"]


def test_digests_and_positions_stay_when_images_go_to_a_device() -> None:
    splits = split(TRAIN, TEST)
    moved = splits.to(torch.device("meta"))
    assert moved.digests == splits.digests
    assert moved.train.indices.device.type == "cpu"


def test_a_split_that_the_record_does_not_name_is_taken_for_the_same() -> None:
    assert differing({"train": "a", "test": "b"}, {"test": "b"}) == []
    assert differing({"train": "a", "test": "b"}, {"test": "c"}) == ["test"]


def test_duplicates_are_counted_within_and_across_splits() -> None:
    a, b, c = b"a", b"b", b"c"
    assert count_duplicates({"train": [a, a, b, a], "validation": [b, c], "test": [a, c, c]}) == {
        "train": 2,
        "validation": 0,
        "test": 1,
        "validation_in_train": 1,
        "test_in_train": 1,
        "test_in_validation": 2,
    }
    counted = split(pool(*range(10), *range(5)), pool(3, 3, 9, 100), validation_fraction=0).duplicates
    assert counted == {
        "train": 5,
        "validation": 0,
        "test": 1,
        "validation_in_train": 0,
        "test_in_train": 3,
        "test_in_validation": 0,
    }


@pytest.mark.parametrize("binarization", ["static", "dynamic"])
def test_duplicates_are_those_of_the_published_images(binarization: str) -> None:
    """Two draws of one image differ, and the draws of black images do not."""
    counted = split(pool(100, 100, 0, 1), pool(0, 1), binarization=binarization, validation_fraction=0).duplicates
    assert (counted["train"], counted["test"], counted["test_in_train"]) == (1, 0, 2)
