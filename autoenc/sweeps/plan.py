"""What is to be done about each job of a sweep, given what is in its folder already."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from autoenc.comparison.formatting import as_typed
from autoenc.comparison.labels import key_of, setting
from autoenc.runs import RunDirectory, moment
from autoenc.settings import ConfigError
from autoenc.sweeps.task import JobTask

Rerun = Literal["failed", "all", "none"]
Action = Literal["begin", "go_on", "again", "leave", "wait"]
"""`again`: anew, with what was there put aside. `wait`: another process is at work there, and ends or does not."""

_DETERMINED = {"raised", "not_finite"}
"""Kinds of failure that a checkpoint would lead to again: such a job begins anew, the others go on."""

LAST_SIGN_SECONDS = 1800.0
"""A machine elsewhere whose job has written nothing for so long is taken to be gone: a checkpoint every thousand steps
is usual."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as the command line asks for it."""

    identity: str
    """What its config computes: see `identity`."""
    overrides: tuple[str, ...]
    """What distinguishes its command line from the sweep's."""
    folder: Path
    """Absolute."""
    task: JobTask


def action(folder: Path, *, rerun: Rerun, anew_since: datetime | None = None) -> Action:
    """What is to be done about the job in this folder, there or not.

    With `rerun="all"`: what was begun after `anew_since` has been begun anew, by a command that this one goes on with.
    """
    run = RunDirectory(folder)
    status = run.status()
    state = status.get("state")
    if not (folder / "config.yaml").is_file() or state is None:
        return "again" if folder.exists() else "begin"  # `again`: killed while its folder was made
    if state == "running" and _at_work(run):
        return "wait"
    if rerun == "all" and (anew_since is None or (moment(status.get("started_at")) or anew_since) <= anew_since):
        return "again"
    if state == "finished":
        return "leave"
    if state == "failed":
        kind = (status.get("error") or {}).get("kind")
        return "leave" if rerun == "none" else "again" if kind in _DETERMINED else "go_on"
    return "go_on"


def _at_work(run: RunDirectory) -> bool:
    """Whether the process that is said to run is there; one of another machine has to have left a sign of late."""
    lives = run.process_lives()
    if lives is not None:
        return lives
    signs = ("status.json", "metrics.jsonl", "train.log", "checkpoints")
    changed = [path.stat().st_mtime for path in (run.path / name for name in signs) if path.exists()]
    return time.time() - max(changed, default=0.0) < LAST_SIGN_SECONDS


def known_folders(sweep: Path) -> dict[str, Path]:
    """The folders of a sweep's jobs by the identity that their names end with."""
    folders = [path for path in sweep.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return {path.name.rpartition("-")[2]: path for path in folders}


def check_identity(folder: Path, *, identity: str | None) -> None:
    """Refuse a folder whose config is not the one that its name stands for: somebody changed it.

    Raises:
        ConfigError: it is so, or the config cannot be read.
    """
    if identity != folder.name.rpartition("-")[2]:
        problem = f"its config.yaml has been changed: it stands for {identity}; move the folder away"
        raise ConfigError("sweep.name", problem, value=str(folder))


def with_all_keys(overrides: Sequence[Sequence[str]], configs: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The jobs' overrides with the values of those keys that only other jobs set.

    A sweep that was widened by a key has jobs that do not name it, and that are to be told from the others too. What
    some name is read from the configs of all: `true` on a command line and the default `True` are one value.
    """
    given = [{key_of(text): text for text in job} for job in overrides]
    keys = list(dict.fromkeys(key for job in given for key in job))
    partly = {key for key in keys if any(key not in job for job in given)}
    return [
        [_override(config, key, given=job.get(key)) if key in partly else job[key] for key in keys]
        for job, config in zip(given, configs, strict=True)
    ]


def _override(config: Mapping[str, Any], key: str, *, given: str | None) -> str:
    """What sets a key to its value in a config; as `given` where that is of no such key, as `variant` is."""
    value = setting(config, key)
    if value is None and given is not None:
        return given
    return f"{key}={as_typed(value.get('name') if isinstance(value, Mapping) else value)}"
