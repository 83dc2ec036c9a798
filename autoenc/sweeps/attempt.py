"""A job's process from the outside: start it, watch it, end it when its time is up, and record how it ended."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import multiprocessing.connection
import multiprocessing.forkserver
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from datetime import datetime
from multiprocessing import resource_tracker
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil

from autoenc.runs import ErrorKind, RunDirectory, write_atomically
from autoenc.settings import ConfigError
from autoenc.sweeps.job_identity import IGNORED_SETTINGS
from autoenc.sweeps.plan import JobTask
from autoenc.sweeps.worker import work

SAVING_SECONDS = 60.0
"""How long a job that is asked to stop may take to finish its step and save."""
HANGING_SECONDS = 10.0
"""The same for a job whose time is up: most likely it hangs."""
DUMPING_SECONDS = 5.0
"""How long a job may take to write its stack into its log before it is killed."""

REPLACED = ".replaced"
"""The folder of a sweep that keeps the former folders of jobs that are trained again."""

LOST = 255
"""The exit code that `multiprocessing` reports when the process that jobs are forked from is gone."""


class Attempt:
    """A job's process. Call `poll` until it returns True; it never waits."""

    def __init__(self, task: JobTask) -> None:
        self.task = task
        self._run = RunDirectory(Path(task.folder))
        self._process: BaseProcess | None = None
        self._deadline: float | None = None
        self._stages: list[tuple[float, int]] = []
        self._timed_out = False
        self._asked = False
        self._folder_locked = False
        self._system: psutil.Process | None = None
        """The same process, which psutil recognises by its start too; None if it ended at once."""
        self._out_of_memory_before = _kills_for_memory()

    def start(self) -> None:
        """Prepare the job's folder and start its process; errors are recorded there.

        If another process trains in the folder, wait for it and touch nothing.
        """
        self._folder_locked = self._run.is_locked()
        if self._folder_locked:
            return
        try:
            _prepare_folder(self.task)
            self._process = _started_process(self.task)
        except (OSError, EOFError, ConfigError) as error:  # no memory, no descriptors, a full disk
            settle(self.task, kind="killed", message=f"its process could not be started: {error}")
            return
        with contextlib.suppress(psutil.Error):
            self._system = psutil.Process(self._process.pid)
        if self.task.timeout is not None:
            self._deadline = time.monotonic() + self.task.timeout

    def poll(self) -> bool:
        """Whether the job has ended; its folder then says how."""
        if self._folder_locked:
            self._try_again()
        if self._process is None:
            return not self._folder_locked
        if not self._process.is_alive() and not (self._process.exitcode == LOST and self._exists()):
            self._settle(self._process)
            return True
        now = time.monotonic()
        if self._deadline is not None and now >= self._deadline and not (self._timed_out or self._asked):
            self._timed_out = True
            self._end_in_stages(HANGING_SECONDS)
        self._send_due_signals(now)
        return False

    @property
    def sentinel(self) -> int | None:
        """A descriptor that becomes readable when the process ends; None without a process."""
        if self._process is None or self._process.exitcode == LOST:
            return None
        return self._process.sentinel

    def stop(self, *, at_once: bool = False) -> None:
        """Ask the job to save and end; kill it if it does not, or `at_once`. `poll` says when it is gone."""
        self._asked = True
        self._folder_locked = False  # it has not begun, and shall not
        if at_once:
            self._stages = [(time.monotonic(), signal.SIGKILL)]
        elif not self._stages:
            self._end_in_stages(SAVING_SECONDS)

    def _try_again(self) -> None:
        if not self._run.is_locked() and self._run.status().get("state") == "finished":
            self._folder_locked = False  # the other process has finished the job
        else:
            self.start()

    def _exists(self) -> bool:
        system = self._system
        try:
            return system is not None and system.is_running() and system.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def _end_in_stages(self, patience: float) -> None:
        """Ask; after `patience` have it write its stack (`faulthandler` does so on SIGABRT); then kill."""
        now = time.monotonic()
        self._stages = [
            (now, signal.SIGTERM),
            (now + patience, signal.SIGABRT),
            (now + patience + DUMPING_SECONDS, signal.SIGKILL),
        ]

    def _send_due_signals(self, now: float) -> None:
        while self._stages and now >= self._stages[0][0]:
            number = self._stages.pop(0)[1]
            if self._system is not None:
                with contextlib.suppress(psutil.Error):
                    self._system.send_signal(number)

    def _settle(self, process: BaseProcess) -> None:
        process.join()
        code = process.exitcode or 0
        process.close()
        self._process = None
        state = self._run.status().get("state")
        if self._timed_out and state != "finished":
            message = f"it was still running after sweep.job_timeout={self.task.timeout:g} seconds"
            settle(self.task, kind="timed_out", message=message)
        elif state not in {"finished", "failed", "interrupted"}:
            if code in {-signal.SIGTERM, 128 + signal.SIGTERM}:  # before it could handle signals
                with contextlib.suppress(OSError):
                    self._run.set_state("interrupted")
            else:
                kind, message = self._cause(code)
                settle(self.task, kind=kind, message=message)

    def _cause(self, code: int) -> tuple[ErrorKind, str]:
        if code == -signal.SIGKILL and _kills_for_memory() > self._out_of_memory_before:
            return "out_of_memory", "the system killed its process because no memory was left"
        if code < 0:
            name = next((known.name for known in signal.Signals if known == -code), f"signal {-code}")
            return "killed", f"its process was ended by {name}; see the log"
        if code == LOST:
            return "killed", "its process was killed together with the one it was forked from"
        return "killed", f"its process ended with exit code {code} without recording why; see the log"


