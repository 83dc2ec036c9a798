"""Ray's driver: the process that is connected to Ray, or to a Ray that it starts on this machine for the sweep.

Ray ends this process when its head node is gone. So it is a child of the sweep's process, which goes on.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import secrets
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from autoenc.runs import ErrorKind
from autoenc.settings import ConfigError
from autoenc.sweeps.attempt import blocked, without_main
from autoenc.sweeps.launchers.local import cores_here, gpus_here
from autoenc.sweeps.launchers.supervision import POLL_SECONDS, Supervisor
from autoenc.sweeps.plan import JobTask

LONGEST_FOLDER = 20
"""Characters: Ray's sockets lie deep in its folder, and their paths may have about 100."""
MARK = "of_autoenc"
"""A file that marks the folder of a Ray of ours."""
ANSWER_SECONDS = 10.0
"""For a connection to an address."""
CONNECT_SECONDS = 60.0
"""For Ray to answer there; Ray itself would try for many minutes."""
CLOSE_SECONDS = 20.0
"""For Ray to disconnect or end."""
CANCEL_SECONDS = 0.5
"""Between two requests to end at once."""
OBJECT_STORE_BYTES = 80 * 2**20
"""The least that Ray takes; it stays empty."""

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_COLOR_PREFIX": "0"}
PRIVATE = {
    # Ray listens only on the loopback where it believes to be on a system without clusters.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_enable_metrics_collection": "0",
    "RAY_worker_niceness": "0",
}
"""For a Ray of ours."""


class End(NamedTuple):
    """How Ray's task for a job ended, in case the job's folder does not say."""

    folder: str
    kind: ErrorKind
    message: str


class RayDriver:
    """Ray's driver, from the sweep's process; with `address=None`, it starts a new Ray on this machine.

    Raises:
        ConfigError: Ray does not answer at the address, or cannot be started.
    """

    def __init__(self, address: str | None) -> None:
        if address is not None:
            _check_answer(address)
        machine = {"num_cpus": cores_here(), "num_gpus": len(gpus_here())} if address is None else {}
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_drive, args=(theirs, address, machine), daemon=True)
        with blocked(signal.SIGINT), without_main():
            self._process.start()
        theirs.close()
        try:
            self.nodes = self._nodes(address)
            """The resources of each machine of the cluster."""
        except BaseException:
            self.close(seconds=CLOSE_SECONDS if address is None else 0.0)
            raise

    def submit(self, task: JobTask, *, num_cpus: float, num_gpus: float) -> None:
        """Hand a job to Ray, which queues it until there is room."""
        self._call("submit", task, {"num_cpus": num_cpus, "num_gpus": num_gpus})

    def stop(self, *, at_once: bool) -> None:
        """Ask every job to save and end; `at_once`: without saving."""
        self._call("stop", at_once)

    def ends(self) -> list[End]:
        """The tasks that have ended since the last call; it does not wait.

        Raises:
            EOFError: Ray has ended this process; all tasks are gone.
        """
        found = []
        try:
            while self._pipe.poll():
                found.append(self._pipe.recv())
        except OSError as error:
            raise EOFError from error
        return found

    def close(self, *, seconds: float = CLOSE_SECONDS) -> None:
        """Disconnect, and end a Ray of ours."""
        self._pipe.close()
        self._process.join(seconds)
        self._process.kill()
        self._process.join()

    def _call(self, name: str, *arguments: object) -> None:
        with contextlib.suppress(OSError):  # the process is gone; `ends` reports it
            self._pipe.send((name, *arguments))

    def _nodes(self, address: str | None) -> list[Mapping[str, float]]:
        problem = "Ray does not answer there; is it the port of Ray's head node, which is 6379 by default?"
        if address is None:
            problem = "Ray ended while it started"
        with contextlib.suppress(EOFError, OSError):
            if self._pipe.poll(None if address is None else CONNECT_SECONDS):
                answer = self._pipe.recv()
                if isinstance(answer, list):
                    return answer
                problem = f"Ray cannot be reached or started: {answer}"
        raise ConfigError("hydra.launcher.address", problem, value=address)


def watch(task: JobTask) -> None:
    """Run a job in a Ray worker. Ray's `cancel` asks it to save and end; a second one ends it without saving."""
    # The parent of the jobs may be older than this task, and have another GPU.
    supervisor = Supervisor(replace(task, environment={**os.environ, **task.environment}))
    asked = 0

    def stop(number: int, frame: Any) -> None:  # noqa: ARG001
        nonlocal asked
        asked += 1
        supervisor.stop(at_once=asked > 1)

    before = signal.signal(signal.SIGINT, stop)  # Ray cancels a task by SIGINT
    try:
        supervisor.start()
        while not supervisor.wait(POLL_SECONDS):
            pass
    finally:
        signal.signal(signal.SIGINT, before)


