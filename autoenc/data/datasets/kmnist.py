"""Kuzushiji-MNIST: which files it is, where they come from, and its settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autoenc.data.datasets.idx import IdxFile, IdxSet, load_pools
from autoenc.data.datasets.splits import Splits, SplitSettings, make_splits

# The digests are of the gzipped files, as published; of what is inside nobody has published any.
KMNIST = IdxSet(
    name="kmnist",
    folder="KMNIST/raw",
    mirrors=("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
    train_images=IdxFile(
        name="train-images-idx3-ubyte",
        size=47_040_016,
        packed_sha256="51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
        shape=(60_000, 28, 28),
    ),
    train_labels=IdxFile(
        name="train-labels-idx1-ubyte",
        size=60_008,
        packed_sha256="e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
        shape=(60_000,),
    ),
    test_images=IdxFile(
        name="t10k-images-idx3-ubyte",
        size=7_840_016,
        packed_sha256="edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
        shape=(10_000, 28, 28),
    ),
    test_labels=IdxFile(
        name="t10k-labels-idx1-ubyte",
        size=10_008,
        packed_sha256="20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        shape=(10_000,),
    ),
    class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
)


@dataclass(frozen=True, kw_only=True)
class Kmnist(SplitSettings):
    """Cursive Japanese characters from old books: 60,000 and 10,000 grey images of 28x28 pixels in 10 classes.

    T. Clanuwat, M. Bober-Irizar, A. Kitamoto, A. Lamb, K. Yamamoto and D. Ha, Deep Learning for Classical Japanese
    Literature, arXiv:1812.01718, 2018.
    """

    def build(self, *, data_dir: Path) -> Splits:
        """Images (N, 1, 28, 28), from the files below `data_dir`; those that are missing are downloaded."""
        return make_splits(load_pools(KMNIST, data_dir=data_dir, settings=self), settings=self)
