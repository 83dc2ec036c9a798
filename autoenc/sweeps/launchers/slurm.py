"""Jobs in a cluster's queue, by slurm; without slurm, the same on this machine."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from autoenc.extras import imported
from autoenc.settings import ConfigError, NonNegativeInt, PositiveFloat, PositiveInt
from autoenc.sweeps.attempt import SAVING_SECONDS
from autoenc.sweeps.launchers.local import cores_here, gpus_here
from autoenc.sweeps.launchers.submitit_launcher import Place, SubmititLauncher

ALL_AT_ONCE = 10_000
"""Jobs that may wait in slurm's queue where nobody sets a limit."""

SIGNAL_SECONDS = int(SAVING_SECONDS) + 30
"""So long before its time is over a job is told, and saves."""

ONLY_SLURM = ("partition", "account", "qos", "constraint", "mem_gb", "additional_parameters")


@dataclass(frozen=True, kw_only=True)
class Slurm:
    """`hydra/launcher=slurm`: each job one of slurm's; the names are those of submitit and `sbatch`."""

    cluster: Literal["slurm", "local"]
    """`local`: the same on this machine, where there is no slurm."""
    n_jobs: PositiveInt | None
    """At most so many jobs with slurm at a time; None: all, or as many as there are cores on this machine."""
    partition: str | None
    account: str | None
    qos: str | None
    constraint: str | None
    timeout_min: PositiveInt
    """After so many minutes a job is saved, and queued again ..."""
    max_num_timeout: NonNegativeInt
    """... at most so often."""
    cpus_per_task: PositiveInt
    """Also the threads of a job whose config leaves them open."""
    gpus_per_node: NonNegativeInt
    """A job's; it has no more than one node."""
    mem_gb: PositiveFloat | None
    additional_parameters: Mapping[str, str | int | float | bool]
    """Further options of `sbatch`."""
    setup: tuple[str, ...]
    """Shell commands that a job begins with."""

    def check(self) -> None:
        """Refuse what cannot be had here.

        Raises:
            ConfigError: submitit or slurm is not there, or this machine has not what is asked of it.
        """
        imported("submitit", extra="slurm", key="hydra.launcher")
        if self.cluster == "slurm":
            if shutil.which("sbatch") is None or shutil.which("srun") is None:
                problem = "there is no slurm on this machine; cluster=local runs the jobs here"
                raise ConfigError("hydra.launcher.cluster", problem, value=self.cluster)
            return
        for name in ONLY_SLURM:
            if getattr(self, name):
                problem = "only slurm knows it, and cluster=local runs the jobs on this machine"
                raise ConfigError(f"hydra.launcher.{name}", problem, value=getattr(self, name))
        if self.gpus_per_node and self.gpus_per_node > (there := len(gpus_here())):
            problem = f"this machine has {there}"
            raise ConfigError("hydra.launcher.gpus_per_node", problem, value=self.gpus_per_node)

    def build(self) -> SubmititLauncher:
        """A launcher that submits into a folder beside the jobs' folders.

        Raises:
            ConfigError: submitit or slurm is not there, or this machine has not what is asked of it.
        """
        self.check()
        here = self.cluster == "local"
        slots = self.n_jobs or (max(1, cores_here() // self.cpus_per_task) if here else ALL_AT_ONCE)
        place = Place(
            here=here,
            parameters=self._parameters(),
            max_num_timeout=self.max_num_timeout,
            threads=self.cpus_per_task,
            gpus=gpus_here() if here and self.gpus_per_node else [],
            gpus_each=self.gpus_per_node,
        )
        return SubmititLauncher(place, slots=slots)

    def _parameters(self) -> dict[str, Any]:
        """As submitit's `AutoExecutor` takes them; what is None is left to slurm."""
        shared = ("timeout_min", "cpus_per_task", "mem_gb")
        values = {name: getattr(self, name) for name in shared}
        values["gpus_per_node"] = self.gpus_per_node or None
        if self.setup:
            values[f"{self.cluster}_setup"] = list(self.setup)
        if self.cluster == "slurm":
            own = ("partition", "account", "qos", "constraint")
            values |= {f"slurm_{name}": getattr(self, name) for name in own}
            values["slurm_additional_parameters"] = dict(self.additional_parameters)
            values["slurm_signal_delay_s"] = SIGNAL_SECONDS
        return {name: value for name, value in values.items() if value is not None}
