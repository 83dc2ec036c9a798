"""What a sweep needs of a launcher."""

from __future__ import annotations

from typing import Protocol

from autoenc.sweeps.task import JobTask


class Launcher(Protocol):
    """Jobs in processes of their own, somewhere. No method raises for what becomes of a job: its folder tells."""

    slots: int
    """How many jobs may be submitted and not ended at a time."""

    adopts: bool
    """Whether a job that an earlier start of the sweep has left at work may be submitted: that one is then awaited."""

    def submit(self, task: JobTask) -> None:
        """Begin a job, or have it wait its turn."""
        ...

    def ended(self) -> list[JobTask]:
        """The jobs that have ended since this was asked last; it does not wait. Their folders say how they ended."""
        ...

    def stop(self, *, at_once: bool = False) -> None:
        """Ask every job to save and end; `at_once`: without saving. One that has not begun does not begin."""
        ...

    def close(self) -> None:
        """Let go of what was held for the jobs. Every job has ended, or has been told to at once."""
        ...


class LauncherSettings(Protocol):
    """What an entry of the table of launchers offers; its fields are those of `hydra.launcher`."""

    def check(self) -> None:
        """Refuse, at once and without beginning anything, what cannot be built here.

        Raises:
            ConfigError: what it needs is not installed, or this machine has it not.
        """
        ...

    def build(self) -> Launcher:
        """The launcher, ready for jobs.

        Raises:
            ConfigError: what it needs is not installed, or is not there.
        """
        ...
