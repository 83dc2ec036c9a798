"""Jobs by submitit: in slurm's queue, or under a process of its own on this machine.

Submitit's results are never read, nor is anything unpickled here: a job's folder tells how the job went, and slurm, or
the process, whether it is over.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autoenc.runs import RunDirectory
from autoenc.sweeps.attempt import settle
from autoenc.sweeps.launchers.slurm_queue import SlurmQueue, ask_to_end, last_line, numbers_by_name
from autoenc.sweeps.launchers.submitit_jobs import JobHere, QueuedJob, SubmititJob
from autoenc.sweeps.launchers.submitted import Submitted, Submitter
from autoenc.sweeps.launchers.supervision import LostJob
from autoenc.sweeps.task import JobTask

FOLDER = ".submitit"
"""In a sweep's folder; below it one folder for each start of the sweep."""
STOP_FILE = "stop"
NAME_LENGTH = 60


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where jobs run, and what each of them is given."""

    here: bool
    """On this machine, and not in slurm's queue."""
    parameters: Mapping[str, Any]
    """As submitit's `AutoExecutor` takes them."""
    max_num_timeout: int
    threads: int
    gpus: Sequence[str]
    """Those of this machine that jobs are given in turn."""
    gpus_each: int

    @property
    def cluster(self) -> str:
        """What submitit calls it."""
        return "local" if self.here else "slurm"


@dataclass(frozen=True, kw_only=True)
class _Submission:
    task: JobTask
    before: Mapping[str, Any]
    """What its `status.json` said when it was submitted."""
    job: SubmititJob
    slot: int


