"""Trackers: programs that show many runs side by side, and are told how this one goes.

They get what the run's folder gets, under the same names and in the same units. None is imported before it is chosen.
"""

from __future__ import annotations

from autoenc.registry import Registry
from autoenc.trackers.mlflow import MlflowSettings
from autoenc.trackers.none import NoTracker
from autoenc.trackers.tensorboard import TensorBoardSettings
from autoenc.trackers.tracker import TrackedRun, Tracker, TrackerSettings, Tracking, tracked

__all__ = ["TRACKERS", "TrackedRun", "Tracker", "TrackerSettings", "Tracking", "tracked"]

TRACKERS: Registry[TrackerSettings] = Registry(
    "tracker",
    {
        "none": NoTracker,
        "tensorboard": TensorBoardSettings,
        "mlflow": MlflowSettings,
    },
)
