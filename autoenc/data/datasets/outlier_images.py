"""Outliers: the test images of another data set, in the shape of a run's images."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from autoenc.data.datasets import DATASETS, Dataset, Split
from autoenc.data.datasets.image_shapes import shaped

USUAL = {"mnist": "fashion_mnist", "kmnist": "fashion_mnist", "emnist": "fashion_mnist", "fashion_mnist": "mnist"}
"""The other data set of `auto`."""


class OutlierImages(NamedTuple):
    """Another data set's images."""

    name: str
    test: Split
    """uint8 (M, C, H, W), on the CPU."""


def outlier_images(
    own: Dataset, *, choice: str | None, image_shape: tuple[int, int, int], data_dir: Path
) -> OutlierImages | None:
    """The test images of the data set `choice`, as many and as black and white as those of the run's data set.

    `auto` is one of `USUAL`. Images of another size are stretched.

    Raises:
        DatasetError: its files are damaged, or are missing and cannot be downloaded.
    """
    name = USUAL.get(own.name) if choice == "auto" else choice
    if name is None or name == own.name:
        return None
    shared = {key: getattr(own, key) for key in ("split_seed", "limit", "test_limit", "shuffle", "binarization")}
    test = DATASETS.parse({"name": name, "validation_fraction": 0.0, **shared}).build(data_dir=data_dir).test
    return OutlierImages(name, Split(shaped(test.images, image_shape=image_shape, resize="stretch"), test.labels))
