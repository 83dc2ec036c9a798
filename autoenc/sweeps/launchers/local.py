"""Jobs on this machine: one after another, or several at once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from autoenc.registry import Choice
from autoenc.settings import PositiveInt
from autoenc.sweeps.attempt import Attempt, wait_for_end, warm_up
from autoenc.sweeps.plan import JobTask


@dataclass(frozen=True, kw_only=True)
class Basic(Choice):
    """`hydra/launcher=basic`: one job after another, with all threads."""

    def check(self) -> None:
        """Accept every machine."""

    def warm_up(self) -> None:
        """Start the process that jobs are forked from."""
        warm_up()

    def build(self) -> LocalLauncher:
        """Build a launcher with one slot."""
        return LocalLauncher(slots=1, threads=None, gpus=[])


@dataclass(frozen=True, kw_only=True)
class Joblib(Choice):
    """`hydra/launcher=joblib`: several jobs at once, which share the threads and the GPUs."""

    n_jobs: PositiveInt | None
    """None: one a GPU if there are any, else one a core."""

    def check(self) -> None:
        """Accept every machine."""

    def warm_up(self) -> None:
        """Start the process that jobs are forked from."""
        warm_up()

    def build(self) -> LocalLauncher:
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
        if self._gpus and not _chooses_a_gpu(task):
            environment["CUDA_VISIBLE_DEVICES"] = self._gpus[slot % len(self._gpus)]
        attempt = Attempt(replace(task, threads=self._threads, environment=environment))
        attempt.start()
        self._running[slot] = attempt

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


def _chooses_a_gpu(task: JobTask) -> bool:
    """Whether its config has the index of a GPU, so that it needs to see all of them."""
    device = task.config.get("device")
    return isinstance(device, Mapping) and bool(device.get("index"))


def cores_here() -> int:
    """How many CPU cores this process may use; limits of containers count."""
    import joblib

    return int(joblib.cpu_count())


def gpus_here() -> list[str]:
    """The GPUs that this process may use, as in `CUDA_VISIBLE_DEVICES`."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name.strip() for name in visible.split(",") if name.strip() not in {"", "-1"}]
    from autoenc.devices import count_of_gpus

    return [str(number) for number in range(count_of_gpus())]
