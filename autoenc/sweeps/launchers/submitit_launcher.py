"""Jobs by submitit: in slurm's queue, or in processes on this machine.

Submitit's results are never read, and nothing is unpickled here. A job's folder says how the job went; slurm, or the
process, says whether it is over.
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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from autoenc.runs import ErrorKind
from autoenc.sweeps.attempt import blocked, settle
from autoenc.sweeps.launchers.slurm_queue import SlurmQueue, ask_to_end, last_line, numbers_by_name
from autoenc.sweeps.launchers.supervision import RemoteJob, SubmititJob, take_settled
from autoenc.sweeps.plan import JobTask

FOLDER = ".submitit"
"""In a sweep's folder, with a folder for each start of the sweep."""
STOP_FILE = "stop"
NAME_LENGTH = 60
LOOK_SECONDS = 1.0
"""Between two looks at a disk that may be on a network."""
TAIL_BYTES = 4096

End = tuple[ErrorKind, str]
"""Why a job ended, in case its folder does not say: a kind and a message."""


class LocalJob:
    """A process of submitit's on this machine, which supervises the job."""

    def __init__(self, job: Any, *, folder: Path) -> None:
        self.number: str = job.job_id
        self._job = job
        self._folder = folder

    def end(self) -> End | None:
        """Why it ended; None while it runs. In between, submitit may start its process again."""
        if self._job.state == "RUNNING":
            return None
        return _end("its process ended", folder=self._folder, number=self.number)

    def kill(self) -> None:
        """Kill the process and all below it, from the top, so that none is started again."""
        with contextlib.suppress(psutil.Error):
            top = psutil.Process(int(self.number))
            for process in [top, *top.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    process.kill()


class QueuedJob:
    """A job of slurm's. Submitit writes a file when it comes to its end."""

    def __init__(self, number: str, *, folder: Path | None, queue: SlurmQueue) -> None:
        self.number = number
        self._folder = folder
        self._queue = queue
        self._look_at = 0.0
        queue.watch(number)

    def end(self) -> End | None:
        """Why it ended, according to its file or to slurm; None while it waits or runs."""
        now = time.monotonic()
        if now < self._look_at:
            return None
        self._look_at = now + LOOK_SECONDS
        state = self._queue.ended_as(self.number)
        if state is None and not self._has_result():
            return None
        self._queue.forget(self.number)
        problem = "its slurm job ended" if state is None else f"its slurm job {self.number} ended as {state}"
        return _end(problem, folder=self._folder, number=self.number, kind=_KINDS.get(state or "", "killed"))

    def kill(self) -> None:
        """Do nothing: it is not on this machine."""

    def _has_result(self) -> bool:
        if self._folder is None:
            return False
        with contextlib.suppress(OSError):
            # NFS may remember for a minute that a file does not exist; a listing is fresh.
            return self._folder / f"{self.number}_0_result.pkl" in self._folder.iterdir()
        return False


@dataclass(frozen=True, kw_only=True)
class _Submission:
    remote: RemoteJob
    job: LocalJob | QueuedJob
    slot: int


@dataclass(kw_only=True)
class SubmititLauncher:
    """Submits each job by submitit."""

    slots: int
    here: bool
    """Whether jobs run on this machine, and not in slurm's queue."""
    parameters: Mapping[str, Any]
    """As submitit's `AutoExecutor` takes them."""
    max_num_timeout: int
    """How often a job is queued again at its time limit."""
    threads: int
    """Of a job whose config has none."""
    gpus: Sequence[str]
    """Of this machine, which jobs get in turn."""
    gpus_each: int
    """How many GPUs a job gets."""
    lost = None

    def __post_init__(self) -> None:
        self.adopts = not self.here
        self._queue = SlurmQueue()
        self._waiting: list[JobTask] = []
        self._submitted: list[_Submission] = []
        self._lost: list[RemoteJob] = []
        self._over: list[JobTask] = []
        self._folder: Path | None = None
        """Submitit's, for this start of the sweep."""
        self._left: dict[str, str] | None = None
        """Numbers of jobs that an earlier start has left in slurm's queue, by name."""
        self._stopping = False
        self._keep_logs = False

    def submit(self, task: JobTask) -> None:
        """Queue a job; `ended` submits one at a time, since slurm is slow."""
        self._waiting.append(task)

    def ended(self) -> list[JobTask]:
        """See `Launcher`."""
        if self._waiting:
            self._send(self._waiting.pop(0))
        for submission in list(self._submitted):
            end, remote = submission.job.end(), submission.remote
            if end is None:
                continue
            self._submitted.remove(submission)
            if remote.has_told(stopping=self._stopping):
                self._over.append(remote.task)
            else:
                self._keep_logs = True
                self._lost.append(remote.lose(*end, gone=not self.here))
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
            ask_to_end([job.number for job in jobs], at_once=at_once)
            self._queue.hurry()

    def close(self) -> None:
        """See `Launcher`. Submitit's files stay if a job did not say why it ended."""
        self._queue.close()
        if self.here:
            for submission in self._submitted:
                submission.job.kill()
        if self._folder is not None and not self._submitted and not self._keep_logs:
            shutil.rmtree(self._folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # it is not empty
                self._folder.parent.rmdir()

    def _send(self, task: JobTask) -> None:
        used = {submission.slot for submission in self._submitted}
        slot = next(number for number in range(self.slots + 1) if number not in used)
        try:
            left = self._left_in_queue(task)
            remote = RemoteJob(task, adopted=left is not None)
            job = left or self._started(self._placed(task, slot=slot))
        except Exception as error:  # of submitit, slurm or a disk: the sweep goes on
            system = "submitit" if self.here else "slurm"
            settle(task, kind="killed", message=f"{system} did not take it: {last_line(str(error))}")
            self._over.append(task)
            return
        self._submitted.append(_Submission(remote=remote, job=job, slot=slot))

    def _started(self, task: JobTask) -> LocalJob | QueuedJob:
        import submitit
        from submitit.helpers import clean_env

        logging.getLogger("submitit").setLevel(logging.CRITICAL)  # it has a handler for the terminal
        folder, cluster = self._submitit_folder(task), "local" if self.here else "slurm"
        restarts = {f"{cluster}_max_num_timeout": self.max_num_timeout}
        executor = submitit.AutoExecutor(folder, cluster=cluster, **restarts)
        executor.update_parameters(name=_name(task), **self.parameters)
        this = psutil.Process()
        submitter = (this.pid, this.create_time()) if self.here else None
        # A terminal's Ctrl-C is for the sweep, which asks its jobs.
        with clean_env(), blocked(signal.SIGINT):
            job = executor.submit(SubmititJob(task, submitter=submitter, stop=folder / STOP_FILE))
        if self.here:
            return LocalJob(job, folder=folder)
        return QueuedJob(job.job_id, folder=folder, queue=self._queue)

    def _left_in_queue(self, task: JobTask) -> QueuedJob | None:
        """The job that an earlier start has left with slurm, according to slurm: a folder may come from a stranger."""
        if self.here:
            return None
        if self._left is None:
            self._left = numbers_by_name()
        number = self._left.pop(_name(task), None)
        if number is None:
            return None
        folders = (Path(task.folder).parent / FOLDER).glob(f"*/{number}_submitted.pkl")
        return QueuedJob(number, folder=next((path.parent for path in folders), None), queue=self._queue)

    def _placed(self, task: JobTask, *, slot: int) -> JobTask:
        if not self.gpus:
            return replace(task, threads=self.threads)
        first = slot * self.gpus_each
        gpus = [self.gpus[(first + number) % len(self.gpus)] for number in range(self.gpus_each)]
        environment = {**task.environment, "CUDA_VISIBLE_DEVICES": ",".join(gpus)}
        return replace(task, threads=self.threads, environment=environment)

    def _submitit_folder(self, task: JobTask) -> Path:
        """A new folder, which no one else can have put a file into: submitit's jobs unpickle what they find there."""
        sweep = Path(task.folder).parent
        if self._folder is None:
            (sweep / FOLDER).mkdir(parents=True, exist_ok=True)
            self._folder = Path(tempfile.mkdtemp(prefix=time.strftime("%Y-%m-%d_%H-%M-%S_"), dir=sweep / FOLDER))
        return self._folder


def _name(task: JobTask) -> str:
    readable = re.sub(r"[^A-Za-z0-9_.=+-]", "_", Path(task.folder).name)[:NAME_LENGTH]
    return f"{readable}.{hashlib.sha256(task.folder.encode()).hexdigest()[:12]}"


_KINDS: dict[str, ErrorKind] = {"OUT_OF_MEMORY": "out_of_memory", "TIMEOUT": "timed_out", "DEADLINE": "timed_out"}


def _end(problem: str, *, folder: Path | None, number: str, kind: ErrorKind = "killed") -> End:
    """With the last line of submitit's log, if there is one."""
    last = "" if folder is None else _last_log_line(folder / f"{number}_0_log.err")
    if "timed-out too many times" in last:
        kind = "timed_out"
    return kind, f"{problem}: {last}" if last else f"{problem} without recording why"


def _last_log_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            lines = file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return last_line("\n".join(line for line in lines if not line.startswith("submitit ")))
