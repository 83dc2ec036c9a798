"""Jobs on this machine: one after another, or several at once."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from autoenc.registry import Choice
from autoenc.settings import PositiveInt
from autoenc.sweeps.attempt import Attempt, wait_for_end, warm_up
from autoenc.sweeps.plan import STARTED, JobTask


@dataclass(frozen=True, kw_only=True)
class Basic(Choice):
    """`hydra/launcher=basic`: one job after another, with all threads."""

    runs_here: ClassVar[bool] = True
    n_jobs: ClassVar[int] = 1

    def check(self) -> None:
        """Accept every machine."""

    def warm_up(self) -> None:
        """Start the process that jobs are forked from."""
        warm_up()

    def build(self, folder: Path) -> LocalLauncher:  # noqa: ARG002
        """Build a launcher with one slot."""
        return LocalLauncher(slots=1, threads=None, gpus=[])


@dataclass(frozen=True, kw_only=True)
class Joblib(Choice):
    """`hydra/launcher=joblib`: several jobs at once, which share the threads and the GPUs."""

    runs_here: ClassVar[bool] = True

    n_jobs: PositiveInt | None
    """None: one a GPU if there are any, else one a core."""

    def check(self) -> None:
        """Accept every machine."""

    def warm_up(self) -> None:
        """Start the process that jobs are forked from."""
        warm_up()

    def build(self, folder: Path) -> LocalLauncher:  # noqa: ARG002
        """Build a launcher with `n_jobs` slots."""
        gpus = gpus_here()
        slots = self.n_jobs or len(gpus) or cores_here()
        return LocalLauncher(slots=slots, threads=max(1, cores_here() // slots), gpus=gpus)


class LocalLauncher:
    """Runs each job as a child of this process."""

    adopts = False
    lost = None

    def __init__(self, *, slots: int, threads: int | None, gpus: Sequence[str]) -> None:
        self.slots = slots
        self._threads = threads
        self._gpus = list(gpus)
        self._running: dict[int, Attempt] = {}
        warm_up()

    def submit(self, task: JobTask) -> None:
        """Start a job in a free slot, which decides on its GPU."""
        slot = next(number for number in range(self.slots) if number not in self._running)
        environment = {**os.environ, **task.environment}  # the parent of the jobs may have an older one
        task = replace(task, threads=self._threads, environment=environment)
        attempt = Attempt(with_one_gpu(task, self._gpus, number=slot))
        attempt.start()
        self._running[slot] = attempt

    def states(self) -> dict[str, str]:
        """See `Launcher`."""
        return {attempt.task.folder: STARTED for attempt in self._running.values()}

    def ended(self) -> list[JobTask]:
        """See `Launcher`."""
        over = [slot for slot, attempt in self._running.items() if attempt.poll()]
        return [self._running.pop(slot).task for slot in over]

    def wait(self, seconds: float) -> None:
        """See `Launcher`."""
        wait_for_end(self._running.values(), seconds=seconds)

    def stop(self, *, at_once: bool = False) -> None:
        """See `Launcher`."""
        for attempt in self._running.values():
            attempt.stop(at_once=at_once)

    def close(self) -> None:
        """See `Launcher`."""


def with_one_gpu(task: JobTask, gpus: Sequence[str], *, number: int) -> JobTask:
    """The job with one of several GPUs, in turn; with all of them if its config has the index of one."""
    device = task.config.get("device")
    if not gpus or (isinstance(device, Mapping) and device.get("index")):
        return task
    return replace(task, environment={**task.environment, "CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]})


def cores_here() -> int:
    """How many CPU cores this process may use; limits of containers count."""
    import joblib

    return int(joblib.cpu_count())


def gpus_here() -> list[str]:
    """The GPUs that this process may use, as in `CUDA_VISIBLE_DEVICES`."""
    from autoenc.devices import count_of_gpus

    count = count_of_gpus()  # the variable may name some that are not here
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = map(str, range(count)) if visible is None else map(str.strip, visible.split(","))
    return list(itertools.islice(names, count))
