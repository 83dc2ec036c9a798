"""The `sweep` node of the config: how many runs are made one piece of work. No run depends on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autoenc.settings import PositiveFloat


@dataclass(frozen=True, kw_only=True)
class SweepSettings:
    """How a sweep goes about its jobs."""

    name: str | None
    """Of its folder, below `outputs/sweeps`; null: one made of what is set and what varies."""
    rerun: Literal["failed", "all", "none"]
    """Which of the jobs that were begun before are begun again; what has finished is otherwise left as it is, and what
    was interrupted goes on."""
    job_timeout: PositiveFloat | None
    """Seconds after which a job is ended; null: never."""
