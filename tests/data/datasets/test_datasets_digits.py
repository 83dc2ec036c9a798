from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from autoenc.data.datasets import DATASETS, Split, Splits
from autoenc.data.datasets.digits import Digits

NOWHERE = Path("no/such/folder")
TEST_IMAGES_SHA256 = "1aef69dc482f443bd1495c3cfac825970a9cea63572c726872786de2dff08d54"


def build(*, validation_fraction: float = 0.1, split_seed: int = 0, limit: int | None = None) -> Splits:
    digits = Digits(
        validation_fraction=validation_fraction, split_seed=split_seed, limit=limit, shuffle=True, binarization="none"
    )
    return digits.build(data_dir=NOWHERE)


def as_set(split: Split) -> set[bytes]:
    return {image.numpy().tobytes() for image in split.images}


def test_every_image_of_scikit_learn_is_in_exactly_one_split() -> None:
    splits = build()
    parts = (splits.train, splits.validation, splits.test)
    assert [len(part) for part in parts] == [1293, 144, 360]
    assert splits.image_shape == (1, 8, 8)
    assert splits.class_names == tuple("0123456789")
    assert not NOWHERE.exists()
    digits = load_digits()
    expected = np.rint(digits.images * 255 / 16).astype(np.uint8)
    assert expected.max() == 255
    both = sorted((image.tobytes(), int(label)) for image, label in zip(expected, digits.target, strict=True))
    ours = sorted(
        (image.numpy().tobytes(), int(label))
        for part in parts
        for image, label in zip(part.images, part.labels, strict=True)
    )
    assert ours == both
    assert len(set(ours)) == 1797  # no two are alike, so the splits are disjoint
    assert as_set(splits.train) | as_set(splits.validation) == as_set(build(validation_fraction=0).train)


def test_the_test_split_depends_on_no_setting() -> None:
    first = build().test
    assert hashlib.sha256(first.images.numpy().tobytes()).hexdigest() == TEST_IMAGES_SHA256
    assert as_set(build(split_seed=5).validation) != as_set(build().validation)
    for other in (build(split_seed=5), build(validation_fraction=0), build(validation_fraction=0.5)):
        assert torch.equal(other.test.images, first.images)
        assert torch.equal(other.test.labels, first.labels)
    assert torch.equal(build(limit=100).test.images, first.images)
    assert torch.bincount(first.labels).min() > 20  # every class has its share


@pytest.mark.slow
def test_importing_the_datasets_does_not_import_slow_packages() -> None:
    script = """
import sys
import autoenc.data.datasets
loaded = {"sklearn", "torchvision", "rich", "filelock", "matplotlib", "psutil"} & {*sys.modules}
loaded -= {*BEFORE}
assert not loaded, loaded
"""
    before = "import sys, torch\nBEFORE = [*sys.modules]\n"  # what torch itself imports is not ours
    subprocess.run([sys.executable, "-c", before + script], check=True, timeout=280)


@pytest.mark.parametrize("name", ["digits", "mnist", "fashion_mnist", "kmnist", "cifar10", "emnist"])
def test_the_registry_makes_settings_from_values(name: str) -> None:
    values: dict[str, object] = {
        "validation_fraction": 0.1,
        "split_seed": 0,
        "limit": None,
        "test_limit": 9,
        "shuffle": True,
    }
    values |= {"binarization": "none"} | ({"split": "letters"} if name == "emnist" else {})
    settings = DATASETS.parse({"name": name, **values})
    assert vars(settings) == {"name": name, **values}
    for field, value, problem in (
        ("validation_fraction", 1, "it must be a number of at least 0 and below 1"),
        ("limit", 0, "it must be a whole number of at least 1 or null"),
        ("test_limit", 0, "it must be a whole number of at least 1 or null"),
        ("binarization", "on", "it must be one of none, static, dynamic"),
    ):
        with pytest.raises(ValueError, match=f"dataset.{field}={value}: {problem}"):
            DATASETS.parse({"name": name, **values, field: value})


def test_indices_are_positions_in_the_array_of_scikit_learn() -> None:
    digits = load_digits()
    for part in (build().train, build().validation, build(limit=50).test):
        position = part.indices.numpy()
        assert np.array_equal(digits.target[position], part.labels.numpy())
        assert np.array_equal(np.rint(digits.images[position] * 255 / 16), part.images[:, 0].numpy())


def test_the_images_are_found_where_another_version_of_scikit_learn_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoenc.data.datasets.digits.FILE", "sklearn/datasets/elsewhere/digits.csv.gz")
    assert hashlib.sha256(build().test.images.numpy().tobytes()).hexdigest() == TEST_IMAGES_SHA256
