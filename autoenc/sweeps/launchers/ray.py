"""Jobs on a Ray cluster, or on a Ray that is started on this machine for the sweep."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autoenc.extras import imported
from autoenc.runs import ErrorKind, RunDirectory
from autoenc.settings import ConfigError, NonNegativeFloat, PositiveInt
from autoenc.sweeps.launchers.ray_connection import RayConnection, largest, this_machine, total
from autoenc.sweeps.launchers.ray_job import watch
from autoenc.sweeps.launchers.supervision import LostJob
from autoenc.sweeps.task import JobTask

INSIST_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Ray:
    """`hydra/launcher=ray`: each job a task of Ray's."""

    address: str | None
    """None: one that is started on this machine, and ends with the sweep."""
    n_jobs: PositiveInt | None
    """At most so many at once; None: as many as the cluster has room for now."""
    num_cpus: PositiveInt
    """What a job takes, and its threads where its config leaves them open."""
    num_gpus: NonNegativeFloat | None
    """What a job takes, which may be a part of one; None: one where the cluster has any."""

    def check(self) -> None:
        """Refuse what cannot be had here; whether there is a Ray at an address is seen when it is asked.

        Raises:
            ConfigError: Ray is not installed, or this machine has not what a job takes of a Ray of our own.
        """
        imported("ray", extra="ray", key="hydra.launcher")
        if self.address is None:
            self._checked_gpus([this_machine()])

    def build(self) -> RayLauncher:
        """A launcher that is connected.

        Raises:
            ConfigError: Ray is not installed or not there, or no machine of it has what a job takes.
        """
        self.check()  # what is known before Ray has taken its time to start
        connection = RayConnection(self.address)
        try:
            return self._launcher(connection)
        except BaseException:
            connection.close()
            raise

    def _launcher(self, connection: RayConnection) -> RayLauncher:
        nodes = connection.nodes()
        gpus = self._checked_gpus(nodes)
        room = total(nodes, "CPU") // self.num_cpus
        if gpus:
            room = min(room, total(nodes, "GPU") // gpus)
        slots = self.n_jobs or max(1, int(room))
        return RayLauncher(connection, slots=slots, num_cpus=self.num_cpus, num_gpus=gpus)

    def _checked_gpus(self, nodes: Sequence[Mapping[str, float]]) -> float:
        """How many GPUs a job takes."""
        gpus = (1 if total(nodes, "GPU") else 0) if self.num_gpus is None else self.num_gpus
        for key, resource, wanted in (("num_cpus", "CPU", self.num_cpus), ("num_gpus", "GPU", gpus)):
            if wanted > (there := largest(nodes, resource)):
                problem = f"no machine of the Ray cluster has so many: the largest has {there:g}"
                raise ConfigError(f"hydra.launcher.{key}", problem, value=wanted)
        return gpus


class RayLauncher:
    """So many of Ray's tasks at once; where there is no room, Ray has them wait."""

    adopts = False

    def __init__(self, connection: RayConnection, *, slots: int, num_cpus: int, num_gpus: float) -> None:
        self.slots = slots
        self._connection = connection
        self._threads = num_cpus
        # A task that is lost is the sweep's business; a worker is kept, since it has imported torch.
        self._watch = connection.ray.remote(
            num_cpus=num_cpus, num_gpus=num_gpus, max_retries=0, max_calls=0, retry_exceptions=False
        )(watch)
        self._running: dict[Any, tuple[JobTask, Mapping[str, Any]]] = {}
        """By Ray's reference: each job, and what its `status.json` said before."""
        self._lost: list[LostJob] = []
        self._stopping = False
        self._insist_at = math.inf
        """When jobs that are to end at once are asked again."""

    def submit(self, task: JobTask) -> None:
        """Hand a job to Ray."""
        before = RunDirectory(Path(task.folder)).status()
        try:
            reference = self._watch.remote(replace(task, threads=self._threads))
        except Exception as error:  # Ray's, which are of many kinds: it is this job's, and not the sweep's
            lost = LostJob(
                task, before=before, kind="killed", message=f"Ray did not take it: {_words(error)}", gone=True
            )
            self._lost.append(lost)
            return
        self._running[reference] = (task, before)

    def ended(self) -> list[JobTask]:
        """The jobs that are over."""
        if time.monotonic() >= self._insist_at:  # of several interrupts at a time, a process may notice one
            self._insist_at = time.monotonic() + INSIST_SECONDS
            self._cancel()
        over = []
        for reference in self._ready():
            task, before = self._running.pop(reference)
            lost = self._lost_job(reference, task, before=before)
            if lost is None:
                over.append(task)
            else:
                self._lost.append(lost)
        settled = [job for job in self._lost if job.settled()]
        self._lost = [job for job in self._lost if job not in settled]
        return [*over, *(job.task for job in settled)]

    def stop(self, *, at_once: bool = False) -> None:
        """Ask every job to end; a task that is asked again ends its job without saving."""
        self._stopping = True
        if at_once:
            self._insist_at = time.monotonic()
        self._cancel()

    def close(self) -> None:
        """Leave the cluster; a Ray that was started for the sweep ends."""
        self._connection.close()

    def _cancel(self) -> None:
        for reference in self._running:
            with contextlib.suppress(Exception):  # Ray's: a task or its machine is gone
                self._connection.ray.cancel(reference, force=False, recursive=False)

    def _ready(self) -> list[Any]:
        if not self._running:
            return []
        try:
            ready, _ = self._connection.ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        except Exception:  # the cluster is gone; its tasks are too
            return list(self._running)
        return list(ready)

    def _lost_job(self, reference: Any, task: JobTask, *, before: Mapping[str, Any]) -> LostJob | None:
        """None where its folder says how the job ended, or where it has not begun and is not to."""
        exceptions = self._connection.ray.exceptions
        kind: ErrorKind = "killed"
        message = "Ray's task for it ended without a word"
        try:
            self._connection.ray.get(reference, timeout=0)
        except exceptions.TaskCancelledError:
            message = "Ray's task for it was cancelled"
        except exceptions.OutOfMemoryError:
            kind, message = "out_of_memory", "Ray ended it, since its machine had no memory left"
        except Exception as error:  # its worker or its machine was lost; or Ray has another kind of trouble
            message = f"Ray lost it: {_words(error)}"
        status = RunDirectory(Path(task.folder)).status()
        begun = status != before
        if begun and status.get("state") in {"finished", "failed"}:
            return None
        if self._stopping and (not begun or status.get("state") == "interrupted"):
            return None
        return LostJob(task, before=before, kind=kind, message=message)


def _words(error: Exception) -> str:
    """The first sentence of what Ray says, which can be a page."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text.split(". ")[0][:300]
