"""Launchers: where the jobs of a sweep run, and how many at once. `hydra/launcher=` picks one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from autoenc.registry import Registry
from autoenc.sweeps.launchers.local import Basic, Joblib
from autoenc.sweeps.launchers.ray import Ray
from autoenc.sweeps.launchers.slurm import Slurm
from autoenc.sweeps.plan import JobTask


class Launcher(Protocol):
    """Runs each job in a process of its own. No method raises an error of a job: the job's folder has it."""

    slots: int
    """How many jobs may be submitted at a time."""

    adopts: bool
    """Whether a job that is still running from an earlier start of the sweep may be submitted, to be watched."""

    @property
    def lost(self) -> str | None:
        """Why no further job can be submitted: the system that runs them is gone. None: it works."""

    def submit(self, task: JobTask) -> None:
        """Start a job, or queue it."""

    def states(self) -> Mapping[str, str]:
        """What became of the submitted jobs that have not ended, by their folders: `STARTED`, or in a few words why a
        job has not started. Jobs that have not been handed over are missing.
        """

    def ended(self) -> list[JobTask]:
        """The jobs that have ended since the last call; it does not wait."""

    def wait(self, seconds: float) -> None:
        """Wait until a job may have ended, at most so long."""

    def stop(self, *, at_once: bool = False) -> None:
        """Ask every job to save and end; `at_once`: without saving. Queued jobs do not begin."""

    def close(self) -> None:
        """Release all resources. Every job has ended, or has been told to end at once."""


class LauncherSettings(Protocol):
    """A choice of `hydra/launcher`; its fields are those of `hydra.launcher`."""

    @property
    def runs_here(self) -> bool:
        """Whether all jobs run on this machine. If not, each job checks its device where it runs."""

    @property
    def n_jobs(self) -> int | None:
        """The number of jobs at a time; None: the user has left it to the launcher."""

    def check(self) -> None:
        """Refuse what this machine cannot do, without starting anything. Raises ConfigError."""

    def warm_up(self) -> None:
        """Begin what takes seconds and needs no job, while the jobs are checked. It ends with this process."""

    def build(self, folder: Path) -> Launcher:
        """Build the launcher of the sweep in this folder. Raises ConfigError if a package or a resource is missing."""


LAUNCHERS: Registry[LauncherSettings] = Registry(
    "hydra.launcher", {"basic": Basic, "joblib": Joblib, "slurm": Slurm, "ray": Ray}
)