def _drive(pipe: Connection, address: str | None, machine: Mapping[str, int]) -> None:
    """Do what the sweep's process asks, until it closes the pipe or ends. An error of Ray's ends this process."""
    os.setsid()  # a terminal's Ctrl-C goes to the sweep, which then asks its jobs
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    _send_output_nowhere()
    with contextlib.ExitStack() as undone:
        try:
            ray = undone.enter_context(_connected(address, machine))
            nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        except Exception as error:  # of many kinds; most often ConnectionError
            pipe.send(" ".join(str(error).split())[:300])
            return
        pipe.send(nodes)
        tasks = _Tasks(ray)
        with contextlib.suppress(EOFError, BrokenPipeError):
            while True:
                if pipe.poll(POLL_SECONDS):
                    name, *arguments = pipe.recv()
                    getattr(tasks, name)(*arguments)
                for end in tasks.ends():
                    pipe.send(end)


class _Tasks:
    """The jobs as tasks of Ray."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        # The sweep decides about lost jobs. Workers are kept, since they have imported torch.
        self._watch = ray.remote(max_retries=0, max_calls=0, retry_exceptions=False)(watch)
        self._folders: dict[Any, str] = {}
        """By Ray's reference."""
        self._ending: list[Any] = []
        """The tasks that are to end at once."""
        self._cancel_again_at = 0.0

    def submit(self, task: JobTask, resources: Mapping[str, float]) -> None:
        self._folders[self._watch.options(**resources).remote(task)] = task.folder

    def stop(self, at_once: bool) -> None:
        """A task that is cancelled twice ends its job without saving."""
        if at_once:
            self._ending = list(self._folders)
        self._cancel(list(self._folders))

    def ends(self) -> list[End]:
        if self._ending and time.monotonic() >= self._cancel_again_at:  # a process may miss one of several signals
            self._cancel_again_at = time.monotonic() + CANCEL_SECONDS
            self._cancel([reference for reference in self._ending if reference in self._folders])
        if not self._folders:
            return []
        ready, _ = self._ray.wait(list(self._folders), num_returns=len(self._folders), timeout=0)
        return [End(self._folders.pop(reference), *self._cause(reference)) for reference in ready]

    def _cancel(self, references: list[Any]) -> None:
        for reference in references:
            with contextlib.suppress(Exception):  # a task or its machine is gone
                self._ray.cancel(reference, force=False, recursive=False)

    def _cause(self, reference: Any) -> tuple[ErrorKind, str]:
        exceptions = self._ray.exceptions
        try:
            self._ray.get(reference, timeout=0)
        except exceptions.TaskCancelledError:
            return "killed", "Ray's task for it was cancelled"
        except exceptions.OutOfMemoryError:
            return "out_of_memory", "Ray ended it because its machine had no memory left"
        except exceptions.RayTaskError as error:  # most often, the machine does not have this package
            return "killed", f"Ray could not run it: {str(error).strip().splitlines()[-1]}"
        except Exception as error:  # its worker or its machine is gone, or something else
            return "killed", f"Ray lost it: {_first_sentence(error)}"
        return "killed", "Ray's task for it ended without recording why"


@contextlib.contextmanager
def _connected(address: str | None, machine: Mapping[str, int]) -> Iterator[Any]:
    """The package `ray`, connected."""
    os.environ.update(QUIET)
    options: dict[str, Any] = {"address": address}
    if address is None:
        os.environ.update({**PRIVATE, "RAY_AUTH_TOKEN": secrets.token_hex(32)})
        folder = _new_folder()
        own = {"object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False, "_temp_dir": str(folder)}
        options = {"address": "local", **machine, **own}
    import ray  # reads its variables now

    try:
        ray.init(**options, log_to_driver=False, logging_level=logging.CRITICAL)
        yield ray
    finally:
        with contextlib.suppress(Exception):  # it may be gone
            ray.shutdown()
        if address is None:
            shutil.rmtree(folder, ignore_errors=True)


def _new_folder() -> Path:
    """Make a folder for a Ray of ours, and remove those of processes that were killed."""
    parent = Path(tempfile.gettempdir() if len(tempfile.gettempdir()) <= LONGEST_FOLDER else "/tmp")  # noqa: S108
    for mark in parent.glob(f"ray-*-*/{MARK}"):
        pid = mark.parent.name.split("-")[1]
        with contextlib.suppress(OSError):
            if mark.stat().st_uid == os.getuid() and pid.isdecimal() and not psutil.pid_exists(int(pid)):
                shutil.rmtree(mark.parent, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"ray-{os.getpid()}-", dir=parent))
    (folder / MARK).touch()
    return folder


def _check_answer(address: str) -> None:
    """Try the address first: without an answer, Ray takes a minute."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():  # `auto`
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ConfigError("hydra.launcher.address", f"there is no answer: {error}", value=address) from None


def _send_output_nowhere() -> None:
    """Ray prints what happens to its workers, in spite of its options; the sweep's table shows it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _first_sentence(error: Exception) -> str:
    """Of Ray's message, which can be a page."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text.split(". ")[0][:300]
