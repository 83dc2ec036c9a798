"""A job that was submitted, and whether it is over: as slurm has it, or a process of this machine."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import psutil

from autoenc.runs import ErrorKind
from autoenc.sweeps.launchers.slurm_queue import SlurmQueue, last_line

LOOK_SECONDS = 1.0
"""Between two looks at a disk that may be far away."""
TAIL_BYTES = 4096


class End(NamedTuple):
    """How a job is over, for the case that its folder does not tell."""

    kind: ErrorKind
    message: str


class SubmititJob(Protocol):
    """What there is to know of either."""

    number: str
    """Of slurm's job, or of the process."""

    def end(self) -> End | None:
        """How it ended, or None: it has not."""
        ...

    def kill(self) -> None:
        """End what of it is on this machine, at once."""
        ...


class JobHere:
    """A process of submitit's on this machine, which starts the one that watches the job's."""

    def __init__(self, job: Any, *, folder: Path) -> None:
        self.number: str = job.job_id
        self._job = job
        self._folder = folder

    def end(self) -> End | None:
        """It has when its process is gone, which submitit may start again in between."""
        if self._job.state == "RUNNING":
            return None
        return _end("its process ended", folder=self._folder, number=self.number)

    def kill(self) -> None:
        """With everything that it has started, from the top: nobody below gets to start another."""
        with contextlib.suppress(psutil.Error):
            top = psutil.Process(int(self.number))
            for process in [top, *top.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    process.kill()


class QueuedJob:
    """A job of slurm's, by its number; submitit leaves a file when it comes to its end."""

    def __init__(self, number: str, *, folder: Path | None, queue: SlurmQueue) -> None:
        self.number = number
        self._folder = folder
        self._queue = queue
        self._look_at = 0.0
        queue.watch(number)

    def end(self) -> End | None:
        """It has when its file is there, or when slurm says so."""
        now = time.monotonic()
        if now < self._look_at:
            return None
        self._look_at = now + LOOK_SECONDS
        state = self._queue.ended_as(self.number)
        if state is None and not self._has_left_its_file():
            return None
        self._queue.forget(self.number)
        what = "its slurm job ended" if state is None else f"its slurm job {self.number} ended as {state}"
        return _end(what, folder=self._folder, number=self.number, kind=_KINDS.get(state or "", "killed"))

    def kill(self) -> None:
        """There is nothing here."""

    def _has_left_its_file(self) -> bool:
        if self._folder is None:
            return False
        with contextlib.suppress(OSError):
            # A listing is fresh where the answer to a question for one file is remembered for a minute: NFS.
            return f"{self.number}_0_result.pkl" in {path.name for path in self._folder.iterdir()}
        return False


_KINDS: dict[str, ErrorKind] = {"OUT_OF_MEMORY": "out_of_memory", "TIMEOUT": "timed_out", "DEADLINE": "timed_out"}


def _end(what: str, *, folder: Path | None, number: str, kind: ErrorKind = "killed") -> End:
    """With the last line of submitit's log, where there is one."""
    words = "" if folder is None else _last_words(folder / f"{number}_0_log.err")
    if "timed-out too many times" in words:
        kind = "timed_out"
    return End(kind, f"{what}: {words}" if words else f"{what} without a word")


def _last_words(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            lines = file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return last_line("\n".join(line for line in lines if not line.startswith("submitit ")))  # its own log's
