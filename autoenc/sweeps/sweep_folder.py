"""The folder of a sweep: one sweep at a time runs in it, and `sweep.json` lists its jobs."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock

from autoenc.comparison.formatting import as_typed
from autoenc.comparison.labels import key_of, labels, setting
from autoenc.comparison.page import ComparisonSettings
from autoenc.runs import SWEEP_FILE, RunDirectory, Sweep, SweepJob, read_sweep, write_sweep
from autoenc.settings import ConfigError
from autoenc.sweeps.plan import Job


class SweepFolder:
    """The folder of one sweep, and what its `sweep.json` says."""

    def __init__(self, path: Path, *, comparison: ComparisonSettings) -> None:
        self.path = path
        self._comparison = comparison
        self.jobs: dict[str, SweepJob] = {}
        """By folder."""
        self.anew_since: datetime | None = None
        """When `sweep.rerun=all` began, with this command or with a stopped one that it continues."""
        self._configs: dict[str, Mapping[str, Any]] = {}
        """Of the jobs, by folder."""

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other sweeps out, and read `sweep.json`. Afterwards remove new folders that are empty.

        Raises:
            ConfigError: another sweep is running here, the folder cannot be made, or it holds something else.
        """
        lock = filelock.FileLock(self.path / ".lock", blocking=False)
        made = self._make(lock)
        try:
            self.look()
            yield
        finally:
            with contextlib.suppress(FileNotFoundError):
                Path(lock.lock_file).unlink()
            lock.release()
            with contextlib.suppress(OSError):  # it is not empty
                for folder in made:
                    folder.rmdir()

    def look(self) -> None:
        """Read `sweep.json`, if there is one; this keeps no other sweep out.

        Raises:
            ConfigError: it cannot be read.
        """
        if (self.path / SWEEP_FILE).exists():
            there = read_sweep(self.path)
            # A job that never began is forgotten: if it is still part of the sweep, this command has it too.
            self.jobs = {name: job for name, job in there.jobs.items() if (self.path / name).is_dir()}
            self.anew_since = there.anew_since

    def add(self, jobs: Sequence[Job], *, code: str) -> None:
        """Add jobs to `sweep.json`."""
        for job in jobs:
            self._configs[job.folder.name] = job.task.config
            self.jobs[job.folder.name] = SweepJob("", job.identity, _with_values(job), code)
        self._label()
        self._write()

    def begin_anew(self, *, wanted: bool) -> bool:
        """Note whether all jobs are to be trained again; returns whether this continues a stopped `sweep.rerun=all`.

        The next `add` writes it to `sweep.json`.
        """
        goes_on = wanted and self.anew_since is not None
        if not goes_on:
            self.anew_since = datetime.now(UTC) if wanted else None
        return goes_on

    def end_anew(self) -> None:
        """Note that all jobs have been trained again: the next `sweep.rerun=all` starts from the first."""
        if self.anew_since is not None:
            self.anew_since = None
            self._write()

    def _write(self) -> None:
        write_sweep(self.path, Sweep(self.jobs, asdict(self._comparison), self.anew_since))

    def _make(self, lock: filelock.BaseFileLock) -> list[Path]:
        """Make and lock the folder; returns all folders that were made."""
        made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            others = [path.name for path in self.path.iterdir() if not path.name.startswith(".")]
            if others and not (self.path / SWEEP_FILE).exists():
                problem = f"the folder holds other files ({others[0]}); choose another name"
                raise ConfigError("sweep.name", problem, value=str(self.path))
            lock.acquire()
        except filelock.Timeout:
            raise ConfigError("sweep.name", "another sweep is running in its folder", value=str(self.path)) from None
        except OSError as error:
            problem = f"the folder cannot be made or used: {error.strerror}"
            raise ConfigError("sweep.name", problem, value=str(self.path)) from None
        return made

    def _label(self) -> None:
        """Label every job by what distinguishes it from all others, those of earlier commands included."""
        overrides: Sequence[Sequence[str]] = [job.overrides for job in self.jobs.values()]
        keys = {key_of(text) for job in overrides for text in job}
        if any(len(job) < len(keys) for job in overrides):
            overrides = with_all_keys(overrides, [self._config(name) for name in self.jobs])
        for name, label in zip(self.jobs, labels(overrides), strict=True):
            self.jobs[name] = self.jobs[name]._replace(label=label)

    def _config(self, name: str) -> Mapping[str, Any]:
        if name not in self._configs:
            try:
                self._configs[name] = RunDirectory(self.path / name).config()
            except ConfigError:  # a half-written job keeps the label of its own command line
                self._configs[name] = {}
        return self._configs[name]


def of_the_run(overrides: Sequence[str]) -> tuple[str, ...]:
    """The overrides that belong to the run and not to the command: only these are part of a job's label."""
    return tuple(text for text in overrides if not _NOT_IN_LABELS.match(text))


def _with_values(job: Job) -> tuple[str, ...]:
    """The overrides of the run. Values with interpolations, escapes or quotes are those of the config."""
    config = job.task.config
    return tuple(
        _override(config, key_of(text), given=text) if re.search(r"""[$\\'"]""", text) else text
        for text in of_the_run(job.overrides)
    )


_NOT_IN_LABELS = re.compile(
    r"[+~]*(hydra[./]|sweep\.|comparison\.|data_dir=|figures=|figure_format=|tracker|dataset\.cache=)"
)


def with_all_keys(overrides: Sequence[Sequence[str]], configs: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Complete the jobs' overrides by the keys that only other jobs set.

    Jobs from before a sweep was widened by a key do not name it. Values come from the configs, since `true` on a
    command line and the default `True` are one value.
    """
    given = [{key_of(text): text for text in job} for job in overrides]
    keys = list(dict.fromkeys(key for job in given for key in job))
    partly = {key for key in keys if any(key not in job for job in given)}
    return [
        [_override(config, key, given=job.get(key)) if key in partly else job[key] for key in keys]
        for job, config in zip(given, configs, strict=True)
    ]


def _override(config: Mapping[str, Any], key: str, *, given: str | None) -> str:
    """The override that sets a key to its value in a config; `given` if the config has no such key, as `variant`."""
    value = setting(config, key)
    if value is None and given is not None:
        return given
    return f"{key}={as_typed(value.get('name') if isinstance(value, Mapping) else value)}"
