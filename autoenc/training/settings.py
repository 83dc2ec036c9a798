"""The `training` node of the config."""

from __future__ import annotations

from dataclasses import dataclass

from autoenc.settings import PositiveFloat, PositiveInt


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How long and how to train."""

    epochs: PositiveInt
    batch_size: PositiveInt
    gradient_clip: PositiveFloat | None
    """The largest norm of the whole gradient; a longer one is scaled down to it."""
    patience: PositiveInt | None
    """Stop after so many epochs without a better validation objective."""
    checkpoint_every: PositiveInt
    """Steps."""
    snapshot_every: PositiveInt
    """Epochs."""
