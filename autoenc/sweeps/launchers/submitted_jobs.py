"""What submitit has started, as the sweep sees it: a job in slurm's queue, or a process on this machine."""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from autoenc.runs import ErrorKind
from autoenc.sweeps.launchers.slurm_queue import SlurmQueue, last_line
from autoenc.sweeps.launchers.supervision import RemoteJob
from autoenc.sweeps.plan import STARTED

FOLDER = ".submitit"
"""In a sweep's folder, with a folder for each start of the sweep."""
LOOK_SECONDS = 1.0
"""Between two looks at a disk that may be on a network."""
TAIL_BYTES = 4096

End = tuple[ErrorKind, str]
"""Why a job ended, in case its folder does not say: a kind and a message."""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A group of the sweep's jobs, and what runs it."""

    job: LocalJob | QueuedJob
    remotes: list[RemoteJob]
    """The sweep's jobs that it runs, and that this start of the sweep waits for."""
    slot: int = 0
    """On this machine, it decides on the GPUs."""


class LocalJob:
    """A process of submitit's on this machine, which supervises a group of jobs."""

    def __init__(self, job: Any, *, folder: Path) -> None:
        self.number: str = job.job_id
        self.folder = folder
        """Submitit's."""
        self._job = job

    def end(self) -> End | None:
        """Why it ended; None while it runs. In between, submitit may start its process again."""
        if self._job.state == "RUNNING":
            return None
        return _end("its process ended", folder=self.folder, number=self.number)

    def state(self) -> str:
        """See `Launcher.states`."""
        return STARTED

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
        self.folder = folder
        """Submitit's; None if it is gone."""
        self._queue = queue
        self._look_at = 0.0
        self._requeued = ""
        """Words about the last time that slurm queued it again."""
        self._restarts = 0
        self._log_read = 0
        """Bytes of submitit's log that were searched for the reason of earlier times."""
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
        return _end(problem, folder=self.folder, number=self.number, kind=_KINDS.get(state or "", "killed"))

    def state(self) -> str:
        """See `Launcher.states`; reasons for waiting are in slurm's words, such as `Priority`."""
        entry = self._queue.entry(self.number)
        if entry is None:
            return "queued"
        if entry.restarts > self._restarts:
            self._restarts = entry.restarts
            self._requeued = self._words_about_requeueing()
        if entry.state in {"RUNNING", "COMPLETING"}:
            return STARTED
        if entry.state != "PENDING":
            return entry.state.lower().replace("_", " ")
        reason = "" if entry.reason == "None" else f": {entry.reason}"
        return f"{self._requeued or ('waiting' if reason else 'queued')}{reason}"

    def kill(self) -> None:
        """Do nothing: it is not on this machine."""

    def _words_about_requeueing(self) -> str:
        if self.folder is None:
            return "requeued"
        path = _log(self.folder, self.number)
        text = _tail(path, since=self._log_read)
        with contextlib.suppress(OSError):
            self._log_read = path.stat().st_size
        cause = next((words for found, words in _CAUSES.items() if found in text), None)
        return "requeued" if cause is None else f"requeued ({cause})"

    def _has_result(self) -> bool:
        if self.folder is None:
            return False
        with contextlib.suppress(OSError):
            # NFS may remember for a minute that a file does not exist; a listing is fresh.
            return self.folder / f"{self.number}_0_result.pkl" in self.folder.iterdir()
        return False


_KINDS: dict[str, ErrorKind] = {"OUT_OF_MEMORY": "out_of_memory", "TIMEOUT": "timed_out", "DEADLINE": "timed_out"}
_MEMORY = re.compile(r"exceeded (job |step )?memory limit|oom[-_ ]?kill", re.IGNORECASE)
"""What slurm writes into the log of a job that it ends for its memory; not everywhere is `OUT_OF_MEMORY` its state."""
_NO_CAUSE = re.compile(r"submitit |srun: (forcing|got|Job step aborted)|srun: error: .*: Exited with exit code")
"""Lines of a log that only say that a job ends; most often `srun` writes the last one."""
_CAUSES = {
    "this job is timed-out": "time limit",
    "this job is preempted": "preemption",
    "DUE TO PREEMPTION": "preemption",
    "DUE TO NODE FAILURE": "node failure",
    "DUE TO TIME LIMIT": "time limit",
}
"""Why slurm queued a job again, by words of submitit and slurm in its log."""


def _end(problem: str, *, folder: Path | None, number: str, kind: ErrorKind = "killed") -> End:
    """With the last line of submitit's log that may say why, if there is one; then the log is kept."""
    text = "" if folder is None else _tail(_log(folder, number))
    if kind == "out_of_memory" or _MEMORY.search(text):
        used = f"its slurm job {number} used more memory than it had requested"
        return "out_of_memory", f"{used}; increase hydra.launcher.mem_gb"
    last = last_line("\n".join(line for line in text.splitlines() if not _NO_CAUSE.match(line)))
    if folder is None or not last:
        return kind, f"{problem} without recording why"
    return kind, f"{problem}: {last} (from {FOLDER}/{folder.name}/{_log(folder, number).name})"


def _log(folder: Path, number: str) -> Path:
    return folder / f"{number}_0_log.err"


def _tail(path: Path, *, since: int = 0) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(since, path.stat().st_size - TAIL_BYTES))
            return file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
