"""MNIST, Fashion-MNIST, KMNIST and EMNIST: data sets that are published as IDX files of images and of labels."""

from __future__ import annotations

import math
import string
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from autoenc.data.datasets.local_files import verified_files
from autoenc.data.datasets.memory import images_held, require_memory
from autoenc.data.datasets.published_sets import (
    Archive,
    DatasetError,
    PublishedFile,
    PublishedSet,
    checked_labels,
    read_content,
)
from autoenc.data.datasets.splits import Dataset, Pools, Split, Splits, make_splits

EmnistSplit = Literal["balanced", "byclass", "bymerge", "digits", "letters", "mnist"]


@dataclass(frozen=True, kw_only=True)
class IdxDataset(Dataset):
    """One of `IDX_SETS`: 60,000 and 10,000 grey images of 28x28 pixels in 10 classes."""

    def published(self) -> IdxSet:
        """The set with this name."""
        return IDX_SETS[self.name]

    def build(self, *, data_dir: Path) -> Splits:
        """Images (N, 1, 28, 28), upright, from the files below `data_dir`; missing ones are downloaded."""
        idx_set = self.published()
        paths = verified_files(idx_set, data_dir=data_dir)
        (train, *size), (test, *_) = idx_set.train[0].shape, idx_set.test[0].shape
        require_memory(images_held(train=train, test=test, settings=self) * math.prod(size), dataset=idx_set.name)
        pools = Pools(
            train=_read_pool(idx_set, *idx_set.train, paths=paths),
            test=_read_pool(idx_set, *idx_set.test, paths=paths),
            class_names=idx_set.class_names,
        )
        return make_splits(pools, settings=self)


@dataclass(frozen=True, kw_only=True)
class Emnist(IdxDataset):
    """Handwritten characters, cut out like MNIST's: up to 814,255 grey images of 28x28 pixels.

    `split` is one of the six published sets: all 62 characters (`byclass`); capitals and lower-case letters that look
    alike in one class (`bymerge`, and `balanced` with equally many images of each of the 47 classes); the 26 letters
    with both cases in one class (`letters`); the ten digits (`digits`, and `mnist` with as many as MNIST).

    G. Cohen, S. Afshar, J. Tapson and A. van Schaik, EMNIST: an extension of MNIST to handwritten letters,
    arXiv:1702.05373, 2017.
    """

    split: EmnistSplit

    def published(self) -> IdxSet:
        """The set with the files of `split`."""
        return emnist_set(self.split)


@dataclass(frozen=True, kw_only=True)
class IdxFile(PublishedFile):
    """A file of unsigned bytes: images of `shape` (N, H, W), or labels of `shape` (N,)."""

    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class IdxSet(PublishedSet):
    """Images and labels for training, and images and labels for the test, in torchvision's folders.

    `transposed` images are stored column by column. The labels in the files count from `first_label`.
    """

    train: tuple[IdxFile, IdxFile]
    test: tuple[IdxFile, IdxFile]
    transposed: bool = False
    first_label: int = 0


def _read_pool(idx_set: IdxSet, images: IdxFile, labels: IdxFile, *, paths: Mapping[str, Path]) -> Split:
    pixels = _read(images, dataset=idx_set.name, path=paths[images.name]).unsqueeze(1)  # (N, H, W) to (N, 1, H, W)
    numbers = _read(labels, dataset=idx_set.name, path=paths[labels.name])
    numbers = checked_labels(numbers, published=idx_set, path=paths[labels.name], first=idx_set.first_label)
    return Split(pixels.mT.contiguous() if idx_set.transposed else pixels, numbers)


def _read(file: IdxFile, *, dataset: str, path: Path) -> Tensor:
    """The bytes of an IDX file in its shape.

    The format: two zeros, 8 for unsigned bytes, the number of dimensions, each size as 4 bytes, the data.
    """
    expected = struct.pack(f">HBB{len(file.shape)}I", 0, 8, len(file.shape), *file.shape)
    content = read_content(file, path)
    header, data = content[: len(expected)].tobytes(), content[len(expected) :]
    if header != expected or len(data) != math.prod(file.shape):
        found = f"the header {header.hex(' ', 4)} and {len(data):,} bytes of data"
        problem = f"is not an IDX file of uint8 {file.shape}: it has {found}, not the header {expected.hex(' ', 4)}"
        raise DatasetError(dataset, f"{path} {problem}")
    return torch.from_numpy(data.reshape(file.shape))


