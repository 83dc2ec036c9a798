"""The folder of a run: everything that is written into it, and what a run reads of its own.

Files that are not appended to are replaced as a whole, by `write_atomically`. Writing the status also flushes
the folder's list of files to disk, once for all files written since the last status.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoenc.runs.plain_values import UnreadableError, as_yaml, read_file
from autoenc.runs.process import process_lives
from autoenc.runs.reading import config_as_json, parse_row, read_table
from autoenc.runs.record import Phase, State
from autoenc.runs.whole_files import flush_folder, write_atomically
from autoenc.settings import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEST_ERRORS = "test_errors.npz"
LARGEST_METRICS = 2**30
"""Bytes of `metrics.jsonl` that a resumed run reads: millions of epochs."""


class RunDirectory:
    """The folder of one run; the README lists its files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.figures = path / "figures"
        self.page = path / "index.html"

    @classmethod
    def begin(cls, path: Path, *, config: Mapping[str, Any]) -> RunDirectory:
        """Start a run with this resolved config in the empty or missing folder `path`.

        Raises:
            ConfigError: the folder already holds a run, or cannot be written.
        """
        run = cls(path)
        if (path / "config.yaml").exists():
            raise ConfigError("hydra.run.dir", "there is a run in this folder; resume= continues it", value=str(path))
        try:
            path.mkdir(parents=True, exist_ok=True)
            run.rewrite_config(config)
        except OSError as error:
            raise ConfigError("hydra.run.dir", f"cannot write there: {error.strerror}", value=str(path)) from None
        run.set_state("running")
        return run

    @classmethod
    def open(cls, path: Path, *, key: str) -> RunDirectory:
        """The run in the folder `path`, which is the value of the config key `key`.

        Raises:
            ConfigError: there is no run.
        """
        if not (path / "config.yaml").is_file():
            problem = "it holds no run (config.yaml is missing)" if path.is_dir() else "there is no such folder"
            raise ConfigError(key, problem, value=str(path))
        return cls(path)

    def config(self) -> dict[str, Any]:
        """The resolved config of the run, with today's names of settings. Nothing in it is interpolated or imported.

        Raises:
            ConfigError: `config.yaml` cannot be read, or is no resolved config.
        """
        values = self._table("config.yaml", exact=True)
        where = str(self.path / "config.yaml")
        for key in ("hydra", "defaults"):
            if key in values:
                raise ConfigError(where, f"it has the key '{key}', which no run writes and which could run code")
        _refuse_interpolation(values, where=where)
        return values

    def rewrite_config(self, config: Mapping[str, Any]) -> None:
        """Write `config.yaml`, and `config.json` for fast reading.

        Raises:
            OSError: they cannot be written; then the old config is still in force.
        """
        text = as_yaml(config)
        # In this order: until config.yaml is replaced, config.json does not match it and is not read.
        write_atomically(self.path / "config.json", config_as_json(config, text))
        write_atomically(self.path / "config.yaml", text)

    def status(self) -> dict[str, Any]:
        """`status.json`, with entries as in `RunRecord.status`; empty if it is missing or cannot be read."""
        try:
            return read_table(self.path, "status.json")[0]
        except (FileNotFoundError, UnreadableError):
            return {}

    @property
    def state(self) -> State | None:
        """The state that `status.json` records."""
        state: State | None = self.status().get("state")
        return state

    @property
    def diverged(self) -> bool:
        """Whether `status.json` records that the run failed because a loss or gradient was not finite."""
        return self.state == "failed" and (self.status().get("error") or {}).get("kind") == "not_finite"

    def set_state(self, state: State, *, phase: Phase | None = None, error: Mapping[str, str] | None = None) -> None:
        """Record the state of the run, of this process; `error` has a `kind` and a `message`."""
        import psutil

        now = datetime.now(UTC).isoformat()
        process, before = psutil.Process(), self.status()
        status = {
            "state": state,
            "phase": phase,
            "started_at": before.get("started_at") or now,
            "finished_at": None if state == "running" else now,
            "host": socket.gethostname(),
            "pid": process.pid,
            "process_started_at": datetime.fromtimestamp(process.create_time(), UTC).isoformat(),
            "error": None if error is None else dict(error),
            "training_changes": before.get("training_changes") or [],
        }
        self._write_status(status)

    def record_training_change(self, before: Mapping[str, Any], after: Mapping[str, Any], *, epochs: int) -> None:
        """Record in `status.json` that the run trains for another time, and set its results so far aside.

        `before` and `after` are settings of the node `training`. `epochs` is the number of finished epochs.
        """
        change = {
            "at": datetime.now(UTC).isoformat(),
            "finished_epochs": epochs,
            "before": dict(before),
            "after": dict(after),
            "results": self._set_results_aside(f"after_{epochs}_epochs"),
        }
        status = self.status()
        self._write_status({**status, "training_changes": [*(status.get("training_changes") or []), change]})

    def _set_results_aside(self, name: str) -> str | None:
        """Move the scores and pictures of the end of the training into a folder of their own, and return its name.

        None if there are no scores yet. The weights and the history stay: they are continued.
        """
        summary = self.path / "summary.json"
        if not summary.exists():
            return None
        names = itertools.chain([name], (f"{name}.{number}" for number in itertools.count(2)))
        folder = next(path for path in map(self.path.joinpath, names) if not path.exists())
        folder.mkdir()
        for path in (self.page, self.figures, self.path / TEST_ERRORS, summary):
            with contextlib.suppress(FileNotFoundError):
                path.rename(folder / path.name)
        return folder.name

    def process_lives(self) -> bool | None:
        """Whether the process named in `status.json` is alive; None if that cannot be found out."""
        return process_lives(self.status())

    def set_failed_from_outside(self, error: Mapping[str, str]) -> None:
        """Record that the run failed, on behalf of its process, which is gone and stays named in `status.json`."""
        now = datetime.now(UTC).isoformat()
        before = {"started_at": now, "host": None, "pid": None, "process_started_at": None, **self.status()}
        self._write_status({**before, "state": "failed", "phase": None, "finished_at": now, "error": dict(error)})

    def write_environment(self, environment: Mapping[str, Any]) -> None:
        """Write `environment.json`."""
        self._write_json("environment.json", environment)

    def summary(self) -> dict[str, Any]:
        """The content of `summary.json`; empty if there is none.

        Raises:
            ConfigError: it cannot be read.
        """
        return self._table("summary.json")

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write `summary.json`."""
        self._write_json("summary.json", summary)

    def write_test_errors(self, errors: Mapping[str, NDArray[Any]], *, digest: str) -> None:
        """Write `test_errors.npz`: the errors of each test image by metric, (N,), and the digest of the test images."""
        import numpy as np

        arrays: dict[str, Any] = {"digest": np.array(digest), **errors}
        content = io.BytesIO()
        np.savez_compressed(content, **arrays)
        write_atomically(self.path / TEST_ERRORS, content.getvalue())

    def write_page(self, content: str) -> None:
        """Write `index.html`, the page for a person."""
        write_atomically(self.page, content.encode())

    def check_figures(self) -> None:
        """Refuse a linked folder of pictures: in a stranger's run, the link may lead anywhere.

        Raises:
            ConfigError: `figures` is a symbolic link.
        """
        if self.figures.is_symlink():
            problem = "it is a symbolic link, and a run's pictures are in its own folder; remove the link"
            raise ConfigError(str(self.figures), problem)

    def pictures(self, *suffixes: str) -> list[Path]:
        """The files in `figures` with these suffixes, such as .png, by name. A link is none of them.

        Raises:
            ConfigError: `figures` is a symbolic link.
        """
        self.check_figures()
        found = (path for path in self.figures.glob("*") if path.suffix in suffixes)
        return sorted(path for path in found if stat.S_ISREG(path.lstat().st_mode))

    def tracker(self, **place: str) -> dict[str, Any]:
        """The run's record in a tracker, as named in `tracker.json`, exactly as written; empty if there is none.

        `place` are entries that the record has to have. Without them, it is the record that was written to last.

        Raises:
            ConfigError: `tracker.json` cannot be read.
        """
        return next((record for record in self._tracker_records() if place.items() <= record.items()), {})

    def write_tracker(self, record: Mapping[str, Any]) -> None:
        """Name the run's record in a tracker. `others` keeps the records in other trackers and on other servers."""
        place = ("tracker", "tracking_uri")
        known = self._tracker_records()
        others = [other for other in known if any(other.get(key) != record.get(key) for key in place)]
        self._write_json("tracker.json", {**record, **({"others": others} if others else {})})

    def _tracker_records(self) -> list[dict[str, Any]]:
        last = self._table("tracker.json", exact=True)
        others = last.pop("others", None) or []
        return [last, *others] if last else []

    def metrics(self, epochs: int | None = None) -> list[dict[str, Any]]:
        """The rows of `metrics.jsonl`, one per epoch, without an unfinished last line; at most the first `epochs`.

        Raises:
            ConfigError: they cannot be read.
        """
        path = self.path / "metrics.jsonl"
        try:
            lines = read_file(str(path), most=LARGEST_METRICS).split(b"\n")[:-1]
            return [parse_row(line)[0] for line in lines[:epochs]]
        except FileNotFoundError:
            return []
        except UnreadableError as error:
            raise ConfigError(str(path), f"cannot be read: it {error}") from None

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Append an epoch's row to `metrics.jsonl` and flush it."""
        with (self.path / "metrics.jsonl").open("ab") as file:
            file.write(_as_json(row, indent=None) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def truncate_metrics(self, epochs: int) -> None:
        """Keep the rows of the first `epochs` epochs; a resumed run writes the others again."""
        rows = self.metrics(epochs)
        if rows or (self.path / "metrics.jsonl").exists():
            write_atomically(self.path / "metrics.jsonl", b"".join(_as_json(row, indent=None) + b"\n" for row in rows))

    @contextlib.contextmanager
    def locked(self, *, key: str = "resume") -> Iterator[None]:
        """Keep other processes from training in this folder. The lock ends with its process.

        `key` is what the caller's users know the folder as, for the message.

        Raises:
            ConfigError: another process is training here.
        """
        with self._lock() as acquired:
            if not acquired:
                status = self.status()
                problem = f"process {status.get('pid')} on {status.get('host')} is working in this folder"
                raise ConfigError(key, problem, value=str(self.path))
            for leftover in self.path.glob(".*.new"):  # of a process that was killed while it wrote
                leftover.unlink()
            yield

    def is_locked(self) -> bool:
        """Whether a process is working in this folder."""
        if not (self.path / ".lock").exists():
            return False
        with self._lock() as acquired:
            return not acquired

    @contextlib.contextmanager
    def _lock(self) -> Iterator[bool]:
        """Hold the lock of the folder, if no other process does; gives whether it is held."""
        import filelock

        lock = filelock.FileLock(self.path / ".lock", blocking=False)
        with contextlib.suppress(filelock.Timeout):
            lock.acquire()
        try:
            yield lock.is_locked
        finally:
            if lock.is_locked:
                Path(lock.lock_file).unlink(missing_ok=True)
                lock.release()

    def _table(self, name: str, *, exact: bool = False) -> dict[str, Any]:
        try:
            values, problem = read_table(self.path, name, exact=exact)
        except FileNotFoundError:
            values, problem = {}, "is missing" if name == "config.yaml" else None
        except UnreadableError as error:
            values, problem = {}, str(error)
        if problem is not None:
            raise ConfigError(str(self.path / name), f"cannot be read: it {problem}")
        return values

    def _write_status(self, status: Mapping[str, Any]) -> None:
        """Write `status.json`, and flush the folder's list of files, which has all that were written before."""
        self._write_json("status.json", status)
        flush_folder(self.path)

    def _write_json(self, name: str, values: Mapping[str, Any]) -> None:
        write_atomically(self.path / name, _as_json(values, indent=2) + b"\n")


def _as_json(values: Mapping[str, Any], *, indent: int | None) -> bytes:
    # Not-a-number is not allowed: other tools would refuse the whole file.
    return json.dumps(values, indent=indent, allow_nan=False, ensure_ascii=False).encode()


def _refuse_interpolation(value: Any, *, where: str) -> None:
    if isinstance(value, str) and "${" in value:
        raise ConfigError(where, f"it holds an interpolation, '{value}'; every value has to be resolved")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _refuse_interpolation(item, where=where)
