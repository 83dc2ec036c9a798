"""Jobs in a cluster's queue, by slurm; without slurm, the same on this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le

from autoenc.extras import imported
from autoenc.registry import Choice
from autoenc.settings import ConfigError, NonNegativeInt, PositiveFloat, PositiveInt
from autoenc.sweeps.attempt import SAVING_SECONDS
from autoenc.sweeps.launchers.local import cores_here, gpus_here
from autoenc.sweeps.launchers.slurm_queue import SlurmError, check_submission
from autoenc.sweeps.launchers.submission import LARGEST_GROUP, environment_of_sbatch
from autoenc.sweeps.launchers.submitit_launcher import SubmititLauncher

GroupSize = Annotated[int, Ge(1), Le(LARGEST_GROUP)]
MOST_QUEUED = 10_000
"""Jobs of a sweep at a time if the user sets no limit."""
WARNING_SECONDS = int(SAVING_SECONDS) + 30
"""How long before its time limit slurm tells a job to save."""
Minutes = Annotated[int, Ge(WARNING_SECONDS // 60 + 1)]
MEMORY_GB, MEMORY_GB_WITH_GPUS = 4, 8
"""Many clusters add up the resident memory of all processes of a slurm job, and count shared pages several times."""
MEMORY_OPTIONS = {"mem", "mem-per-cpu", "mem-per-gpu"}
MEMORY_VARIABLES = {"SBATCH_MEM_PER_NODE", "SBATCH_MEM_PER_CPU", "SBATCH_MEM_PER_GPU"}
ONLY_SLURM = ("partition", "account", "qos", "constraint", "mem_gb", "additional_parameters")


@dataclass(frozen=True, kw_only=True)
class Slurm(Choice):
    """`hydra/launcher=slurm`: each slurm job runs a group of jobs; the names are those of submitit and `sbatch`."""

    cluster: Literal["slurm", "local"]
    """`local`: the same on this machine, without slurm."""
    n_jobs: PositiveInt | None
    """At most so many jobs of the sweep at a time; None: all, or one a core on this machine."""
    jobs_per_task: GroupSize
    """At most so many jobs of the sweep run at once in one slurm job."""
    partition: str | None
    account: str | None
    qos: str | None
    constraint: str | None
    timeout_min: Minutes
    """Minutes after which a slurm job saves and is queued again ..."""
    max_num_timeout: NonNegativeInt
    """... at most so often."""
    cpus_per_task: PositiveInt
    """Of a job of the sweep; also its threads if its config has none."""
    gpus_per_node: NonNegativeInt
    """Of a slurm job, which has one node. Its jobs share one GPU, or get one of several in turn."""
    mem_gb: PositiveFloat | Literal["auto"] | None
    """Of a job of the sweep; `auto`: `MEMORY_GB`; None: slurm's default."""
    additional_parameters: Mapping[str, str | int | float | bool]
    """Further options of `sbatch`."""
    setup: tuple[str, ...]
    """Shell commands at the beginning of a slurm job."""

    @property
    def runs_here(self) -> bool:
        """See `LauncherSettings`."""
        return self.cluster == "local"

    def check(self) -> None:
        """Refuse what this machine cannot do.

        Raises:
            ConfigError: submitit, slurm or a resource is missing.
        """
        imported("submitit", extra="slurm", key="hydra.launcher")
        for name in {"job-name", "job_name"} & self.additional_parameters.keys():
            problem = "the sweep names its slurm jobs, to find them again; comment= is free for you"
            value = self.additional_parameters[name]
            raise ConfigError(f"hydra.launcher.additional_parameters.{name}", problem, value=value)
        if not self.runs_here:
            if shutil.which("sbatch") is None or shutil.which("srun") is None:
                problem = "this machine has no slurm; cluster=local runs the jobs here"
                raise ConfigError("hydra.launcher.cluster", problem, value=self.cluster)
            self._check_submission()
            return
        for name in ONLY_SLURM:
            if getattr(self, name) not in (None, "auto", {}):
                problem = "it needs slurm, and cluster=local runs the jobs on this machine"
                raise ConfigError(f"hydra.launcher.{name}", problem, value=getattr(self, name))
        if self.gpus_per_node and self.gpus_per_node > (there := len(gpus_here())):
            raise ConfigError("hydra.launcher.gpus_per_node", f"this machine has {there}", value=self.gpus_per_node)

    def warm_up(self) -> None:
        """Do nothing: jobs start in processes of their own."""

    def build(self, folder: Path) -> SubmititLauncher:
        """Build a launcher that submits jobs by submitit, after `check`."""
        here = self.runs_here
        return SubmititLauncher(
            folder=folder,
            here=here,
            slots=self.n_jobs or (max(1, cores_here() // self.cpus_per_task) if here else MOST_QUEUED),
            jobs_per_task=self.jobs_per_task,
            parameters=self._parameters,
            max_num_timeout=self.max_num_timeout,
            threads=self.cpus_per_task,
            gpus=gpus_here() if here and self.gpus_per_node else [],
            gpus_each=self.gpus_per_node,
        )

    def _check_submission(self) -> None:
        """Have slurm check the options of a group of jobs; its accounts, limits and machines decide."""
        import submitit

        executor = submitit.AutoExecutor(".", cluster="slurm")
        parameters = self._parameters(self.jobs_per_task)
        executor.update_parameters(**parameters)
        script = executor._executor._make_submission_file_text("true", "")  # type: ignore[attr-defined]
        try:
            with environment_of_sbatch(parameters):
                check_submission(script)
        except SlurmError as error:
            raise ConfigError("hydra.launcher", f"slurm refuses its jobs: {error}", value=self.name) from None

    def _parameters(self, jobs: int) -> dict[str, Any]:
        """For so many jobs, as submitit's `AutoExecutor` takes them; None leaves the choice to slurm."""
        values: dict[str, Any] = {"timeout_min": self.timeout_min, "cpus_per_task": self.cpus_per_task * jobs}
        memory = self._default_memory() if self.mem_gb == "auto" else self.mem_gb
        values["mem_gb"] = None if memory is None else memory * jobs
        values["gpus_per_node"] = self.gpus_per_node or None
        if self.setup:
            values[f"{self.cluster}_setup"] = list(self.setup)
        if self.cluster == "slurm":
            own = ("partition", "account", "qos", "constraint")
            values |= {f"slurm_{name}": getattr(self, name) for name in own}
            values["slurm_additional_parameters"] = dict(self.additional_parameters)
            values["slurm_signal_delay_s"] = WARNING_SECONDS
        return {name: value for name, value in values.items() if value is not None}

    def _default_memory(self) -> float | None:
        """In GB; None where the user asks slurm in another way, and on this machine."""
        options = {name.replace("_", "-") for name in self.additional_parameters}
        if self.runs_here or options & MEMORY_OPTIONS or os.environ.keys() & MEMORY_VARIABLES:
            return None
        return MEMORY_GB_WITH_GPUS if self.gpus_per_node else MEMORY_GB
