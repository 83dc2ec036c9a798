"""`sweep.json`: what the jobs of a sweep are called, and what it ends with."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from autoenc.comparison.page import ComparisonSettings
from autoenc.runs import moment, write_atomically
from autoenc.settings import ConfigError, checked

FILE = "sweep.json"
LARGEST = 256 * 2**20
"""Bytes: a job takes one or two thousand."""


class SweepJob(NamedTuple):
    """A job, as `sweep.json` has it."""

    label: str
    """What it is called: what distinguishes it from the others."""
    identity: str
    """A hash of what its config computes."""
    overrides: tuple[str, ...]
    """What its command line has that not all others have."""
    code: str
    """The version of the code that it was begun with."""


class Sweep(NamedTuple):
    """What `sweep.json` says."""

    jobs: dict[str, SweepJob]
    """By the folder of each, below the sweep's."""
    settings: ComparisonSettings
    anew_since: datetime | None = None
    """When the training of all jobs anew began that has not come to its end; None where there is none."""

    @property
    def labels(self) -> dict[str, str]:
        """By the folder of each job, below the sweep's, what it is called."""
        return {folder: job.label for folder, job in self.jobs.items()}


def write_sweep(folder: Path, sweep: Sweep) -> None:
    """Write `sweep.json`.

    Raises:
        OSError: it cannot be written.
    """
    values = {
        "jobs": {name: job._asdict() for name, job in sweep.jobs.items()},
        "comparison": asdict(sweep.settings),
        "anew_since": None if sweep.anew_since is None else sweep.anew_since.isoformat(),
    }
    write_atomically(folder / FILE, json.dumps(values, indent=2, ensure_ascii=False).encode() + b"\n")


def read_sweep(folder: Path) -> Sweep:
    """What `write_sweep` wrote.

    Raises:
        ConfigError: there is no such file, or it says something else.
    """
    path = folder / FILE
    try:
        _check_size(path)
        values = json.loads(path.read_text("utf-8"))
        jobs = {str(name): _job(job) for name, job in values["jobs"].items()}
        settings = dict(values["comparison"])
        anew_since = moment(values.get("anew_since"))
    except ConfigError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(str(path), f"cannot be read: {' '.join(str(error).split())}") from None
    outside = [name for name in jobs if Path(name).is_absolute() or ".." in Path(name).parts]
    if outside:
        raise ConfigError(str(path), "it names a folder that is not below the sweep's", value=outside[0])
    return Sweep(jobs, checked(ComparisonSettings, settings, key="comparison"), anew_since)


def _check_size(path: Path) -> None:
    if path.stat().st_size > LARGEST:
        raise ConfigError(str(path), f"it is larger than {LARGEST // 2**20} MB, which no sweep's file is")


def _job(values: Any) -> SweepJob:
    if isinstance(values, str):  # the label alone, as the first sweeps had it
        return SweepJob(values, "", (), "")
    if not isinstance(values["overrides"], list):
        raise TypeError("'overrides' is no list")
    overrides = tuple(str(text) for text in values["overrides"])
    return SweepJob(str(values["label"]), str(values["identity"]), overrides, str(values["code"]))
