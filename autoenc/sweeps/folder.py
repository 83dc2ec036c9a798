"""The folder of a sweep: one sweep at a time is at work in it, and `sweep.json` says what its jobs are."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock

from autoenc.comparison.labels import key_of, labels
from autoenc.comparison.settings import ComparisonSettings
from autoenc.runs import SWEEP_FILE, RunDirectory, Sweep, SweepJob, read_sweep, write_sweep
from autoenc.settings import ConfigError
from autoenc.sweeps.plan import Job, with_all_keys


class SweepFolder:
    """A folder that is ours while a sweep is at work."""

    def __init__(self, path: Path, *, comparison: ComparisonSettings) -> None:
        self.path = path
        self._comparison = comparison
        self._jobs: dict[str, SweepJob] = {}
        self.anew_since: datetime | None = None
        """When it was begun to train all jobs anew, by this command or the stopped one that it goes on with."""
        self._configs: dict[str, Mapping[str, Any]] = {}
        """Of the jobs, by folder: what has been read once, or written by this command."""

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other sweeps out, and take up what an earlier one left. A folder that was made and stays empty is taken
        away again.

        Raises:
            ConfigError: another sweep is at work here, the folder cannot be made, or holds something else.
        """
        made = self._make()
        lock = filelock.FileLock(self.path / ".lock", blocking=False)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise ConfigError("sweep.name", "another sweep is at work in its folder", value=str(self.path)) from None
        except OSError as error:
            raise _cannot(self.path, error) from None
        try:
            self._take_up()
            yield
        finally:
            with contextlib.suppress(FileNotFoundError):
                Path(lock.lock_file).unlink()
            lock.release()
            with contextlib.suppress(OSError):  # it has content
                for folder in made:
                    folder.rmdir()

    def look(self) -> None:
        """Read what an earlier sweep left, to tell of it; no other sweep is kept out.

        Raises:
            ConfigError: it cannot be read.
        """
        self._take_up()

    def add(self, jobs: Sequence[Job], *, code: str) -> None:
        """Write down jobs that belong to the sweep from now on."""
        for job in jobs:
            label = self._jobs[job.folder.name].label if job.folder.name in self._jobs else ""
            self._jobs[job.folder.name] = SweepJob(label, job.identity, of_the_run(job.overrides), code)
        self._label(jobs)
        self._write()

    def begin_anew(self, *, wanted: bool) -> bool:
        """Have all jobs trained anew or not, whatever an earlier command began; whether this goes on with such a one.

        The next `add` writes it down.
        """
        goes_on = wanted and self.anew_since is not None
        if not goes_on:
            self.anew_since = datetime.now(UTC) if wanted else None
        return goes_on

    def end_anew(self) -> None:
        """All jobs have had their turn: who wants them trained anew once more begins from the first."""
        if self.anew_since is not None:
            self.anew_since = None
            self._write()

    def _write(self) -> None:
        write_sweep(self.path, Sweep(self._jobs, asdict(self._comparison), self.anew_since))

    @property
    def jobs(self) -> dict[str, SweepJob]:
        """What `sweep.json` says, by folder."""
        return dict(self._jobs)

    def _make(self) -> list[Path]:
        made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            strangers = [path.name for path in self.path.iterdir() if not path.name.startswith(".")]
        except OSError as error:
            raise _cannot(self.path, error) from None
        if strangers and not (self.path / SWEEP_FILE).exists():
            problem = f"it holds something else than a sweep ({strangers[0]}); choose another name"
            raise ConfigError("sweep.name", problem, value=str(self.path))
        return made

    def _take_up(self) -> None:
        if (self.path / SWEEP_FILE).exists():
            there = read_sweep(self.path)
            # A job that was planned and never begun is forgotten: who still wants it asks for it now.
            self._jobs = {name: job for name, job in there.jobs.items() if (self.path / name).is_dir()}
            self.anew_since = there.anew_since

    def _label(self, new: Sequence[Job]) -> None:
        """Call every job by what distinguishes it from all others, those of earlier commands included."""
        names = list(self._jobs)
        overrides = [self._jobs[name].overrides for name in names]
        self._configs.update({job.folder.name: job.task.config for job in new})
        keys = {key_of(text) for job in overrides for text in job}
        if any(len(job) < len(keys) for job in overrides):
            found = [self._config(name) for name in names]
            overrides = [tuple(job) for job in with_all_keys(overrides, found)]
        for name, label in zip(names, labels(overrides), strict=True):
            self._jobs[name] = self._jobs[name]._replace(label=label)

    def _config(self, name: str) -> Mapping[str, Any]:
        if name not in self._configs:
            try:
                self._configs[name] = RunDirectory(self.path / name).config()
            except ConfigError:  # a half-written job is called by what its own command line said
                self._configs[name] = {}
        return self._configs[name]


def of_the_run(overrides: Sequence[str]) -> tuple[str, ...]:
    """Those that are of the run and not of the command: jobs are told from each other by these alone."""
    return tuple(text for text in overrides if not _NO_PART_OF_A_LABEL.match(text))


_NO_PART_OF_A_LABEL = re.compile(r"[+~]*(hydra[./]|sweep\.|comparison\.|data_dir=|figures=|tracker)")


def _cannot(path: Path, error: OSError) -> ConfigError:
    return ConfigError("sweep.name", f"the folder cannot be made or used: {error.strerror}", value=str(path))