def wait_for_end(attempts: Iterable[Attempt], *, seconds: float) -> None:
    """Wait until the process of one of the jobs ends, at most so long."""
    sentinels = [attempt.sentinel for attempt in attempts]
    known = [sentinel for sentinel in sentinels if sentinel is not None]
    if known:
        multiprocessing.connection.wait(known, timeout=seconds)
    else:
        time.sleep(seconds)


def settle(task: JobTask, *, kind: ErrorKind, message: str) -> None:
    """Record the failure of a job that can no longer do so itself."""
    run = RunDirectory(Path(task.folder))
    with contextlib.suppress(OSError):  # a full disk, a folder that cannot be made: the sweep's table shows the failure
        run.path.mkdir(parents=True, exist_ok=True)
        run.set_failed_from_outside({"kind": kind, "message": message})
        with (run.path / "train.log").open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S},000 ERROR autoenc.sweeps: {kind}: {message}\n")


def warm_up() -> None:
    """Start the process that jobs are forked from: importing torch takes longer than many a job."""
    if _context().get_start_method() == "forkserver":
        resource_tracker.ensure_running()  # else it starts one, which lets all signals in
        with blocked(signal.SIGINT, signal.SIGTERM):
            multiprocessing.forkserver.ensure_running()


@contextlib.contextmanager
def blocked(*numbers: int) -> Iterator[None]:
    """Block signals in this thread, and in the threads and processes that are started inside until they unblock them.

    A terminal sends Ctrl-C to all its processes, but only the sweep should handle it. Slurm may do the same with all
    its signals.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def without_main() -> Iterator[None]:
    """Start processes inside that do not import this process's script, which may not be importable."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _context() -> ForkServerContext | SpawnContext:
    """On Linux, jobs are forked from a process that has imported everything; elsewhere forking is unsafe."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["autoenc.sweeps.preloaded"])
    return context


def _started_process(task: JobTask) -> BaseProcess:
    warm_up()  # starts it again if it was killed
    process = _context().Process(target=work, args=(task,), name=Path(task.folder).name)
    with without_main():
        process.start()
    return process


def _prepare_folder(task: JobTask) -> None:
    path = Path(task.folder)
    if task.replaces and path.exists():
        _move_to_replaced(path)
    if not (path / "config.yaml").exists():
        RunDirectory.begin(path, config=task.config)
    else:
        run = RunDirectory(path)
        run.rewrite_config(_with_ignored_settings(run.config(), task.config))
        run.set_state("running")
    if task.hydra and not (path / ".hydra").exists():
        (path / ".hydra").mkdir()
        for name, text in task.hydra.items():
            write_atomically(path / ".hydra" / name, text.encode())


def _with_ignored_settings(there: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a job that continues, with the command's values of the settings that change no number.

    Its data may have moved. The device stays: the checkpoint has its random states.
    """
    config = deepcopy(dict(there))
    for key in IGNORED_SETTINGS:
        group, _, name = key.rpartition(".")
        node, given = (values.get(group) if group else values for values in (config, new))
        if isinstance(node, dict) and isinstance(given, Mapping) and name in node and name in given:
            node[name] = given[name]
    return config


def _move_to_replaced(path: Path) -> None:
    replaced = path.parent / REPLACED
    replaced.mkdir(exist_ok=True)
    names = (replaced / f"{path.name}.{number}" for number in itertools.count(1))
    shutil.move(path, next(name for name in names if not name.exists()))


def _kills_for_memory() -> int:
    """How many processes Linux has killed because memory ran out; 0 on other systems."""
    try:
        lines = Path("/proc/vmstat").read_text("ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
