"""`tracker=tensorboard`: event files in the run's folder, for `tensorboard --logdir outputs`."""

from __future__ import annotations

from dataclasses import dataclass

from autoenc.extras import imported
from autoenc.trackers.background import FedFromAThread
from autoenc.trackers.tracker import TrackedRun, Tracker

PATIENCE = 10.0
"""Seconds of silence that are borne at the end of a run: of a disk on a network, say."""


@dataclass(frozen=True, kw_only=True)
class TensorBoardSettings:
    """There is nothing to set: the files lie where the run does."""

    def require(self) -> None:
        """See `TrackerSettings`."""
        imported("autoenc.trackers.event_files", extra="tensorboard", key="tracker")

    def build(self, run: TrackedRun) -> Tracker:
        """See `TrackerSettings`."""
        from autoenc.trackers.event_files import EventFiles

        return FedFromAThread(EventFiles(run), name="tensorboard", directory=run.directory, patience=PATIENCE)
