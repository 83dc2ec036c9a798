"""Jobs that another system starts, here or elsewhere: how they are watched there, and what is said of lost ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoenc.runs import ErrorKind, RunDirectory
from autoenc.sweeps.attempt import Attempt, settle
from autoenc.sweeps.task import JobTask
from autoenc.sweeps.worker import ORPHAN_SECONDS

POLL_SECONDS = 0.1
"""Between two looks at a job's process."""
LOST_SECONDS = ORPHAN_SECONDS + 15.0
"""How long a job whose watcher is gone may take to save and be gone too."""


class Supervisor:
    """Watches an attempt from a thread of its own: the main thread is free for whatever wants to interrupt it."""

    def __init__(self, task: JobTask) -> None:
        self._attempt = Attempt(task)
        self._asked = self._at_once = False  # no locks: signal handlers interrupt each other
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start(self) -> None:
        """Begin the job."""
        self._thread.start()

    def wait(self, seconds: float | None = None) -> bool:
        """Whether the job has ended, after at most so long; None: it is waited for."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def stop(self, *, at_once: bool = False) -> None:
        """Ask the job to save and end, as often as one likes; `at_once`: without saving."""
        self._at_once = self._at_once or at_once
        self._asked = True

    def _watch(self) -> None:
        if not self._asked:
            self._attempt.start()
        while not self._attempt.poll():
            if self._asked:
                self._attempt.stop(at_once=self._at_once)
            time.sleep(POLL_SECONDS)


class LostJob:
    """A job whose watcher is gone before it had said how the job ended.

    The job's process notices, saves and ends by itself; what it says then must not be written over, nor may somebody
    else go on in its folder before. On this machine it can be seen; elsewhere it is given the time that it may take,
    unless it is known to be `gone`. `before` is what its `status.json` said when it was handed over.
    """

    def __init__(
        self, task: JobTask, *, before: Mapping[str, Any], kind: ErrorKind, message: str, gone: bool = False
    ) -> None:
        self.task = task
        self._run = RunDirectory(Path(task.folder))
        self._before = before
        self._kind = kind
        self._message = message
        self._until = time.monotonic() + (0.0 if gone else LOST_SECONDS)

    def settled(self) -> bool:
        """Whether its end is known by now; it is written down then, unless the job could do that."""
        status = self._run.status()
        there = self._run.process_lives()
        saving = there is True or (there is None and status.get("state") == "running")
        if saving and time.monotonic() < self._until:
            return False
        if status == self._before or status.get("state") not in {"finished", "failed"}:
            settle(self.task, kind=self._kind, message=self._message)
        return True
