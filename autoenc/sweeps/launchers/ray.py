"""Jobs on a Ray cluster, or on a Ray that is started on this machine for the sweep."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autoenc.extras import check_installed
from autoenc.registry import Choice
from autoenc.settings import ConfigError, NonNegativeFloat, PositiveInt
from autoenc.sweeps.launchers.local import cores_here, gpus_here
from autoenc.sweeps.launchers.ray_driver import RayDriver
from autoenc.sweeps.launchers.supervision import RemoteJob, take_settled
from autoenc.sweeps.plan import STARTED, JobTask

log = logging.getLogger(__name__)

LOST = "Ray has ended: its head node, or Ray's process on this machine, is gone"


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
        check_installed("ray", extra="ray", key="hydra.launcher")  # only the driver's process imports it
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
        driver = RayDriver(self.address)
        try:
            gpus = self._checked_gpus(driver.nodes)
            room = self._room(driver.nodes, gpus=gpus)
        except BaseException:
            driver.close()
            raise
        return RayLauncher(driver, slots=self.n_jobs or room, num_cpus=self.num_cpus, num_gpus=gpus)

    def _checked_gpus(self, nodes: Sequence[Mapping[str, float]]) -> float:
        gpus = float(any(node.get("GPU") for node in nodes)) if self.num_gpus is None else self.num_gpus
        for key, resource, needed in (("num_cpus", "CPU", self.num_cpus), ("num_gpus", "GPU", gpus)):
            largest = max((node.get(resource, 0.0) for node in nodes), default=0.0)
            if needed > largest:
                problem = f"no machine of the Ray cluster has so many: the largest has {largest:g}"
                raise ConfigError(f"hydra.launcher.{key}", problem, value=needed)
        return gpus

    def _room(self, nodes: Sequence[Mapping[str, float]], *, gpus: float) -> int:
        needed = {resource: count for resource, count in {"CPU": self.num_cpus, "GPU": gpus}.items() if count}
        room = sum(min(int(node.get(resource, 0.0) // count) for resource, count in needed.items()) for node in nodes)
        if not room:
            problem = f"no machine of the Ray cluster has so many and num_gpus={gpus:g} too"
            raise ConfigError("hydra.launcher.num_cpus", problem, value=self.num_cpus)
        return room


class RayLauncher:
    """Hands each job to Ray, which queues it until there is room."""

    adopts = False

    def __init__(self, driver: RayDriver, *, slots: int, num_cpus: int, num_gpus: float) -> None:
        self.slots = slots
        self.lost: str | None = None
        self._driver = driver
        self._num_cpus, self._num_gpus = num_cpus, num_gpus
        self._running: dict[str, RemoteJob] = {}
        """By folder."""
        self._lost: list[RemoteJob] = []
        self._stopping = False

    def submit(self, task: JobTask) -> None:
        """See `Launcher`."""
        self._running[task.folder] = RemoteJob(task)
        self._driver.submit(replace(task, threads=self._num_cpus), num_cpus=self._num_cpus, num_gpus=self._num_gpus)

    def states(self) -> dict[str, str]:
        """See `Launcher`."""
        return {job.task.folder: STARTED if job.has_begun() else "queued" for job in self._running.values()}

    def ended(self) -> list[JobTask]:
        """See `Launcher`."""
        over = []
        try:
            for folder, kind, message in self._driver.ends():
                job = self._running.pop(folder)
                if job.has_told(stopping=self._stopping):
                    over.append(job.task)
                else:
                    self._lost.append(job.lose(kind, message))
        except EOFError:
            over += self._lose_all()
        return [*over, *take_settled(self._lost)]

    def wait(self, seconds: float) -> None:
        """See `Launcher`."""
        time.sleep(seconds)

    def stop(self, *, at_once: bool = False) -> None:
        """See `Launcher`."""
        self._stopping = True
        self._driver.stop(at_once=at_once)

    def close(self) -> None:
        """See `Launcher`."""
        self._driver.close()

    def _lose_all(self) -> list[JobTask]:
        """Give up the running jobs, which save and end without Ray; returns those that have not begun."""
        if self.lost is None:
            self.lost = LOST
            log.warning("%s. No further job starts; the running jobs save and end.", LOST)
        running, self._running = list(self._running.values()), {}
        begun = [job for job in running if job.has_begun()]
        self._lost += [job.lose("killed", LOST) for job in begun]
        return [job.task for job in running if job not in begun]
