"""Jobs that another system runs: a `Supervisor` watches each job there, and a `RemoteJob` represents it here."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from autoenc.runs import ErrorKind, RunDirectory
from autoenc.sweeps.attempt import Attempt, settle
from autoenc.sweeps.plan import JobTask
from autoenc.sweeps.worker import ORPHAN_SECONDS

POLL_SECONDS = 0.1
"""Between two looks at a job's process."""
LOST_SECONDS = ORPHAN_SECONDS + 15.0
"""How long a job may take to save and end once its supervisor is gone."""


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
            time.sleep(POLL_SECONDS)


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
