"""The `training` node of the config."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from autoenc.settings import PositiveFloat, PositiveInt, Probability

MOST_SNAPSHOTS = 7
"""After training has begun: with the one before training, as many as the picture `progress` shows."""


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How long and how to train."""

    epochs: PositiveInt
    batch_size: PositiveInt
    gradient_clip: PositiveFloat | None
    """The largest norm of the whole gradient; a longer one is scaled down to it."""
    patience: PositiveInt | None
    """Stop after this many epochs without a better validation objective."""
    checkpoint_every: PositiveInt
    """Steps."""
    snapshot_every: PositiveInt | None
    """Epochs; None: see `snapshot_interval`."""
    severity_start: Probability
    """The strength of the noise in the first step, as a share of what `noise` says."""
    severity_end: Probability
    """The strength from the epoch `severity_epochs` on. In between it changes linearly. Scores use the full noise."""
    severity_epochs: PositiveInt | None
    """Epochs; null: the whole training."""

    def ends_after(self, epoch: int, *, best_epoch: int | None) -> bool:
        """Whether all epochs are done, or the validation objective has not improved for `patience` epochs."""
        stale = epoch - (best_epoch or 0)
        return epoch >= self.epochs or (self.patience is not None and stale >= self.patience)

    @property
    def snapshot_interval(self) -> int:
        """Epochs between snapshots: by default the least of 1, 2, 5, 10, 20, ... that gives at most 7 of them.

        Runs of different lengths then have epochs in common.
        """
        if self.snapshot_every is not None:
            return self.snapshot_every
        round_numbers = (digit * 10**power for power in count() for digit in (1, 2, 5))
        return int(next(number for number in round_numbers if self.epochs <= MOST_SNAPSHOTS * number))

    def severity(self, epoch: float) -> float:
        """The share of the noise's strength after `epoch` epochs, which may be a fraction.

        Geras and Sutton 2015 (Scheduled denoising autoencoders) begin with strong noise and end with weak noise.
        """
        progress = min(1.0, epoch / (self.severity_epochs or self.epochs))
        return self.severity_start + (self.severity_end - self.severity_start) * progress
