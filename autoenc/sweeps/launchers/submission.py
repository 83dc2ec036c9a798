"""How a slurm job is submitted: its name, by which a sweep finds it again, and the environment of `sbatch`."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from autoenc.sweeps.plan import JobTask

NAME_LENGTH = 60
"""Of the part of a slurm job's name that people read."""
HASH_LENGTH = 12
LARGEST_GROUP = 64
"""The hashes of its jobs fit into the 1,024 characters of a slurm job's name."""

T = TypeVar("T")


def name_of(group: Sequence[JobTask]) -> str:
    """Of a slurm job. The first part is for people, the hashes are for the next start of the sweep."""
    readable = re.sub(r"[^A-Za-z0-9_.=+-]", "_", Path(group[0].folder).name)[:NAME_LENGTH]
    more = f"_and_{len(group) - 1}_more" if len(group) > 1 else ""
    return ".".join([readable + more, *map(hash_of, group)])


def hash_of(task: JobTask) -> str:
    """Of a job's folder."""
    return hashlib.sha256(task.folder.encode()).hexdigest()[:HASH_LENGTH]


def by_hash(jobs: Mapping[str, T]) -> dict[str, T]:
    """The slurm jobs with these names, by each hash in the name."""
    ends = ((re.search(rf"(\.[0-9a-f]{{{HASH_LENGTH}}})+$", name), job) for name, job in jobs.items())
    return {hashed: job for end, job in ends if end is not None for hashed in end[0].split(".")[1:]}


@contextlib.contextmanager
def environment_of_sbatch(parameters: Mapping[str, Any]) -> Iterator[None]:
    """Hide variables that would change a new job.

    - Those of the slurm job that this process runs in, if any.
    - The user's variables of `sbatch` for options that submitit's parameters set: they would count more.
    """
    inside = "SLURM_JOB_ID" in os.environ
    options = [*parameters, *parameters.get("slurm_additional_parameters", ())]
    plain = (_VARIABLES.get(option, option.removeprefix("slurm_").replace("-", "_").upper()) for option in options)
    set_here = {f"SBATCH_{variable}" for variable in plain}
    names = [name for name in os.environ if name in set_here or (inside and _OF_A_JOB.match(name))]
    hidden = {name: os.environ.pop(name) for name in names}
    try:
        yield
    finally:
        os.environ.update(hidden)


_OF_A_JOB = re.compile(r"SLURMD?_(?!CONF|CLUSTERS$|JWT$)|SRUN_|SUBMITIT_(?!PREEMPT_SIGNAL$)")
"""Environment variables that slurm and submitit set in a job, and not those that a user sets."""
_VARIABLES = {
    "name": "JOB_NAME",
    "mem_gb": "MEM_PER_NODE",
    "slurm_signal_delay_s": "SIGNAL",
    "timeout_min": "TIMELIMIT",
    "time": "TIMELIMIT",
    "mem": "MEM_PER_NODE",
}
"""Of `sbatch`, after `SBATCH_`, if they are not named after the option."""
