"""`tracker=none`: the run's folder is all there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from autoenc.runs import State
from autoenc.trackers.tracker import Row, TrackedRun


@dataclass(frozen=True, kw_only=True)
class NoTracker:
    """Its own settings, and a tracker that does nothing."""

    def require(self) -> None:
        """Nothing."""

    def build(self, run: TrackedRun) -> Self:  # noqa: ARG002
        """Itself."""
        return self

    def begin(self, rows: Sequence[Row]) -> None:
        """Nothing."""

    def epoch(self, row: Row) -> None:
        """Nothing."""

    def finish(self, state: State, *, error: str | None = None) -> None:
        """Nothing."""
