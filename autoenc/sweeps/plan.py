"""The jobs of a sweep, and what the sweep does with each, given what is in its folder already."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from autoenc.runs import RunDirectory, moment
from autoenc.settings import PositiveFloat

Rerun = Literal["failed", "all", "none"]
Action = Literal["begin", "go_on", "again", "leave", "wait"]
"""`go_on`: from the last checkpoint. `again`: from the start; the old folder is kept elsewhere. `wait`: another process
is running there."""

_DETERMINED = {"raised", "not_finite"}
"""Kinds of failure that a checkpoint would lead to again: such jobs start again, others continue."""

STARTED = "started"
"""The state of a job that has begun, as a launcher reports it."""

SILENT_SECONDS = 1800.0
"""A job on another machine that has written nothing for so long counts as dead: it saves far more often."""


@dataclass(frozen=True, kw_only=True)
class SweepSettings:
    """The `sweep` node of the config. No run depends on it."""

    name: str | None
    """The sweep's folder below `outputs/sweeps`; null: made of the settings and of what varies."""
    rerun: Rerun
    """Which jobs that have ended are run again. Finished jobs are left alone, unless it is `all`."""
    job_timeout: PositiveFloat | None
    """Seconds after which a job is ended; null: never."""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A job to be run, as overrides of the sweep's command line."""

    number: int
    """Identifies it for the source that proposed it."""
    overrides: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class JobTask:
    """What a job's process gets: plain values, which a launcher can send to any machine."""

    folder: str
    """Absolute, on a disk that all machines of the sweep mount under this path."""
    config: Mapping[str, Any]
    """The config of a new folder. An existing folder keeps its own, except for paths, pictures and the tracker."""
    hydra: Mapping[str, str]
    """The files of its `.hydra/`, by name."""
    logging: Mapping[str, Any]
    """For `logging.config.dictConfig`."""
    timeout: float | None
    """Seconds after which it is ended; None: never."""
    command_line: tuple[str, ...]
    """The `sys.argv` of the command that started the sweep, for `environment.json` and "Run again"."""
    replaces: bool = False
    """Whether the job starts again, and its old folder is kept elsewhere."""
    chdir: bool = False
    """Whether it runs in its folder (`hydra.job.chdir`)."""
    threads: int | None = None
    """CPU threads where its config has none; None: torch's default."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment variables, added to those of its parent."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job of the command line."""

    identity: str
    """A hash of what its config computes: see `identity`."""
    overrides: tuple[str, ...]
    """What its command line adds to the sweep's."""
    folder: Path
    """Absolute."""
    task: JobTask


class Source(Protocol):
    """Proposes jobs, one at a time."""

    may_diverge: ClassVar[bool] = False
    """Whether a job that diverges is a result, and not a failure of the sweep."""

    def opening_words(self) -> Sequence[str]:
        """Lines for the log, before the first job."""
        return ()

    def over_before(self) -> Sequence[Path]:
        """The folders of its jobs that have ended, and that it does not propose again."""
        return ()

    def propose(self) -> Proposal | None:
        """The next job; None: none for now. If no job is running either, the sweep has ended."""

    def ended(self, proposal: Proposal, folder: Path) -> None:
        """A proposed job has ended, or had finished before; its folder says how."""

    def refused(self, proposal: Proposal, problem: str) -> None:
        """A proposal is not a valid job."""

    def closing_words(self) -> Sequence[str]:
        """Lines for the log, after the last job. It may write files into the sweep's folder.

        Raises:
            OSError: a file cannot be written.
        """
        return ()


def action(folder: Path, *, rerun: Rerun, anew_since: datetime | None = None) -> Action:
    """Decide what to do with the job in this folder, which need not exist.

    With `rerun="all"`, jobs that started after `anew_since` have been trained again already, by a stopped command.
    """
    run = RunDirectory(folder)
    status = run.status()
    state = status.get("state")
    if not (folder / "config.yaml").is_file() or state is None:
        return "again" if folder.exists() else "begin"  # `again`: killed while its folder was made
    if state == "running" and _is_alive(run):
        return "wait"
    if rerun == "all" and (anew_since is None or (moment(status.get("started_at")) or anew_since) <= anew_since):
        return "again"
    if state == "finished" or (state == "failed" and rerun == "none"):
        return "leave"
    kind = (status.get("error") or {}).get("kind")
    return "again" if state == "failed" and kind in _DETERMINED else "go_on"


def _is_alive(run: RunDirectory) -> bool:
    """Whether the process of a running job exists. On another machine, it must have written a file recently."""
    lives = run.process_lives()
    if lives is not None:
        return lives
    written = ("status.json", "metrics.jsonl", "train.log", "checkpoints")
    changed = [path.stat().st_mtime for path in (run.path / name for name in written) if path.exists()]
    return time.time() - max(changed, default=0.0) < SILENT_SECONDS
