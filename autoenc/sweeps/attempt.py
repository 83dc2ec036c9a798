"""A job's process from the outside: start it, watch it, end it when its time is up, and record how it ended."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.forkserver
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import datetime
from multiprocessing import resource_tracker
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil

from autoenc.runs import ErrorKind, RunDirectory, is_there, write_atomically
from autoenc.settings import ConfigError
from autoenc.sweeps.job_identity import IGNORED_SETTINGS
from autoenc.sweeps.plan import JobTask
from autoenc.sweeps.worker import PRELOADED, work

SAVING_SECONDS = 60.0
"""How long a job that is asked to stop may take to finish its step and save."""
HANGING_SECONDS = 10.0
"""The same for a job whose time is up: most likely it hangs."""
LOCKED_SECONDS = 1.0
"""Between two looks at a folder that another process trains in."""
DUMPING_SECONDS = 5.0
"""How long a job may take to write its stack into its log before it is killed."""

LOST = 255
"""The exit code that `multiprocessing` reports when the process that jobs are forked from is gone."""

REPLACED = ".replaced"
"""Where a sweep keeps the old folders of jobs that started again."""


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
        self._look_again_at = 0.0
        self._started: float | None = None
        """When the process started, according to the system: its pid alone may be used again."""
        self._out_of_memory_before = _kills_for_memory()

    def start(self) -> None:
        """Prepare the job's folder and start its process; errors are recorded there.

        If another process trains in the folder, wait for it and touch nothing.
        """
        self._folder_locked = self._run.is_locked()
        if self._folder_locked:
            self._look_again_at = time.monotonic() + LOCKED_SECONDS
            return
        try:
            _prepare_folder(self.task)
            warm_up()  # starts it again if it was killed
            process = _context().Process(target=work, args=(self.task,), name=Path(self.task.folder).name)
            with _without_main():
                process.start()
        except (OSError, EOFError, ConfigError) as error:  # no memory, no descriptors, a full disk
            self._record("killed", f"its process could not be started: {error}")
            return
        self._process = process
        self._started = _time_of_start(process.pid)
        if self.task.timeout is not None:
            self._deadline = time.monotonic() + self.task.timeout

    def poll(self) -> bool:
        """Whether the job has ended; its folder then says how."""
        if self._folder_locked:
            self._try_again()
        if self._process is None:
            return not self._folder_locked
        if not self._process.is_alive() and not self._lives_on():
            self._settle(self._process)
            return True
        now = time.monotonic()
        if self._deadline is not None and now >= self._deadline and not (self._timed_out or self._asked):
            self._timed_out = True
            self._end_in_stages(HANGING_SECONDS)
        while self._stages and now >= self._stages[0][0]:
            self._signal(self._stages.pop(0)[1])
        return False

    def stop(self, *, at_once: bool = False) -> None:
        """Ask the job to save and end; kill it if it does not, or `at_once`. `poll` says when it is gone."""
        self._asked = True
        self._folder_locked = False  # it has not begun, and shall not
        if at_once:
            self._stages = [(time.monotonic(), signal.SIGKILL)]
        elif not self._stages:
            self._end_in_stages(SAVING_SECONDS)

    def _try_again(self) -> None:
        if time.monotonic() < self._look_again_at:
            return
        if not self._run.is_locked() and self._run.status().get("state") == "finished":
            self._folder_locked = False  # the other process has finished the job
        else:
            self.start()

    def _lives_on(self) -> bool:
        """Whether the process lives although `multiprocessing` cannot see it, since its parent was killed."""
        assert self._process is not None
        return self._process.exitcode == LOST and self._is_there()

    def _is_there(self) -> bool:
        assert self._process is not None
        return self._started is not None and is_there(self._process.pid, began=self._started) is True

    def _end_in_stages(self, patience: float) -> None:
        """Ask; after `patience` have it write its stack (`faulthandler` does so on SIGABRT); then kill."""
        now = time.monotonic()
        self._stages = [
            (now, signal.SIGTERM),
            (now + patience, signal.SIGABRT),
            (now + patience + DUMPING_SECONDS, signal.SIGKILL),
        ]

    def _signal(self, number: int) -> None:
        assert self._process is not None
        assert self._process.pid is not None
        if self._is_there():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def _settle(self, process: BaseProcess) -> None:
        """Record how the job ended, if it could not do so itself."""
        process.join()
        code = process.exitcode or 0
        process.close()
        self._process = None
        state = self._run.status().get("state")
        if self._timed_out and state != "finished":
            self._record("timed_out", f"it was still running after sweep.job_timeout={self.task.timeout:g} seconds")
        elif state not in {"finished", "failed", "interrupted"}:
            if self._asked and code in {-signal.SIGTERM, 128 + signal.SIGTERM}:  # before it could handle signals
                with contextlib.suppress(OSError):
                    self._run.set_state("interrupted")
            else:
                self._record(*self._cause(code))

    def _cause(self, code: int) -> tuple[ErrorKind, str]:
        if code == -signal.SIGKILL and _kills_for_memory() > self._out_of_memory_before:
            return "out_of_memory", "the system killed its process because no memory was left"
        if code < 0:
            return "killed", f"its process was ended by {_signal_name(-code)}; see the log"
        if code == LOST:
            return "killed", "its process was killed together with the one it was forked from"
        return "killed", f"its process ended with exit code {code} without recording why; see the log"

    def _record(self, kind: ErrorKind, message: str) -> None:
        settle(self.task, kind=kind, message=message)


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
        with blocked(signal.SIGINT):
            multiprocessing.forkserver.ensure_running()


@contextlib.contextmanager
def blocked(number: int) -> Iterator[None]:
    """Block a signal in this thread, and in the processes that are started inside until they unblock it.

    A terminal sends Ctrl-C to all its processes, but only the sweep should handle it. The process that jobs are forked
    from ignores it only after its imports, which take seconds.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _context() -> ForkServerContext | SpawnContext:
    """On Linux, jobs are forked from a process that has imported everything; elsewhere forking is unsafe."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Keep `multiprocessing` from importing this process's script in the new one.

    The job does not need it, and a user's script may not be importable.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


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
    """Move a folder below `.replaced`, under the next free number."""
    replaced = path.parent / REPLACED
    replaced.mkdir(exist_ok=True)
    number = 1
    while (replaced / f"{path.name}.{number}").exists():
        number += 1
    shutil.move(path, replaced / f"{path.name}.{number}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _time_of_start(number: int | None) -> float | None:
    """When a process started; None if it does not exist."""
    try:
        return psutil.Process(number).create_time()
    except psutil.Error:
        return None


def _kills_for_memory() -> int:
    """How many processes Linux has killed because memory ran out; 0 on other systems."""
    try:
        lines = Path("/proc/vmstat").read_text("ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
