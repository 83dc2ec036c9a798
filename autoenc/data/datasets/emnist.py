"""EMNIST: which files its six splits are, where they come from, and its settings."""

from __future__ import annotations

import math
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from autoenc.data.datasets.archives import Archive
from autoenc.data.datasets.idx import IdxFile, IdxSet, load_pools
from autoenc.data.datasets.splits import Splits, SplitSettings, make_splits

EmnistSplit = Literal["balanced", "byclass", "bymerge", "digits", "letters", "mnist"]

ARCHIVE = Archive(
    name="gzip.zip",
    size=561_753_746,
    sha256="fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
    prefix="gzip/",
    kept=True,  # for the other splits
)
MIRRORS = (
    "https://biometrics.nist.gov/cs_links/EMNIST/",
    "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/",
)


class _Table(NamedTuple):
    train: int
    test: int
    class_names: tuple[str, ...]
    first_label: int = 0


_DIGITS = tuple(string.digits)
# Of the lower-case letters, those that do not look like their capitals.
_MERGED = (*_DIGITS, *string.ascii_uppercase, *"abdefghnqrt")

_TABLES: dict[EmnistSplit, _Table] = {
    "balanced": _Table(112_800, 18_800, _MERGED),
    "byclass": _Table(697_932, 116_323, (*_DIGITS, *string.ascii_uppercase, *string.ascii_lowercase)),
    "bymerge": _Table(697_932, 116_323, _MERGED),
    "digits": _Table(240_000, 40_000, _DIGITS),
    "letters": _Table(124_800, 20_800, tuple(string.ascii_uppercase), first_label=1),
    "mnist": _Table(60_000, 10_000, _DIGITS),
}


def emnist_set(split: EmnistSplit) -> IdxSet:
    """The four files of a split, in the one archive that has all of them."""
    table = _TABLES[split]
    return IdxSet(
        name="emnist",
        folder="EMNIST/raw",
        mirrors=MIRRORS,
        archive=ARCHIVE,
        train_images=_file(f"emnist-{split}-train-images-idx3-ubyte", shape=(table.train, 28, 28)),
        train_labels=_file(f"emnist-{split}-train-labels-idx1-ubyte", shape=(table.train,)),
        test_images=_file(f"emnist-{split}-test-images-idx3-ubyte", shape=(table.test, 28, 28)),
        test_labels=_file(f"emnist-{split}-test-labels-idx1-ubyte", shape=(table.test,)),
        class_names=table.class_names,
        transposed=True,
        first_label=table.first_label,
    )


def _file(name: str, *, shape: tuple[int, ...]) -> IdxFile:
    header = 4 + 4 * len(shape)  # what the numbers are, and each size
    return IdxFile(name=name, size=header + math.prod(shape), shape=shape)


@dataclass(frozen=True, kw_only=True)
class Emnist(SplitSettings):
    """Handwritten characters, cut out as MNIST's were: up to 814,255 grey images of 28x28 pixels.

    `split` is one of the six sets that were published: all 62 characters (`byclass`); capitals and lower-case letters
    that look alike in one class (`bymerge`, and `balanced` with as many images of each of the 47 classes); the 26
    letters with both cases in one class (`letters`); the ten digits (`digits`, and `mnist` with as many as MNIST).

    G. Cohen, S. Afshar, J. Tapson and A. van Schaik, EMNIST: an extension of MNIST to handwritten letters,
    arXiv:1702.05373, 2017.
    """

    split: EmnistSplit

    def build(self, *, data_dir: Path) -> Splits:
        """Images (N, 1, 28, 28), upright, from the files below `data_dir`; those that are missing are downloaded."""
        return make_splits(load_pools(emnist_set(self.split), data_dir=data_dir, settings=self), settings=self)
