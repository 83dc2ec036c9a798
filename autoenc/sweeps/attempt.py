"""One job's process, from the outside: started warm, watched, ended when its time is up, and its end written down."""

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
from autoenc.sweeps.identity import OF_NO_MATTER
from autoenc.sweeps.task import JobTask
from autoenc.sweeps.worker import PRELOADED, work

SAVING_SECONDS = 60.0
"""How long a job that is asked to stop may take to finish its step and save."""
HANGING_SECONDS = 10.0
"""The same for one whose time is up: most likely it cannot."""
HELD_UP_SECONDS = 1.0
"""Between two looks at a folder that another process is at work in."""
DUMPING_SECONDS = 5.0
"""How long writing its stack into its log may take one that has to be killed."""

LOST = 255
"""What `multiprocessing` says of a process when what it was forked from is gone and cannot say."""

PUT_ASIDE = ".replaced"
"""Where a sweep keeps what stood in the folder of a job that began anew."""


class Attempt:
    """A job's process. `poll` has to be called until it returns True; it never waits."""

    def __init__(self, task: JobTask) -> None:
        self.task = task
        self._run = RunDirectory(Path(task.folder))
        self._process: BaseProcess | None = None
        self._deadline: float | None = None
        self._stages: list[tuple[float, int]] = []
        self._timed_out = False
        self._asked = False
        self._held_up = False
        self._look_again_at = 0.0
        self._started: float | None = None
        """When the process began, as the system has it: its number alone may come to be another's."""
        self._out_of_memory_before = _kills_for_memory()

    def start(self) -> None:
        """Make the job's folder ready and start its process; what goes wrong is written down there.

        Where another process trains in the folder, that one is waited for, and nothing there is touched.
        """
        self._held_up = self._run.is_locked()
        if self._held_up:
            self._look_again_at = time.monotonic() + HELD_UP_SECONDS
            return
        try:
            _make_ready(self.task)
            warm_up()  # what was killed is started again
            process = _context().Process(target=work, args=(self.task,), name=Path(self.task.folder).name)
            with _nothing_as_main():
                process.start()
        except (OSError, EOFError, ConfigError) as error:  # no memory for a process, no descriptors, a full disk
            self._write_down("killed", f"its process could not be started: {error}")
            return
        self._process = process
        self._started = _time_of_start(process.pid)
        if self.task.timeout is not None:
            self._deadline = time.monotonic() + self.task.timeout

    def poll(self) -> bool:
        """Whether the job has ended, however that was; its folder then says how."""
        if self._held_up:
            self._try_again()
        if self._process is None:
            return not self._held_up
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
        """Ask the job to save and end; where it does not, or `at_once`, it is killed. `poll` says when it is gone."""
        self._asked = True
        self._held_up = False  # it has not begun, and is not to
        if at_once:
            self._stages = [(time.monotonic(), signal.SIGKILL)]
        elif not self._stages:
            self._end_in_stages(SAVING_SECONDS)

    def _try_again(self) -> None:
        if time.monotonic() < self._look_again_at:
            return
        if not self._run.is_locked() and self._run.status().get("state") == "finished":
            self._held_up = False  # by the other process
        else:
            self.start()

    def _lives_on(self) -> bool:
        """Whether the process is there although it is given up for dead: what it was forked from was killed."""
        assert self._process is not None
        return self._process.exitcode == LOST and self._is_there()

    def _is_there(self) -> bool:
        assert self._process is not None
        return self._started is not None and is_there(self._process.pid, began=self._started) is True

    def _end_in_stages(self, patience: float) -> None:
        """Ask; after `patience` have it write its stack, which `faulthandler` does on SIGABRT; then kill."""
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
        """Write down how the job ended, where it could not do so itself."""
        process.join()
        code = process.exitcode or 0
        process.close()
        self._process = None
        state = self._run.status().get("state")
        if self._timed_out and state != "finished":
            self._write_down("timed_out", f"it was still running after sweep.job_timeout={self.task.timeout:g} seconds")
        elif state not in {"finished", "failed", "interrupted"}:
            if self._asked and code in {-signal.SIGTERM, 128 + signal.SIGTERM}:  # while it was not to be interrupted
                with contextlib.suppress(OSError):
                    self._run.set_state("interrupted")
            else:
                self._write_down(*self._cause(code))

    def _cause(self, code: int) -> tuple[ErrorKind, str]:
        if code == -signal.SIGKILL and _kills_for_memory() > self._out_of_memory_before:
            return "out_of_memory", "the system killed its process, since there was no memory left"
        if code < 0:
            return "killed", f"its process was ended by {_signal_name(-code)}; the log has what it left"
        if code == LOST:
            return "killed", "its process was killed together with the one that it was forked from"
        return "killed", f"its process ended with exit code {code}, without a word; the log has what it left"

    def _write_down(self, kind: ErrorKind, message: str) -> None:
        settle(self.task, kind=kind, message=message)


