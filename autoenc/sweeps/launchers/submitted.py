"""What submitit runs in a job of its own: one of our jobs, watched, saved, and put back into the queue."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from autoenc.runs import RunDirectory, is_there
from autoenc.sweeps.launchers.supervision import POLL_SECONDS, Supervisor
from autoenc.sweeps.task import JobTask

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

PREEMPTED_SECONDS = 600.0
"""How long a slurm job that has saved waits for slurm to end it; one that ended by itself would not be queued again."""

STOP_SECONDS = 1.0
"""Between two looks for the file that asks a job of slurm's to end."""


@dataclass(frozen=True, kw_only=True)
class Submitter:
    """The process of the sweep, known by more than its number, which another may get."""

    pid: int
    started: float

    @classmethod
    def here(cls) -> Submitter:
        """This process."""
        process = psutil.Process()
        return cls(pid=process.pid, started=process.create_time())

    def lives(self) -> bool:
        """Whether it is there."""
        return is_there(self.pid, began=self.started) is True


class Submitted:
    """The function that submitit calls; after a preemption or when its time is over, it is called again.

    The job is asked to save and end by the file `stop`. With a `submitter` it also does when that is gone. Without one
    it is slurm's, and goes on by itself: then SIGINT asks the same, which is there sooner than a file on a disk far
    away; SIGTERM comes from slurm, which decides what is to become of the job.
    """

    def __init__(self, task: JobTask, *, submitter: Submitter | None, stop: Path) -> None:
        self._task = task
        self._submitter = submitter
        self._stop = stop
        self._supervisor: Supervisor | None = None
        self._preempted = False

    def __call__(self) -> None:
        """Run the job to its end; its folder tells of it."""
        again = os.environ.get("SLURM_RESTART_COUNT", "0") != "0"  # slurm's doing: nobody has asked us before
        task = replace(self._task, replaces=self._task.replaces and not again)
        self._supervisor = supervisor = Supervisor(task)
        self._heed_signals(supervisor)
        if self._is_to_end():
            return
        supervisor.start()
        parent = os.getppid()
        while not supervisor.wait(STOP_SECONDS if self._submitter is None else POLL_SECONDS):
            if self._is_to_end() or (self._submitter is not None and os.getppid() != parent):
                supervisor.stop()
        until = time.monotonic() + PREEMPTED_SECONDS
        while self._preempted and time.monotonic() < until:
            time.sleep(POLL_SECONDS)

    def checkpoint(self) -> DelayedSubmission | None:
        """Save and end the job; what is to be run when it is its turn again, or None: it has ended for good."""
        from submitit.helpers import DelayedSubmission

        if self._supervisor is None:
            return DelayedSubmission(self)
        self._supervisor.stop()
        self._supervisor.wait()
        status = RunDirectory(Path(self._task.folder)).status()
        killed = (status.get("error") or {}).get("kind") == "killed"  # it could not save in time: it has older ones
        if status.get("state") != "interrupted" and not killed:
            return None
        task = replace(self._task, replaces=False)
        return DelayedSubmission(Submitted(task, submitter=self._submitter, stop=self._stop))

    def _heed_signals(self, supervisor: Supervisor) -> None:
        def stop(number: int, frame: Any) -> None:  # noqa: ARG001
            self._preempted = self._submitter is None and number == signal.SIGTERM
            supervisor.stop()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)

    def _is_to_end(self) -> bool:
        return self._stop.exists() or (self._submitter is not None and not self._submitter.lives())
