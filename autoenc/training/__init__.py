"""Training: one step, the loop around it, and the state that lets a stopped run go on."""

from __future__ import annotations

from autoenc.training.loop import Trainer, TrainingImages
from autoenc.training.settings import TrainingSettings
from autoenc.training.state import Snapshot, kept_snapshots
from autoenc.training.step import NotFiniteError, TrainingStep, as_stored

__all__ = [
    "NotFiniteError",
    "Snapshot",
    "Trainer",
    "TrainingImages",
    "TrainingSettings",
    "TrainingStep",
    "as_stored",
    "kept_snapshots",
]
