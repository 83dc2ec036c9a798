"""Jobs on a Ray cluster, or on a Ray that is started on this machine for the sweep."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autoenc.extras import imported
from autoenc.registry import Choice
from autoenc.runs import ErrorKind
from autoenc.settings import ConfigError, NonNegativeFloat, PositiveInt
from autoenc.sweeps.launchers.local import cores_here, gpus_here
from autoenc.sweeps.launchers.ray_connection import RayConnection
from autoenc.sweeps.launchers.supervision import POLL_SECONDS, RemoteJob, Supervisor, take_settled
from autoenc.sweeps.plan import STARTED, JobTask

CANCEL_SECONDS = 0.5
"""Between two requests to end at once."""


@dataclass(frozen=True, kw_only=True)
class Ray(Choice):
    """`hydra/launcher=ray`: each job is a task of Ray."""

    address: str | None
    """None: start Ray on this machine; it ends with the sweep."""
    n_jobs: PositiveInt | None
    """At most so many at once; None: as many as the cluster has room for now."""
    num_cpus: PositiveInt
    """Of a job; also its threads if its config has none."""
    num_gpus: NonNegativeFloat | None
    """Of a job, which may be a fraction; None: one if the cluster has any."""

    @property
    def runs_here(self) -> bool:
        """See `LauncherSettings`."""
        return self.address is None

    def check(self) -> None:
        """Refuse what this machine cannot do; whether Ray answers at an address shows later.

        Raises:
            ConfigError: Ray is not installed, or this machine has too few CPUs or GPUs.
        """
        imported("ray", extra="ray", key="hydra.launcher")
        if self.runs_here:
            self._checked_gpus([{"CPU": cores_here(), "GPU": len(gpus_here())}])

    def warm_up(self) -> None:
        """Do nothing: Ray starts when the jobs are known to be possible."""

    def build(self, folder: Path) -> RayLauncher:  # noqa: ARG002
        """Connect to Ray.

        Raises:
            ConfigError: Ray is not installed or does not answer, or no machine of it has room for a job.
        """
        self.check()  # before Ray takes its time to start
        connection = RayConnection(self.address)
        try:
            nodes = connection.nodes()
            gpus = self._checked_gpus(nodes)
        except BaseException:
            connection.close()
            raise
        needed = {"CPU": self.num_cpus, "GPU": gpus}
        room = min(_total(nodes, resource) // count for resource, count in needed.items() if count)
        slots = self.n_jobs or max(1, int(room))
        return RayLauncher(connection, slots=slots, num_cpus=self.num_cpus, num_gpus=gpus)

    def _checked_gpus(self, nodes: Sequence[Mapping[str, float]]) -> float:
        gpus = (1 if _total(nodes, "GPU") else 0) if self.num_gpus is None else self.num_gpus
        for key, resource, needed in (("num_cpus", "CPU", self.num_cpus), ("num_gpus", "GPU", gpus)):
            largest = max((node.get(resource, 0.0) for node in nodes), default=0.0)
            if needed > largest:
                problem = f"no machine of the Ray cluster has so many: the largest has {largest:g}"
                raise ConfigError(f"hydra.launcher.{key}", problem, value=needed)
        return gpus


class RayLauncher:
    """Hands each job to Ray, which queues it until there is room."""

    adopts = False

    def __init__(self, connection: RayConnection, *, slots: int, num_cpus: int, num_gpus: float) -> None:
        self.slots = slots
        self._connection = connection
        self._threads = num_cpus
        # The sweep decides about lost jobs. Workers are kept, since they have imported torch.
        options = {"max_retries": 0, "max_calls": 0, "retry_exceptions": False}
        self._watch = connection.ray.remote(num_cpus=num_cpus, num_gpus=num_gpus, **options)(watch)
        self._running: dict[Any, RemoteJob] = {}
        """By Ray's reference."""
        self._lost: list[RemoteJob] = []
        self._stopping = False
        self._cancel_again_at = math.inf

    def submit(self, task: JobTask) -> None:
        """See `Launcher`."""
        job = RemoteJob(task)
        try:
            reference = self._watch.remote(replace(task, threads=self._threads))
        except Exception as error:  # Ray's errors are of many kinds; the sweep goes on
            self._lost.append(job.lose("killed", f"Ray did not take it: {_first_sentence(error)}", gone=True))
        else:
            self._running[reference] = job

    def states(self) -> dict[str, str]:
        """See `Launcher`."""
        return {job.task.folder: STARTED if job.has_begun() else "queued" for job in self._running.values()}

    def ended(self) -> list[JobTask]:
        """See `Launcher`."""
        if time.monotonic() >= self._cancel_again_at:  # a process may miss one of several signals
            self._cancel_again_at = time.monotonic() + CANCEL_SECONDS
            self._cancel()
        over = []
        for reference in self._ready():
            job = self._running.pop(reference)
            kind, message = self._end(reference)
            if job.has_told(stopping=self._stopping):
                over.append(job.task)
            else:
                self._lost.append(job.lose(kind, message))
        return [*over, *take_settled(self._lost)]

    def wait(self, seconds: float) -> None:
        """See `Launcher`."""
        time.sleep(seconds)

    def stop(self, *, at_once: bool = False) -> None:
        """See `Launcher`. A task that is cancelled twice ends its job without saving."""
        self._stopping = True
        if at_once:
            self._cancel_again_at = time.monotonic()
        self._cancel()

    def close(self) -> None:
        """See `Launcher`."""
        self._connection.close()

    def _cancel(self) -> None:
        for reference in self._running:
            with contextlib.suppress(Exception):  # a task or its machine is gone
                self._connection.ray.cancel(reference, force=False, recursive=False)

    def _ready(self) -> list[Any]:
        if not self._running:
            return []
        try:
            ready, _ = self._connection.ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        except Exception:  # the cluster is gone, and its tasks too
            return list(self._running)
        return list(ready)

    def _end(self, reference: Any) -> tuple[ErrorKind, str]:
        exceptions = self._connection.ray.exceptions
        try:
            self._connection.ray.get(reference, timeout=0)
        except exceptions.TaskCancelledError:
            return "killed", "Ray's task for it was cancelled"
        except exceptions.OutOfMemoryError:
            return "out_of_memory", "Ray ended it because its machine had no memory left"
        except Exception as error:  # its worker or its machine is gone, or something else
            return "killed", f"Ray lost it: {_first_sentence(error)}"
        return "killed", "Ray's task for it ended without recording why"


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


def _total(nodes: Sequence[Mapping[str, float]], resource: str) -> float:
    return sum(node.get(resource, 0.0) for node in nodes)


def _first_sentence(error: Exception) -> str:
    """Of Ray's message, which can be a page."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text.split(". ")[0][:300]