def settle(task: JobTask, *, kind: ErrorKind, message: str) -> None:
    """Write down a failure of a job that can no longer do so itself."""
    run = RunDirectory(Path(task.folder))
    with contextlib.suppress(OSError):  # a full disk, a folder that cannot be made: the sweep's table tells of it
        run.path.mkdir(parents=True, exist_ok=True)
        run.set_failed_from_outside({"kind": kind, "message": message})
        with (run.path / "train.log").open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S},000 ERROR autoenc.sweeps: {kind}: {message}\n")


def warm_up() -> None:
    """Have the process at hand that jobs are forked from: importing torch once takes longer than many a job."""
    if _context().get_start_method() == "forkserver":
        resource_tracker.ensure_running()  # which it would start, and which lets all signals in
        with _held_back(signal.SIGINT):
            multiprocessing.forkserver.ensure_running()


@contextlib.contextmanager
def _held_back(number: int) -> Iterator[None]:
    """Keep a signal waiting: here until this ends, in what is started inside for good; `work` lets it in again.

    A terminal's Ctrl-C goes to all processes in its foreground, and is the sweep's alone to answer. What jobs are
    forked from ignores it too, but not before it has imported all that they need, which takes seconds.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _context() -> ForkServerContext | SpawnContext:
    """Forked from a process that has imported everything and done nothing; where forking is unsafe, started anew."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


@contextlib.contextmanager
def _nothing_as_main() -> Iterator[None]:
    """Keep the new process from importing the script of this one, which it needs for nothing.

    `multiprocessing` has it do so for what a script defines; here that is Ray's worker or the whole command line, or a
    person's script, which need not be one that can be imported.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _make_ready(task: JobTask) -> None:
    path = Path(task.folder)
    if task.replaces and path.exists():
        _put_aside(path)
    if not (path / "config.yaml").exists():
        RunDirectory.begin(path, config=task.config)
    else:
        run = RunDirectory(path)
        run.rewrite_config(_with_what_is_of_the_command(run.config(), task.config))
        run.set_state("running")
    if task.hydra and not (path / ".hydra").exists():
        (path / ".hydra").mkdir()
        for name, text in task.hydra.items():
            write_atomically(path / ".hydra" / name, text.encode())


def _with_what_is_of_the_command(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a job that goes on. What makes no difference to its numbers is the command's: its data may have
    moved, say. The device stays: the checkpoint has its random states.
    """
    config = deepcopy(dict(there))
    for key in OF_NO_MATTER:
        group, _, name = key.rpartition(".")
        node, given = (values.get(group) if group else values for values in (config, wanted))
        if isinstance(node, dict) and isinstance(given, Mapping) and name in node and name in given:
            node[name] = given[name]
    return config


def _put_aside(path: Path) -> None:
    """Move a folder to where nobody looks for runs, under the next free number: nothing is overwritten."""
    aside = path.parent / PUT_ASIDE
    aside.mkdir(exist_ok=True)
    number = 1
    while (aside / f"{path.name}.{number}").exists():
        number += 1
    shutil.move(path, aside / f"{path.name}.{number}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _time_of_start(number: int | None) -> float | None:
    """When a process began; None where there is none."""
    try:
        return psutil.Process(number).create_time()
    except psutil.Error:
        return None


def _kills_for_memory() -> int:
    """How many processes Linux has killed for want of memory so far; 0 where nothing says so."""
    try:
        lines = Path("/proc/vmstat").read_text("ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
