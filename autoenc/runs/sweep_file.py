"""`sweep.json`: the jobs of a sweep and their labels, and what the sweep ends with."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from autoenc.runs.plain_values import UnreadableError, parse_json, read_file
from autoenc.runs.process import moment
from autoenc.runs.whole_files import write_atomically
from autoenc.settings import ConfigError

SWEEP_FILE = "sweep.json"
LARGEST = 64 * 2**20
"""Bytes; a job takes one or two thousand."""


class SweepJob(NamedTuple):
    """A job of a sweep."""

    label: str
    """What distinguishes it from the other jobs."""
    identity: str
    """A hash of what its config computes."""
    overrides: tuple[str, ...]
    """The overrides on its command line that not all jobs have."""
    code: str
    """The version of the code that it was started with."""


class Sweep(NamedTuple):
    """The content of `sweep.json`."""

    jobs: dict[str, SweepJob]
    """By folder, relative to the sweep's."""
    comparison: Mapping[str, Any]
    """The `comparison` node of the sweep's config: plain values, checked when they are used."""
    anew_since: datetime | None = None
    """When a command began to train all jobs again, until it has come to its end."""

    @property
    def labels(self) -> dict[str, str]:
        """The label of each job, by its folder relative to the sweep's."""
        return {folder: job.label for folder, job in self.jobs.items()}


def write_sweep(folder: Path, sweep: Sweep) -> None:
    """Write `sweep.json`.

    Raises:
        OSError: it cannot be written.
    """
    values = {
        "jobs": {name: job._asdict() for name, job in sweep.jobs.items()},
        "comparison": dict(sweep.comparison),
        "anew_since": None if sweep.anew_since is None else sweep.anew_since.isoformat(),
    }
    write_atomically(folder / SWEEP_FILE, json.dumps(values, indent=2, ensure_ascii=False).encode() + b"\n")


def read_sweep(folder: Path) -> Sweep:
    """Read `sweep.json`.

    Raises:
        ConfigError: there is no such file, or it cannot be read, or it names a folder outside the sweep's.
    """
    path = folder / SWEEP_FILE
    try:
        sweep = _read(str(path))
    except FileNotFoundError:
        raise ConfigError(str(path), "there is no such file") from None
    except UnreadableError as error:
        raise ConfigError(str(path), f"cannot be read: it {error}") from None
    outside = [name for name in sweep.jobs if not _is_inside(name)]
    if outside:
        raise ConfigError(str(path), "it names a folder that is not below the sweep's", value=outside[0])
    return sweep


def labels_of_jobs(folder: str) -> tuple[dict[str, str], str | None]:
    """The labels of a sweep's jobs by absolute path, in the sweep's order, and a sentence if some are not known.

    Both are empty if there is no `sweep.json`.
    """
    try:
        jobs = _read(f"{folder}/{SWEEP_FILE}").jobs
    except FileNotFoundError:
        return {}, None
    except UnreadableError as error:
        return {}, f"{SWEEP_FILE} {error}, so its jobs have no labels."
    inside = {os.path.normpath(f"{folder}/{name}"): job.label for name, job in jobs.items() if _is_inside(name)}
    outside = len(jobs) - len(inside)
    return inside, f"{SWEEP_FILE} names {outside} folder(s) outside the sweep, which are left out." if outside else None


def _read(path: str) -> Sweep:
    values = parse_json(read_file(path, most=LARGEST))
    values = values if isinstance(values, dict) else {}
    jobs, comparison, anew_since = (values.get(key) for key in ("jobs", "comparison", "anew_since"))
    if not isinstance(jobs, dict):
        raise UnreadableError("does not name its jobs")
    return Sweep(
        {name: _job(job, name) for name, job in jobs.items()},
        comparison if isinstance(comparison, dict) else {},
        moment(anew_since if isinstance(anew_since, str) else None),
    )


def _job(values: Any, name: str) -> SweepJob:
    """A job; a missing label is the folder's name. The first sweeps wrote the label alone."""
    given = values if isinstance(values, dict) else {"label": values}
    label, identity, code = (_text(given.get(key)) for key in ("label", "identity", "code"))
    overrides = given.get("overrides")
    texts = tuple(text for text in overrides if isinstance(text, str)) if isinstance(overrides, list) else ()
    return SweepJob(label if label.strip() else name, identity, texts, code)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return name.isprintable() and not path.is_absolute() and ".." not in path.parts and path != PurePosixPath()
