"""Trackers: programs that show many runs side by side, such as TensorBoard, MLflow and Weights & Biases.

They get the numbers of the run's folder, under the same names and in the same units. A tracker's package is imported
only when the tracker is chosen.
"""

from __future__ import annotations

from autoenc.registry import Registry
from autoenc.trackers.choices import Mlflow, NoTracker, TensorBoard, Wandb
from autoenc.trackers.tracker import TrackedRun, Tracker, TrackerError, TrackerSettings, Tracking, tracked

__all__ = ["TRACKERS", "TrackedRun", "Tracker", "TrackerError", "TrackerSettings", "Tracking", "tracked"]

TRACKERS: Registry[TrackerSettings] = Registry(
    "tracker", {"none": NoTracker, "tensorboard": TensorBoard, "mlflow": Mlflow, "wandb": Wandb}
)
