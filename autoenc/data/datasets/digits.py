"""The small handwritten digits that come with scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from autoenc.data.datasets.splits import Pools, Split, Splits, SplitSettings, make_splits
from autoenc.seeds import derived_seed

TEST_IMAGES = 360


@dataclass(frozen=True, kw_only=True)
class Digits(SplitSettings):
    """1,797 grey images of 8x8 pixels in 10 classes; nothing is downloaded.

    scikit-learn has no official split. A fixed permutation, which depends on no setting, puts 360 images in the test
    split, so that test errors of different seeds are errors on the same images.

    E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998.
    """

    def build(self, *, data_dir: Path) -> Splits:  # noqa: ARG002  (what every dataset is given)
        """Images (N, 1, 8, 8); the files' values 0 to 16 become 0 to 255."""
        return make_splits(_pools(), settings=self)


def _pools() -> Pools:
    from sklearn.datasets import load_digits

    digits = load_digits()
    values = torch.from_numpy(digits.images)  # (1797, 8, 8) float64, whole numbers from 0 to 16
    images = (values * 255 / 16).round().to(torch.uint8).unsqueeze(1)  # (1797, 1, 8, 8)
    everything = Split(images, torch.from_numpy(digits.target).to(torch.int64))
    # Hashes of the positions stand in for a random draw, because those never change with a library's version.
    drawn = sorted(range(len(everything)), key=lambda index: derived_seed(index, "digits test split"))
    return Pools(
        train=everything.take(torch.tensor(sorted(drawn[TEST_IMAGES:]))),
        test=everything.take(torch.tensor(sorted(drawn[:TEST_IMAGES]))),
        class_names=tuple(str(name) for name in digits.target_names),
    )