class SubmititLauncher:
    """So many jobs at once as submitit's."""

    def __init__(self, place: Place, *, slots: int) -> None:
        self.slots = slots
        self.adopts = not place.here
        self._place = place
        self._queue = SlurmQueue()
        self._waiting: list[JobTask] = []
        self._submitted: list[_Submission] = []
        self._lost: list[LostJob] = []
        self._over: list[JobTask] = []
        self._folders: dict[Path, Path] = {}
        """Submitit's folder for this start of the sweep, by the sweep's."""
        self._known: dict[str, str] | None = None
        """Numbers of jobs that an earlier start of a sweep has left in slurm's queue, by name."""
        self._stopping = False
        self._untidy = False

    def submit(self, task: JobTask) -> None:
        """Have a job wait; `ended` submits one at a time, since slurm takes its time for each.

        One that an earlier start of the sweep has left with slurm is not begun again, but awaited.
        """
        self._waiting.append(task)

    def ended(self) -> list[JobTask]:
        """The jobs that are over."""
        if self._waiting:
            self._send(self._waiting.pop(0))
        for submission in list(self._submitted):
            end = submission.job.end()
            if end is not None:
                self._submitted.remove(submission)
                self._conclude(submission, end)
        settled = [job for job in self._lost if job.settled()]
        self._lost = [job for job in self._lost if job not in settled]
        over = [*self._over, *(job.task for job in settled)]
        self._over = []
        return over

    def stop(self, *, at_once: bool = False) -> None:
        """Ask every job to end, and take those that wait out of the queue."""
        self._stopping = True
        self._over += self._waiting
        self._waiting = []
        for folder in self._folders.values():
            with contextlib.suppress(OSError):
                (folder / STOP_FILE).touch()
        for submission in self._submitted:
            if at_once:
                submission.job.kill()
        if not self._place.here:
            ask_to_end([submission.job.number for submission in self._submitted], at_once=at_once)
            self._queue.hurry()

    def close(self) -> None:
        """Leave nothing on this machine, and of submitit's files those that tell why a job did not even begin."""
        self._queue.close()
        if self._place.here:
            for submission in self._submitted:
                submission.job.kill()
        if not self._submitted and not self._untidy:
            for folder in self._folders.values():
                shutil.rmtree(folder, ignore_errors=True)
                with contextlib.suppress(OSError):  # others are in it
                    folder.parent.rmdir()

    def _send(self, task: JobTask) -> None:
        before: Mapping[str, Any] = RunDirectory(Path(task.folder)).status()
        used = {submission.slot for submission in self._submitted}
        slot = next(number for number in range(self.slots + 1) if number not in used)
        try:
            job: SubmititJob | None = self._left_by_an_earlier_start(task)
            if job is None:
                job = self._begun(self._placed(task, slot=slot))
            else:
                before = {}  # it may have written its last word since
        except Exception as error:  # submitit's, slurm's or a disk's: it is this job's, and not the sweep's
            what = "submitit" if self._place.here else "slurm"
            settle(task, kind="killed", message=f"{what} did not take it: {last_line(str(error))}")
            self._over.append(task)
            return
        self._submitted.append(_Submission(task=task, before=before, job=job, slot=slot))

    def _begun(self, task: JobTask) -> SubmititJob:
        import submitit
        from submitit.helpers import clean_env

        logging.getLogger("submitit").setLevel(logging.CRITICAL)  # it has a handler for the terminal
        folder, cluster = self._folder(task), self._place.cluster
        executor = submitit.AutoExecutor(
            folder, cluster=cluster, **{f"{cluster}_max_num_timeout": self._place.max_num_timeout}
        )
        executor.update_parameters(name=_name(task), **self._place.parameters)
        submitter = Submitter.here() if self._place.here else None
        with clean_env(), _interrupts_kept_away():
            job = executor.submit(Submitted(task, submitter=submitter, stop=folder / STOP_FILE))
        if self._place.here:
            return JobHere(job, folder=folder)
        return QueuedJob(job.job_id, folder=folder, queue=self._queue)

    def _left_by_an_earlier_start(self, task: JobTask) -> QueuedJob | None:
        """The job's that is with slurm still. By slurm's own word: files in a folder may be anybody's."""
        if self._place.here:
            return None
        if self._known is None:
            self._known = numbers_by_name()
        number = self._known.pop(_name(task), None)
        if number is None:
            return None
        folders = (Path(task.folder).parent / FOLDER).glob(f"*/{number}_submitted.pkl")
        return QueuedJob(number, folder=next((path.parent for path in folders), None), queue=self._queue)

    def _conclude(self, submission: _Submission, end: Any) -> None:
        """Hand on a job that is over; where its folder does not say how it ended, that is found out first."""
        status = RunDirectory(Path(submission.task.folder)).status()
        begun = status != submission.before
        told = begun and status.get("state") in {"finished", "failed"}
        if told or (self._stopping and (not begun or status.get("state") == "interrupted")):
            self._over.append(submission.task)
            return
        self._untidy = True
        lost = LostJob(
            submission.task, before=submission.before, kind=end.kind, message=end.message, gone=not self._place.here
        )
        self._lost.append(lost)

    def _placed(self, task: JobTask, *, slot: int) -> JobTask:
        environment = {**task.environment}
        gpus, each = self._place.gpus, self._place.gpus_each
        if gpus:
            dealt = [gpus[(slot * each + number) % len(gpus)] for number in range(each)]
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(dealt)
        return replace(task, threads=self._place.threads, environment=environment)

    def _folder(self, task: JobTask) -> Path:
        """A new one, which nobody can have laid anything into: submitit's jobs unpickle what they find there."""
        sweep = Path(task.folder).parent
        if sweep not in self._folders:
            (sweep / FOLDER).mkdir(parents=True, exist_ok=True)
            made = tempfile.mkdtemp(prefix=time.strftime("%Y-%m-%d_%H-%M-%S_"), dir=sweep / FOLDER)
            self._folders[sweep] = Path(made)
        return self._folders[sweep]


def _name(task: JobTask) -> str:
    """What slurm calls the job: readable, and one of a kind among all folders of all sweeps."""
    readable = re.sub(r"[^A-Za-z0-9_.=+-]", "_", Path(task.folder).name)[:NAME_LENGTH]
    return f"{readable}.{hashlib.sha256(task.folder.encode()).hexdigest()[:12]}"


@contextlib.contextmanager
def _interrupts_kept_away() -> Iterator[None]:
    """Start processes that a terminal's Ctrl-C does not reach: it is for the sweep, which asks its jobs."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
