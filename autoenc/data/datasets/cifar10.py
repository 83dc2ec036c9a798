"""CIFAR-10: its files, its mirror and its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from autoenc.data.datasets.local_files import verified_files
from autoenc.data.datasets.memory import images_held, require_memory
from autoenc.data.datasets.published_sets import (
    Archive,
    PublishedFile,
    PublishedSet,
    checked_labels,
    read_content,
)
from autoenc.data.datasets.splits import Dataset, Pools, Split, Splits, make_splits

RECORD = 1 + 3 * 32 * 32  # bytes: a label, then the pixels, channel by channel


@dataclass(frozen=True, kw_only=True)
class Cifar10(Dataset):
    """Small photographs of animals and vehicles: 50,000 and 10,000 colour images of 32x32 pixels in 10 classes.

    A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, University of Toronto, 2009.
    """

    def build(self, *, data_dir: Path) -> Splits:
        """Images (N, 3, 32, 32), from the files below `data_dir`; missing files are downloaded."""
        paths = verified_files(CIFAR10, data_dir=data_dir)
        train_count, test_count = (
            sum(file.size for file in files) // RECORD for files in (CIFAR10.train, CIFAR10.test)
        )
        held = images_held(train=train_count, test=test_count, settings=self)
        require_memory(held * RECORD, dataset=CIFAR10.name)
        train, test = (_read(files, paths=paths) for files in (CIFAR10.train, CIFAR10.test))
        return make_splits(Pools(train, test, CIFAR10.class_names), settings=self)


def _read(files: Sequence[PublishedFile], *, paths: Mapping[str, Path]) -> Split:
    images, labels = [], []
    for file in files:
        records = torch.from_numpy(read_content(file, paths[file.name])).reshape(-1, RECORD)
        labels.append(checked_labels(records[:, 0], published=CIFAR10, path=paths[file.name]))
        images.append(records[:, 1:].reshape(-1, 3, 32, 32))  # (N, 3072) to (N, 3, 32, 32)
    return Split(torch.cat(images), torch.cat(labels))


def _batch(name: str, *, md5: str) -> PublishedFile:
    return PublishedFile(name=name, size=10_000 * RECORD, digest=f"md5:{md5}", gzipped=False)


# The version for C programs. The version for Python is pickled, and a pickle can run code.
CIFAR10 = PublishedSet(
    name="cifar10",
    folder="cifar-10-batches-bin",
    mirrors=("https://www.cs.toronto.edu/~kriz/",),
    archive=Archive(
        name="cifar-10-binary.tar.gz",
        size=170_052_171,
        digest="sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        prefix="cifar-10-batches-bin/",
        kept=False,  # all of its images are unpacked at once
    ),
    train=(
        _batch("data_batch_1.bin", md5="5dd7e06a14cb22eb9f671a540d1b7c25"),
        _batch("data_batch_2.bin", md5="5ea93a67294ea407fff1d09f752e9692"),
        _batch("data_batch_3.bin", md5="942cd6a4bcdd0dd3c604fbe906cb4421"),
        _batch("data_batch_4.bin", md5="ae636b3ba5c66a11e91e8cb52e771fcb"),
        _batch("data_batch_5.bin", md5="53f37980c15c3d472c316c40844f3f0d"),
    ),
    test=(_batch("test_batch.bin", md5="803d5f7f4d78ea53de84dbe85f74fb6d"),),
    class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
)
