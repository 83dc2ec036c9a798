"""The small handwritten digits that come with scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from autoenc.data.datasets.splits import Dataset, Pools, Split, Splits, make_splits
from autoenc.seeds import derived_seed

TEST_IMAGES = 360
FILE = "sklearn/datasets/data/digits.csv.gz"


@dataclass(frozen=True, kw_only=True)
class Digits(Dataset):
    """1,797 grey images of 8x8 pixels in 10 classes; nothing is downloaded.

    scikit-learn has no official split. A fixed permutation, which depends on no setting, puts 360 images into the test
    split, so that all runs are tested on the same images.

    E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998.
    """

    def build(self, *, data_dir: Path) -> Splits:  # noqa: ARG002
        """Images (N, 1, 8, 8); the values 0 to 16 of scikit-learn become 0 to 255."""
        table = torch.from_numpy(_table())
        values, labels = table[:, :-1].unflatten(1, (1, 8, 8)), table[:, -1]  # (1797, 1, 8, 8) and (1797,)
        pool = Split((values * 255 / 16).round().to(torch.uint8), labels.to(torch.int64))
        # Hashes of the positions replace a random draw, because they are the same in every version of a library.
        drawn = sorted(range(len(pool)), key=lambda index: derived_seed(index, "digits test split"))
        train = pool.take(torch.tensor(sorted(drawn[TEST_IMAGES:])))
        test = pool.take(torch.tensor(sorted(drawn[:TEST_IMAGES])))
        return make_splits(Pools(train, test, tuple("0123456789")), settings=self)


def _table() -> NDArray[np.float64]:
    """The pixels, whole numbers from 0 to 16, and the class of each image, (1797, 65).

    scikit-learn's file is read directly, because importing scikit-learn takes 2 s.
    """
    file = Path(str(distribution("scikit-learn").locate_file(FILE)))
    if file.is_file():
        return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits  # of a version that keeps its file elsewhere

    digits = load_digits()
    return np.column_stack([digits.data, digits.target])
