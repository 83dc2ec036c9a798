"""The function that submitit runs for a job: watch it, have it saved, and queue it again."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoenc.runs import RunDirectory, is_there
from autoenc.sweeps.launchers.supervision import POLL_SECONDS, Supervisor
from autoenc.sweeps.plan import JobTask

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

PREEMPTED_SECONDS = 600.0
"""How long a saved job waits for slurm to end it; slurm would not queue a job again that ends by itself."""
STOP_SECONDS = 1.0
"""Between two looks for the file that asks a job of slurm's to end."""


class Submitted:
    """The function that submitit calls, and calls again after a preemption or at the time limit.

    The file `stop` asks the job to save and end. So does the end of the `submitter`, the pid and the start of the
    sweep's process. Without a submitter the job is slurm's, and outlives the sweep: then SIGINT asks the same sooner
    than a file on a network disk, and SIGTERM comes from slurm, which decides whether the job is queued again.
    """

    def __init__(self, task: JobTask, *, submitter: tuple[int, float] | None, stop: Path) -> None:
        self._task = task
        self._submitter = submitter
        self._stop = stop
        self._supervisor: Supervisor | None = None
        self._preempted = False

    def __call__(self) -> None:
        """Run the job to its end, which its folder records."""
        restarted = os.environ.get("SLURM_RESTART_COUNT", "0") != "0"  # by slurm itself, without asking us
        task = replace(self._task, replaces=self._task.replaces and not restarted)
        self._supervisor = supervisor = Supervisor(task)
        self._handle_signals(supervisor)
        if self._shall_end():
            return
        supervisor.start()
        parent = os.getppid()
        while not supervisor.wait(STOP_SECONDS if self._submitter is None else POLL_SECONDS):
            if self._shall_end() or (self._submitter is not None and os.getppid() != parent):
                supervisor.stop()
        until = time.monotonic() + PREEMPTED_SECONDS
        while self._preempted and time.monotonic() < until:
            time.sleep(POLL_SECONDS)

    def checkpoint(self) -> DelayedSubmission | None:
        """Have the job save and end; returns what to run when it is its turn again, or None if it has ended."""
        from submitit.helpers import DelayedSubmission

        if self._supervisor is None:
            return DelayedSubmission(self)
        self._supervisor.stop()
        self._supervisor.wait()
        status = RunDirectory(Path(self._task.folder)).status()
        killed = (status.get("error") or {}).get("kind") == "killed"  # too slow to save, but it has older ones
        if status.get("state") != "interrupted" and not killed:
            return None
        task = replace(self._task, replaces=False)
        return DelayedSubmission(Submitted(task, submitter=self._submitter, stop=self._stop))

    def _handle_signals(self, supervisor: Supervisor) -> None:
        def stop(number: int, frame: Any) -> None:  # noqa: ARG001
            self._preempted = self._submitter is None and number == signal.SIGTERM
            supervisor.stop()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)

    def _shall_end(self) -> bool:
        if self._stop.exists():
            return True
        return self._submitter is not None and is_there(self._submitter[0], began=self._submitter[1]) is not True
