"""Launchers: where the jobs of a sweep run, and how many at once. `hydra/launcher=` picks one."""

from __future__ import annotations

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

    def check(self) -> None:
        """Refuse what this machine cannot do, without starting anything. Raises ConfigError."""

    def warm_up(self) -> None:
        """Begin what takes seconds and needs no job, while the jobs are checked. It ends with this process."""

    def build(self) -> Launcher:
        """Build the launcher. Raises ConfigError if a package or a resource is missing."""


LAUNCHERS: Registry[LauncherSettings] = Registry(
    "hydra.launcher", {"basic": Basic, "joblib": Joblib, "slurm": Slurm, "ray": Ray}
)