def _file(name: str, *shape: int, sha256: str | None = None, packed_sha256: str | None = None) -> IdxFile:
    return IdxFile(
        name=name,
        size=4 + 4 * len(shape) + math.prod(shape),
        digest=sha256 and f"sha256:{sha256}",
        packed_digest=packed_sha256 and f"sha256:{packed_sha256}",
        aliases=(name.replace("-idx", ".idx"),),  # as some programs unpack it
        shape=shape,
    )


def _images(name: str, count: int, **digests: str) -> IdxFile:
    return _file(f"{name}-images-idx3-ubyte", count, 28, 28, **digests)


def _labels(name: str, count: int, **digests: str) -> IdxFile:
    return _file(f"{name}-labels-idx1-ubyte", count, **digests)


# Handwritten digits. Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-Based Learning Applied to Document
# Recognition, 1998.
MNIST = IdxSet(
    name="mnist",
    folder="MNIST/raw",
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    train=(
        _images("train", 60_000, sha256="ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        _labels("train", 60_000, sha256="65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    ),
    test=(
        _images("t10k", 10_000, sha256="0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        _labels("t10k", 10_000, sha256="ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    ),
    class_names=tuple(string.digits),
)

# Photographs of clothes. H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST: a Novel Image Dataset for Benchmarking
# Machine Learning Algorithms, arXiv:1708.07747, 2017.
FASHION_MNIST = IdxSet(
    name="fashion_mnist",
    folder="FashionMNIST/raw",
    mirrors=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
    ),
    train=(
        _images("train", 60_000, sha256="c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
        _labels("train", 60_000, sha256="bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
    ),
    test=(
        _images("t10k", 10_000, sha256="5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
        _labels("t10k", 10_000, sha256="0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
    ),
    class_names=(
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
)

# Cursive Japanese characters from old books. T. Clanuwat, M. Bober-Irizar, A. Kitamoto, A. Lamb, K. Yamamoto and D. Ha,
# Deep Learning for Classical Japanese Literature, arXiv:1812.01718, 2018.
KMNIST = IdxSet(
    name="kmnist",
    folder="KMNIST/raw",
    mirrors=("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
    train=(
        _images("train", 60_000, packed_sha256="51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
        _labels("train", 60_000, packed_sha256="e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
    ),
    test=(
        _images("t10k", 10_000, packed_sha256="edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
        _labels("t10k", 10_000, packed_sha256="20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
    ),
    class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
)

IDX_SETS = {"mnist": MNIST, "fashion_mnist": FASHION_MNIST, "kmnist": KMNIST}

# Lower-case letters that look like their capitals are in one class with them.
_MERGED = (*string.digits, *string.ascii_uppercase, *"abdefghnqrt")

# Images for training, images for the test, class names.
_EMNIST_SPLITS: dict[EmnistSplit, tuple[int, int, tuple[str, ...]]] = {
    "balanced": (112_800, 18_800, _MERGED),
    "byclass": (697_932, 116_323, (*string.digits, *string.ascii_uppercase, *string.ascii_lowercase)),
    "bymerge": (697_932, 116_323, _MERGED),
    "digits": (240_000, 40_000, tuple(string.digits)),
    "letters": (124_800, 20_800, tuple(string.ascii_uppercase)),
    "mnist": (60_000, 10_000, tuple(string.digits)),
}


_EMNIST_ARCHIVE = Archive(
    name="gzip.zip",
    size=561_753_746,
    digest="sha256:fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
    prefix="gzip/",
    kept=True,  # for the other splits
)


def emnist_set(split: EmnistSplit) -> IdxSet:
    """The four files of a split, in the one archive that has all splits."""
    train, test, class_names = _EMNIST_SPLITS[split]
    return IdxSet(
        name="emnist",
        folder="EMNIST/raw",
        mirrors=(
            "https://biometrics.nist.gov/cs_links/EMNIST/",
            "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/",
        ),
        archive=_EMNIST_ARCHIVE,
        train=(_images(f"emnist-{split}-train", train), _labels(f"emnist-{split}-train", train)),
        test=(_images(f"emnist-{split}-test", test), _labels(f"emnist-{split}-test", test)),
        class_names=class_names,
        transposed=True,
        first_label=1 if split == "letters" else 0,
    )
