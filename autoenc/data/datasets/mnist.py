"""MNIST and Fashion-MNIST: which files they are, where they come from, and their settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autoenc.data.datasets.idx import IdxFile, IdxSet, load_pools
from autoenc.data.datasets.splits import Splits, SplitSettings, make_splits

MNIST = IdxSet(
    name="mnist",
    folder="MNIST/raw",
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    train_images=IdxFile(
        name="train-images-idx3-ubyte",
        size=47_040_016,
        sha256="ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        shape=(60_000, 28, 28),
    ),
    train_labels=IdxFile(
        name="train-labels-idx1-ubyte",
        size=60_008,
        sha256="65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        shape=(60_000,),
    ),
    test_images=IdxFile(
        name="t10k-images-idx3-ubyte",
        size=7_840_016,
        sha256="0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        shape=(10_000, 28, 28),
    ),
    test_labels=IdxFile(
        name="t10k-labels-idx1-ubyte",
        size=10_008,
        sha256="ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        shape=(10_000,),
    ),
    class_names=("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"),
)

FASHION_MNIST = IdxSet(
    name="fashion_mnist",
    folder="FashionMNIST/raw",
    mirrors=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
    ),
    train_images=IdxFile(
        name="train-images-idx3-ubyte",
        size=47_040_016,
        sha256="c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        shape=(60_000, 28, 28),
    ),
    train_labels=IdxFile(
        name="train-labels-idx1-ubyte",
        size=60_008,
        sha256="bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        shape=(60_000,),
    ),
    test_images=IdxFile(
        name="t10k-images-idx3-ubyte",
        size=7_840_016,
        sha256="5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        shape=(10_000, 28, 28),
    ),
    test_labels=IdxFile(
        name="t10k-labels-idx1-ubyte",
        size=10_008,
        sha256="0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        shape=(10_000,),
    ),
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Mnist(SplitSettings):
    """Handwritten digits: 60,000 and 10,000 grey images of 28x28 pixels in 10 classes.

    Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-Based Learning Applied to Document Recognition, 1998.
    """

    def build(self, *, data_dir: Path) -> Splits:
        """Images (N, 1, 28, 28), from the files below `data_dir`; those that are missing are downloaded."""
        return make_splits(load_pools(MNIST, data_dir=data_dir, settings=self), settings=self)


@dataclass(frozen=True, kw_only=True)
class FashionMnist(SplitSettings):
    """Photographs of clothes: 60,000 and 10,000 grey images of 28x28 pixels in 10 classes.

    H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
    Algorithms, arXiv:1708.07747, 2017.
    """

    def build(self, *, data_dir: Path) -> Splits:
        """Images (N, 1, 28, 28), from the files below `data_dir`; those that are missing are downloaded."""
        return make_splits(load_pools(FASHION_MNIST, data_dir=data_dir, settings=self), settings=self)
