"""CIFAR-10: which files it is, where they come from, and its settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from autoenc.data.datasets.archives import Archive
from autoenc.data.datasets.errors import DatasetError, briefly
from autoenc.data.datasets.files import RemoteFile, verify
from autoenc.data.datasets.memory import require_memory
from autoenc.data.datasets.splits import Pools, Split, Splits, SplitSettings, images_held, make_splits

SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32  # bytes: a label, then the pixels, channel by channel


@dataclass(frozen=True, kw_only=True)
class CifarSet:
    """Where the files stand below `data_dir`, what they are, where they come from."""

    folder: str
    mirrors: tuple[str, ...]
    archive: Archive
    train: tuple[RemoteFile, ...]
    test: tuple[RemoteFile, ...]
    class_names: tuple[str, ...]

    @property
    def files(self) -> tuple[RemoteFile, ...]:
        """All of them."""
        return *self.train, *self.test


def _batch(name: str, *, md5: str) -> RemoteFile:
    return RemoteFile(name=name, size=10_000 * RECORD, md5=md5, gzipped=False)


# The version for C programs: that for Python is pickled, and to unpickle is to run what somebody wrote.
CIFAR10 = CifarSet(
    folder="cifar-10-batches-bin",
    mirrors=("https://www.cs.toronto.edu/~kriz/",),
    archive=Archive(
        name="cifar-10-binary.tar.gz",
        size=170_052_171,
        sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        prefix="cifar-10-batches-bin/",
        kept=False,  # everything in it that we read is then beside it
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


@dataclass(frozen=True, kw_only=True)
class Cifar10(SplitSettings):
    """Small photographs of animals and vehicles: 50,000 and 10,000 colour images of 32x32 pixels in 10 classes.

    A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, University of Toronto, 2009.
    """

    def build(self, *, data_dir: Path) -> Splits:
        """Images (N, 3, 32, 32), from the files below `data_dir`; those that are missing are downloaded."""
        return make_splits(load_pools(CIFAR10, data_dir=data_dir, settings=self), settings=self)


def load_pools(cifar: CifarSet, *, data_dir: Path, settings: SplitSettings) -> Pools:
    """The images (N, 3, 32, 32) and labels. Files that are missing are downloaded; others are never written.

    The pools are whole: `settings` only say how much memory it takes to split them.

    Raises:
        DatasetError: a file is missing and cannot be downloaded, or is not the one it should be; or the memory does
            not hold the set.
    """
    from autoenc.data.datasets.download import fetch

    fetch(
        cifar.files,
        dataset="cifar10",
        data_dir=data_dir,
        folder=cifar.folder,
        mirrors=cifar.mirrors,
        archive=cifar.archive,
    )
    folder = data_dir / cifar.folder
    for file in cifar.files:
        verify(file, dataset="cifar10", folder=folder)
    counts = [sum(file.size for file in files) // RECORD for files in (cifar.train, cifar.test)]
    require_memory(images_held(counts, settings=settings) * RECORD, dataset="cifar10")
    classes = len(cifar.class_names)
    return Pools(
        train=_read_split(cifar.train, folder=folder, classes=classes),
        test=_read_split(cifar.test, folder=folder, classes=classes),
        class_names=cifar.class_names,
    )


def _read_split(files: Sequence[RemoteFile], *, folder: Path, classes: int) -> Split:
    batches = [_read(folder / file.name, classes=classes) for file in files]
    return Split(torch.cat([batch.images for batch in batches]), torch.cat([batch.labels for batch in batches]))


def _read(path: Path, *, classes: int) -> Split:
    try:
        records = torch.from_numpy(np.fromfile(path, dtype=np.uint8)).reshape(-1, RECORD)
    except OSError as error:
        raise DatasetError("cifar10", f"{path} cannot be read: {briefly(error)}") from error
    labels = records[:, 0].to(torch.int64)
    highest = int(labels.max())
    if highest >= classes:
        raise DatasetError("cifar10", f"{path} has the label {highest}, where 0 to {classes - 1} are expected")
    return Split(records[:, 1:].reshape(-1, *SHAPE).contiguous(), labels)  # (N, 3072) to (N, 3, 32, 32)
