"""The onset of overfitting, found in the loss curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CLEAR_RISE = 0.01
"""The validation loss rises clearly if it ends higher than its minimum by more than this share of the minimum."""

FEWEST_AFTER = 2
"""The fewest epochs after the minimum: a single higher value may be noise."""


def overfitting_onset(train: Sequence[float | None], validation: Sequence[float | None]) -> int | None:
    """The epoch, counted from 1, after which the validation loss rises clearly while the training loss still falls.

    It is the epoch of the lowest validation loss. From 20 epochs on, both curves are smoothed first, by an average over
    about a tenth of the epochs.

    Args:
        train: the training loss of each epoch, (E,); None for a missing value.
        validation: the validation loss of each epoch, (E,).

    Returns:
        None if there is no overfitting, or not both losses.
    """
    known = [
        (epoch, float(fitted), float(held_out))
        for epoch, (fitted, held_out) in enumerate(zip(train, validation, strict=True), start=1)
        if fitted is not None and held_out is not None and np.isfinite([fitted, held_out]).all()
    ]
    if len(known) <= FEWEST_AFTER:
        return None
    epochs, *losses = (np.array(column) for column in zip(*known, strict=True))
    fitted, held_out = (_smoothed(each) for each in losses)
    best = int(held_out.argmin())
    rises = held_out[-1] - held_out[best] > CLEAR_RISE * abs(held_out[best])
    overfits = rises and fitted[-1] < fitted[best] and len(epochs) - 1 - best >= FEWEST_AFTER
    return int(epochs[best]) if overfits else None


def _smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The average over a centred window, cut off at the ends, (E,)."""
    half = len(values) // 20
    windows = (values[max(0, at - half) : at + half + 1] for at in range(len(values)))
    return np.array([window.mean() for window in windows])
