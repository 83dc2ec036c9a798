"""Jobs that another system runs: a `Supervisor` watches each job there, and a `RemoteJob` represents it here.

`SubmititJob` is the function that submitit runs there: it has the job saved, and queued again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoenc.runs import ErrorKind, RunDirectory, is_there
from autoenc.sweeps.attempt import Attempt, blocked, settle, wait_for_end
from autoenc.sweeps.launchers.local import with_one_gpu
from autoenc.sweeps.launchers.slurm_queue import SlurmError, requeue_unless_decided
from autoenc.sweeps.plan import JobTask
from autoenc.sweeps.worker import ORPHAN_SECONDS

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

POLL_SECONDS = 0.1
"""Between two looks at a job's process."""
LOST_SECONDS = ORPHAN_SECONDS + 15.0
"""How long a job may take to save and end once its supervisor is gone."""
STOP_SECONDS = 1.0
"""Between two looks for the file that asks a job of slurm's to end."""


class Supervisor:
    """Watches attempts in its own thread, so that the main thread can handle signals."""

    def __init__(self, *tasks: JobTask) -> None:
        self._attempts = [Attempt(task) for task in tasks]
        self._asked = self._at_once = False  # no locks: signal handlers interrupt each other
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start(self) -> None:
        """Begin the jobs."""
        self._thread.start()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end of all jobs, at most so long; returns whether they have ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def stop(self, *, at_once: bool = False) -> None:
        """Ask the jobs to save and end; `at_once`: without saving. May be called again."""
        self._at_once = self._at_once or at_once
        self._asked = True

    def _watch(self) -> None:
        for attempt in self._attempts:
            if not self._asked:
                attempt.start()
        while running := [attempt for attempt in self._attempts if not attempt.poll()]:
            if self._asked:
                for attempt in running:
                    attempt.stop(at_once=self._at_once)
            wait_for_end(running, seconds=POLL_SECONDS)


class SubmititJob:
    """The function that submitit calls, and calls again after a preemption or at the time limit.

    It runs a group of jobs at once, each in a process that is forked from the same one.

    - The file `stop` asks the jobs to save and end. So does the end of the `submitter`, the pid and the start of the
      sweep's process. Without a submitter the jobs are slurm's, and outlive the sweep: then SIGINT asks the same sooner
      than a file on a network disk.
    - Slurm's warning before the time limit (SIGUSR2) and its SIGTERM ask the jobs to save and end, and to be queued
      again. Slurm may send them to all processes of the slurm job, but only this one reacts to the warning.
    - Signals are only noted: a handler that waits can block the code that it interrupts.
    """

    def __init__(self, jobs: Sequence[RemoteJob], *, submitter: tuple[int, float] | None, stop: Path) -> None:
        self._jobs = list(jobs)
        self._submitter = submitter
        self._stop = stop

    def __call__(self) -> None:
        """Run the jobs to their ends, which their folders record; queue them again if slurm interrupted them.

        Raises:
            SystemExit: they are queued again.
        """
        from submitit import JobEnvironment

        supervisor = Supervisor(*_each_with_a_gpu(self._left_to_do()))
        warning = signal.Signals["SIG" + JobEnvironment.USR_SIG]  # the user may have chosen another than SIGUSR2
        requeue: Any = signal.getsignal(warning)
        received = []

        def note(number: int, frame: Any) -> None:  # noqa: ARG001
            received.append(number)
            supervisor.stop()

        for number in (signal.SIGINT, signal.SIGTERM, warning):
            signal.signal(number, note)
        if self._shall_end():
            return
        with blocked(warning):  # in the supervisor's thread, and so in all processes that it starts
            supervisor.start()
        parent = os.getppid()
        while not supervisor.wait(STOP_SECONDS if self._submitter is None else POLL_SECONDS):
            if self._shall_end() or (self._submitter is not None and os.getppid() != parent):
                supervisor.stop()
        if signal.SIGINT not in received and not self._shall_end():
            with blocked(warning, signal.SIGTERM):  # slurm sends them to its own `scontrol` too
                if warning in received:
                    self._queue_again(lambda: requeue(warning, None))  # submitit's: it counts the time limits
                elif signal.SIGTERM in received and self._submitter is None:
                    self._queue_again(lambda: requeue_unless_decided(os.environ["SLURM_JOB_ID"]))

    def checkpoint(self) -> DelayedSubmission:
        """What submitit runs when the jobs are queued again."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)

    def _queue_again(self, requeue: Callable[[], object]) -> None:
        """If a job can continue, queue the group again and exit, so that submitit does not record its end."""
        from submitit.core.utils import UncompletedJobError

        left = self._left_to_do()
        if not left:
            return
        try:
            requeue()
            sys.exit(128 + signal.SIGTERM)
        except UncompletedJobError:
            kind: ErrorKind = "timed_out"
            message = "it reached its time limit more than hydra.launcher.max_num_timeout times; run again to continue"
        except (OSError, subprocess.SubprocessError, SlurmError) as error:
            kind, message = "killed", f"slurm interrupted it and did not queue it again: {error}"
        for task in left:
            settle(task, kind=kind, message=message)

    def _left_to_do(self) -> list[JobTask]:
        return [task for job in self._jobs if (task := job.left_to_do()) is not None]

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
        self._begun = False

    def has_begun(self) -> bool:
        """Whether its process has written into its folder since it was handed over."""
        self._begun = self._begun or self._run.status() != self._before
        return self._begun

    def has_told(self, *, stopping: bool) -> bool:
        """Whether its folder says how it ended; when the sweep is stopping, it need not have begun or finished."""
        status = self._run.status()
        begun = status != self._before
        told = begun and status.get("state") in {"finished", "failed"}
        return told or (stopping and (not begun or status.get("state") == "interrupted"))

    def left_to_do(self) -> JobTask | None:
        """The job for a machine that runs it now: None if it has ended since it was handed over."""
        status = self._run.status()
        if status == self._before:
            return self.task
        killed = (status.get("error") or {}).get("kind") == "killed"  # too slow to save, but it has older ones
        ended = status.get("state") in {"finished", "failed"} and not killed
        return None if ended else replace(self.task, replaces=False)

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


def _each_with_a_gpu(tasks: Sequence[JobTask]) -> Sequence[JobTask]:
    """Jobs of one process, which share its GPU or get one of several in turn; a single job has all of them."""
    if len(tasks) < 2:
        return tasks
    visible = {**os.environ, **tasks[0].environment}.get("CUDA_VISIBLE_DEVICES", "")
    gpus = [name for name in visible.split(",") if name]
    return [with_one_gpu(task, gpus, number=number) for number, task in enumerate(tasks)]


def take_settled(lost: list[RemoteJob]) -> list[JobTask]:
    """Remove the jobs that have settled from the list, and return them."""
    settled = [job for job in lost if job.settled()]
    lost[:] = [job for job in lost if job not in settled]
    return [job.task for job in settled]
