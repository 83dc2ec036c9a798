"""Jobs that another system runs: a `Supervisor` watches each job there, and a `RemoteJob` represents it here.

`SubmititJob` is the function that submitit runs there: it has the job saved, and queued again.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoenc.runs import ErrorKind, RunDirectory, is_there
from autoenc.sweeps.attempt import Attempt, settle, wait_for_end
from autoenc.sweeps.plan import JobTask
from autoenc.sweeps.worker import ORPHAN_SECONDS

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

POLL_SECONDS = 0.1
"""Between two looks at a job's process."""
LOST_SECONDS = ORPHAN_SECONDS + 15.0
"""How long a job may take to save and end once its supervisor is gone."""
PREEMPTED_SECONDS = 600.0
"""How long a saved job waits for slurm to end it; slurm would not queue a job again that ends by itself."""
STOP_SECONDS = 1.0
"""Between two looks for the file that asks a job of slurm's to end."""


class Supervisor:
    """Watches an attempt in its own thread, so that the main thread can handle signals."""

    def __init__(self, task: JobTask) -> None:
        self._attempt = Attempt(task)
        self._asked = self._at_once = False  # no locks: signal handlers interrupt each other
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start(self) -> None:
        """Begin the job."""
        self._thread.start()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end of the job, at most so long; returns whether it has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def stop(self, *, at_once: bool = False) -> None:
        """Ask the job to save and end; `at_once`: without saving. May be called again."""
        self._at_once = self._at_once or at_once
        self._asked = True

    def _watch(self) -> None:
        if not self._asked:
            self._attempt.start()
        while not self._attempt.poll():
            if self._asked:
                self._attempt.stop(at_once=self._at_once)
            wait_for_end([self._attempt], seconds=POLL_SECONDS)


class SubmititJob:
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
        return DelayedSubmission(SubmititJob(task, submitter=self._submitter, stop=self._stop))

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


class RemoteJob:
    """A job that was handed to another system.

    If the system ends it, the job's process notices, saves and ends by itself. Until then no one may write over its
    status or continue in its folder. On this machine its process can be seen; a job elsewhere gets `LOST_SECONDS`.
    """

    def __init__(self, task: JobTask, *, adopted: bool = False) -> None:
        self.task = task
        self._run = RunDirectory(Path(task.folder))
        self._before = {} if adopted else self._run.status()
        """Its status when it was handed over; an adopted job may have written its last one since."""

    def has_begun(self) -> bool:
        """Whether its process has written its status."""
        return self._run.status() != self._before

    def has_told(self, *, stopping: bool) -> bool:
        """Whether its folder says how it ended; when the sweep is stopping, it need not have begun or finished."""
        status = self._run.status()
        begun = status != self._before
        told = begun and status.get("state") in {"finished", "failed"}
        return told or (stopping and (not begun or status.get("state") == "interrupted"))

    def lose(self, kind: ErrorKind, message: str, *, gone: bool = False) -> RemoteJob:
        """Note why the other system ended it; `gone`: its process is known to have ended too."""
        self._kind: ErrorKind = kind
        self._message = message
        self._until = time.monotonic() + (0.0 if gone else LOST_SECONDS)
        return self

    def settled(self) -> bool:
        """Whether a lost job has ended; unless it has recorded its end, the failure is recorded now."""
        status = self._run.status()
        lives = self._run.process_lives()
        saving = lives is True or (lives is None and status.get("state") == "running")
        if saving and time.monotonic() < self._until:
            return False
        if status == self._before or status.get("state") not in {"finished", "failed"}:
            settle(self.task, kind=self._kind, message=self._message)
        return True


def take_settled(lost: list[RemoteJob]) -> list[JobTask]:
    """Remove the jobs that have settled from the list, and return them."""
    settled = [job for job in lost if job.settled()]
    lost[:] = [job for job in lost if job not in settled]
    return [job.task for job in settled]
