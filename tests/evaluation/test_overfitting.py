"""The onset of overfitting in hand-made loss curves."""

from __future__ import annotations

import numpy as np
import pytest

from autoenc.evaluation.overfitting import overfitting_onset

FALLING = [0.9, 0.6, 0.4, 0.3, 0.25, 0.22]


@pytest.mark.parametrize(
    ("validation", "onset"),
    [
        ([0.9, 0.7, 0.6, 0.62, 0.65, 0.7], 3),
        ([0.9, 0.7, 0.6, 0.602, 0.604, 0.605], None),  # a rise of less than 1 %
        ([0.9, 0.7, 0.6, 0.5, 0.4, 0.41], None),  # one higher value may be noise
        ([0.9, 0.7, 0.6, 0.7, 0.65, 0.6], None),  # it is back at the minimum
        ([0.9, 0.7, 0.6, 0.5, 0.4, 0.3], None),
        ([-0.5, -0.9, -1.0, -0.99, -0.95, -0.9], 3),  # a log-likelihood has losses below 0
        ([0.9, None, 0.6, 0.62, 0.65, 0.7], 3),
        ([None] * 6, None),  # no validation split
    ],
)
def test_the_onset_is_the_minimum_before_a_clear_rise(validation: list[float | None], onset: int | None) -> None:
    assert overfitting_onset(FALLING, validation) == onset


def test_a_run_that_diverges_does_not_overfit() -> None:
    assert overfitting_onset([0.9, 0.6, 0.4, 0.5, 0.7, 0.9], [0.9, 0.7, 0.6, 0.65, 0.8, 1]) is None


def test_a_few_epochs_are_too_few() -> None:
    assert overfitting_onset([], []) is None
    assert overfitting_onset([0.5, 0.4], [0.5, 0.6]) is None


def test_long_curves_are_smoothed() -> None:
    epochs = np.arange(1, 101)
    trend = 1 + ((epochs - 40) / 40) ** 2
    noisy = trend + 0.15 * np.where(epochs == 10, -5, (-1.0) ** epochs)  # the lowest single value is an outlier
    assert noisy.argmin() == 9
    assert overfitting_onset((1 / epochs).tolist(), noisy.tolist()) == pytest.approx(40, abs=2)
