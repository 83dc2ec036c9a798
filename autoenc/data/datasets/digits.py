"""The small handwritten digits that come with scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from autoenc.data.datasets.splits import Dataset, Pools, Split, Splits, make_splits
from autoenc.seeds import derived_seed

TEST_IMAGES = 360


@dataclass(frozen=True, kw_only=True)
class Digits(Dataset):
    """1,797 grey images of 8x8 pixels in 10 classes; nothing is downloaded.

    scikit-learn has no official split. A fixed permutation, which depends on no setting, puts 360 images into the test
    split, so that all runs are tested on the same images.

    E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998.
    """

    def build(self, *, data_dir: Path) -> Splits:  # noqa: ARG002
        """Images (N, 1, 8, 8); the values 0 to 16 of scikit-learn become 0 to 255."""
        from sklearn.datasets import load_digits

        digits = load_digits()
        values = torch.from_numpy(digits.images)  # (1797, 8, 8) float64, whole numbers from 0 to 16
        images = (values * 255 / 16).round().to(torch.uint8).unsqueeze(1)  # (1797, 1, 8, 8)
        pool = Split(images, torch.from_numpy(digits.target).to(torch.int64))
        # Hashes of the positions replace a random draw, because they are the same in every version of a library.
        drawn = sorted(range(len(pool)), key=lambda index: derived_seed(index, "digits test split"))
        train = pool.take(torch.tensor(sorted(drawn[TEST_IMAGES:])))
        test = pool.take(torch.tensor(sorted(drawn[:TEST_IMAGES])))
        class_names = tuple(str(name) for name in digits.target_names)
        return make_splits(Pools(train, test, class_names), settings=self)
