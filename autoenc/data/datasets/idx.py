"""Sets kept as four IDX files, the format of MNIST and its successors.

We see to it that the files are there and are the right ones; torchvision parses them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from autoenc.data.datasets.archives import Archive
from autoenc.data.datasets.errors import DatasetError, briefly
from autoenc.data.datasets.files import RemoteFile, verify
from autoenc.data.datasets.memory import require_memory
from autoenc.data.datasets.splits import Pools, Split, SplitSettings, images_held


@dataclass(frozen=True, kw_only=True)
class IdxFile(RemoteFile):
    """A file of unsigned bytes in the given shape: (N, H, W) for images, (N,) for labels."""

    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class IdxSet:
    """Where the files of a set stand below `data_dir` (torchvision's layout), what they are, where they come from.

    Mirrors keep the files one by one, or in `archive`. `transposed` images are stored column by column. Labels count
    from `first_label`; ours from 0.
    """

    name: str
    folder: str
    mirrors: tuple[str, ...]
    train_images: IdxFile
    train_labels: IdxFile
    test_images: IdxFile
    test_labels: IdxFile
    class_names: tuple[str, ...]
    archive: Archive | None = None
    transposed: bool = False
    first_label: int = 0

    @property
    def files(self) -> tuple[IdxFile, ...]:
        """All four."""
        return self.train_images, self.train_labels, self.test_images, self.test_labels


def load_pools(idx_set: IdxSet, *, data_dir: Path, settings: SplitSettings) -> Pools:
    """The images (N, 1, H, W) and labels of a set. Files that are missing are downloaded; others are never written.

    The pools are whole: `settings` only say how much memory it takes to split them.

    Raises:
        DatasetError: a file is missing and cannot be downloaded, or is not the one it should be; or the memory does
            not hold the set.
    """
    from autoenc.data.datasets.download import fetch

    fetch(
        idx_set.files,
        dataset=idx_set.name,
        data_dir=data_dir,
        folder=idx_set.folder,
        mirrors=idx_set.mirrors,
        archive=idx_set.archive,
    )
    folder = data_dir / idx_set.folder
    for file in idx_set.files:
        verify(file, dataset=idx_set.name, folder=folder)
    (train, *size), (test, *_) = idx_set.train_images.shape, idx_set.test_images.shape
    require_memory(images_held([train, test], settings=settings) * math.prod(size), dataset=idx_set.name)
    return Pools(
        train=_read_split(idx_set, idx_set.train_images, idx_set.train_labels, folder=folder),
        test=_read_split(idx_set, idx_set.test_images, idx_set.test_labels, folder=folder),
        class_names=idx_set.class_names,
    )


def _read_split(idx_set: IdxSet, images: IdxFile, labels: IdxFile, *, folder: Path) -> Split:
    pixels = _read(images, dataset=idx_set.name, folder=folder).unsqueeze(1)  # (N, H, W) to (N, 1, H, W)
    numbers = _read(labels, dataset=idx_set.name, folder=folder).to(torch.int64) - idx_set.first_label  # (N,)
    odd = numbers[(numbers < 0) | (numbers >= len(idx_set.class_names))]
    if len(odd):
        first, last = idx_set.first_label, idx_set.first_label + len(idx_set.class_names) - 1
        problem = f"has the label {int(odd[0]) + first}, where {first} to {last} are expected"
        raise DatasetError(idx_set.name, f"{folder / labels.name} {problem}")
    return Split(pixels.mT.contiguous() if idx_set.transposed else pixels, numbers)


def _read(file: IdxFile, *, dataset: str, folder: Path) -> Tensor:
    # The parser, and not the class `torchvision.datasets.MNIST`: that one prefers a `processed/training.pt` left there
    # by an old version, which nobody has checked.
    from torchvision.datasets.mnist import read_sn3_pascalvincent_tensor

    path = folder / file.name
    try:
        tensor: Tensor = read_sn3_pascalvincent_tensor(str(path))
    except OSError as error:
        raise DatasetError(dataset, f"{path} cannot be read: {briefly(error)}") from error
    except (AssertionError, LookupError, RuntimeError, ValueError) as error:  # RuntimeError: under `python -O`
        raise DatasetError(dataset, f"{path} is not an IDX file torchvision can parse: {briefly(error)}") from error
    if tensor.dtype != torch.uint8 or tensor.shape != file.shape:
        found = f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
        raise DatasetError(dataset, f"{path} holds {found}, where uint8 {file.shape} is expected")
    return tensor
