"""Training: one step, the loop around it, and the state that lets a stopped run go on."""

from __future__ import annotations

from autoenc.training.loop import Trainer, TrainingImages
from autoenc.training.settings import TrainingSettings
from autoenc.training.step import NotFiniteError, TrainingStep

__all__ = ["NotFiniteError", "Trainer", "TrainingImages", "TrainingSettings", "TrainingStep"]
