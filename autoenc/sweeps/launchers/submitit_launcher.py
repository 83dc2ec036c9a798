"""Jobs by submitit: in slurm's queue, or in processes on this machine. One slurm job or process runs a group of jobs.

Submitit's results are never read, and nothing is unpickled here. A job's folder says how the job went; slurm, or the
process, says whether it is over.
"""

from __future__ import annotations

import contextlib
import io
import logging
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from autoenc.runs import ErrorKind, RunDirectory
from autoenc.sweeps.attempt import blocked, settle
from autoenc.sweeps.launchers.slurm_queue import SlurmError, SlurmQueue, in_one_line, jobs_by_name
from autoenc.sweeps.launchers.submission import by_hash, environment_of_sbatch, hash_of, name_of
from autoenc.sweeps.launchers.submitted_jobs import FOLDER, LocalJob, QueuedJob, Submission
from autoenc.sweeps.launchers.supervision import RemoteJob, SubmititJob, take_settled
from autoenc.sweeps.plan import STARTED, JobTask

log = logging.getLogger(__name__)

STOP_FILE = "stop"


@dataclass(kw_only=True)
class SubmititLauncher:
    """Submits jobs in groups by submitit."""

    folder: Path
    """The sweep's."""
    slots: int
    jobs_per_task: int
    """The largest group."""
    here: bool
    """Whether jobs run on this machine, and not in slurm's queue."""
    parameters: Callable[[int], Mapping[str, Any]]
    """For a group of so many jobs, as submitit's `AutoExecutor` takes them."""
    max_num_timeout: int
    """How often a group is queued again at its time limit."""
    threads: int
    """Of a job whose config has none."""
    gpus: Sequence[str]
    """Of this machine, which groups get in turn."""
    gpus_each: int
    """How many GPUs a group gets."""
    lost = None

    def __post_init__(self) -> None:
        self.adopts = not self.here
        self._queue = SlurmQueue()
        self._waiting: list[JobTask] = []
        self._submitted: list[Submission] = []
        self._lost: list[RemoteJob] = []
        self._over: list[JobTask] = []
        self._ended: set[str] = set()
        """Numbers of slurm jobs that have ended."""
        self._folder: Path | None = None
        """Submitit's, for this start of the sweep."""
        self._left: dict[str, tuple[str, str]] | None = None
        """Numbers and states of slurm jobs that an earlier start has left, by the hash of each of their folders."""
        self._stopping = False

    def submit(self, task: JobTask) -> None:
        """Queue a job; `ended` submits one group at a time, since slurm is slow."""
        self._waiting.append(task)

    def states(self) -> dict[str, str]:
        """See `Launcher`."""
        pairs = ((remote, submission.job) for submission in self._submitted for remote in submission.remotes)
        return {remote.task.folder: job.state() for remote, job in pairs}

    def ended(self) -> list[JobTask]:
        """See `Launcher`."""
        if self._waiting:
            self._send()
        if self._stopping and self._queue.silence is not None:
            self._leave_with_slurm()
        for submission in list(self._submitted):
            end = submission.job.end()
            if end is not None:
                self._take(submission, *end)
        over, self._over = self._over, []
        return [*over, *take_settled(self._lost)]

    def wait(self, seconds: float) -> None:
        """See `Launcher`."""
        time.sleep(seconds)

    def stop(self, *, at_once: bool = False) -> None:
        """See `Launcher`."""
        self._stopping = True
        self._over += self._waiting
        self._waiting = []
        if self._folder is not None:
            with contextlib.suppress(OSError):
                (self._folder / STOP_FILE).touch()
        jobs = [submission.job for submission in self._submitted]
        if at_once:
            for job in jobs:
                job.kill()
        if not self.here:
            self._queue.end([job.number for job in jobs], at_once=at_once)

    def close(self) -> None:
        """See `Launcher`."""
        self._queue.close()
        if self.here:
            for submission in self._submitted:
                submission.job.kill()
        if self._queue.silence is None:  # else the next start removes them
            with contextlib.suppress(SlurmError):
                self._remove_submitit_folders()

    def _leave_with_slurm(self) -> None:
        """Slurm cannot be asked to end jobs: wait only for those that run and see the stop file."""
        left = []
        for submission in list(self._submitted):
            if submission.job.state() != STARTED or submission.job.folder != self._folder:
                self._submitted.remove(submission)
                self._over += [remote.task for remote in submission.remotes]
                left.append(submission.job.number)
        if left:
            log.warning(
                "Slurm does not answer (%s), so these jobs stay in its queue. To cancel them later: scancel %s",
                self._queue.silence,
                " ".join(left),
            )

    def _remove_submitit_folders(self) -> None:
        """Remove the files of this start and of earlier ones, except where slurm has a job that needs them, or where a
        log is the only record of why a job failed.
        """
        parent = self.folder / FOLDER
        starts = [] if parent.is_symlink() else list(parent.glob("*"))
        if not starts:
            return
        needed = {submission.job.number for submission in self._submitted}
        if not self.here:
            needed |= {number for number, _ in jobs_by_name().values()} - self._ended
        errors = [str(RunDirectory(path.parent).status().get("error")) for path in self.folder.glob("*/status.json")]
        for start in starts:
            numbers = {path.name.partition("_")[0] for path in start.glob("*_submitted.pkl")}
            if not numbers & needed and not any(start.name in error for error in errors):
                shutil.rmtree(start, ignore_errors=True)
        with contextlib.suppress(OSError):  # it is not empty
            parent.rmdir()

    def _send(self) -> None:
        """Submit the first jobs that wait as a group, without those that slurm has already."""
        group = self._waiting[: self.jobs_per_task]
        try:
            self._adopt()
            group = self._waiting[: self.jobs_per_task]
            if group:
                self._submit(group)
        except Exception as error:  # of submitit, slurm or a disk: the sweep goes on
            system = "submitit" if self.here else "slurm"
            for task in group:
                settle(task, kind="killed", message=f"{system} did not take it: {in_one_line(str(error))}")
            self._over += group
        self._waiting = self._waiting[len(group) :]

    def _submit(self, group: Sequence[JobTask]) -> None:
        import submitit

        logging.getLogger("submitit").setLevel(logging.CRITICAL)  # it has a handler for the terminal
        folder, cluster = self._submitit_folder(), "local" if self.here else "slurm"
        restarts = {f"{cluster}_max_num_timeout": self.max_num_timeout}
        executor = submitit.AutoExecutor(folder, cluster=cluster, **restarts)
        parameters = {"name": name_of(group), **self.parameters(len(group))}
        executor.update_parameters(**parameters)
        this = psutil.Process()
        submitter = (this.pid, this.create_time()) if self.here else None
        used = {submission.slot for submission in self._submitted}
        slot = next(number for number in range(len(used) + 1) if number not in used)
        remotes = [RemoteJob(self._placed(task, slot=slot)) for task in group]
        # A terminal's Ctrl-C is for the sweep, which asks its jobs. Submitit prints the errors that it raises.
        silent = contextlib.redirect_stderr(io.StringIO())
        with environment_of_sbatch(parameters), blocked(signal.SIGINT), silent:
            job = executor.submit(SubmititJob(remotes, submitter=submitter, stop=folder / STOP_FILE))
        queued = None if self.here else QueuedJob(job.job_id, folder=folder, queue=self._queue)
        self._submitted.append(Submission(job=queued or LocalJob(job, folder=folder), remotes=remotes, slot=slot))

    def _adopt(self) -> None:
        """Find the jobs that an earlier start has left with slurm, according to slurm: folders may be a stranger's."""
        if self.here:
            return
        if self._left is None:
            self._left = by_hash(jobs_by_name())
        for task in list(self._waiting):
            number, state = self._left.pop(hash_of(task), ("", ""))
            ended = RunDirectory(Path(task.folder)).state in {"finished", "failed"}
            if not number or (ended and state != "PENDING"):  # others of its group still run
                continue
            self._waiting.remove(task)
            remote = RemoteJob(task, adopted=True)
            known = next((there for there in self._submitted if there.job.number == number), None)
            if known is not None:
                known.remotes.append(remote)
                continue
            folders = (self.folder / FOLDER).glob(f"*/{number}_submitted.pkl")
            folder = next((path.parent for path in folders), None)
            if folder is not None:
                (folder / STOP_FILE).unlink(missing_ok=True)  # of a start that slurm did not answer at its end
            job = QueuedJob(number, folder=folder, queue=self._queue)
            self._submitted.append(Submission(job=job, remotes=[remote]))

    def _take(self, submission: Submission, kind: ErrorKind, message: str) -> None:
        """Take the jobs of a group that has ended."""
        self._submitted.remove(submission)
        number = submission.job.number
        self._ended.add(number)
        if self._left:
            self._left = {hashed: left for hashed, left in self._left.items() if left[0] != number}
        for remote in submission.remotes:
            if remote.has_told(stopping=self._stopping):
                self._over.append(remote.task)
            else:
                self._lost.append(remote.lose(kind, message, gone=not self.here))

    def _placed(self, task: JobTask, *, slot: int) -> JobTask:
        if not self.gpus:
            return replace(task, threads=self.threads)
        first = slot * self.gpus_each
        gpus = [self.gpus[(first + number) % len(self.gpus)] for number in range(self.gpus_each)]
        environment = {**task.environment, "CUDA_VISIBLE_DEVICES": ",".join(gpus)}
        return replace(task, threads=self.threads, environment=environment)

    def _submitit_folder(self) -> Path:
        """A new folder, which no one else can have put a file into: submitit's jobs unpickle what they find there."""
        if self._folder is None:
            parent = self.folder / FOLDER
            parent.mkdir(parents=True, exist_ok=True)
            self._folder = Path(tempfile.mkdtemp(prefix=time.strftime("%Y-%m-%d_%H-%M-%S_"), dir=parent))
        return self._folder
