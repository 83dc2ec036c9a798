"""What a run leaves on disk, written and read in one place.

Files that are not appended to appear whole or not at all: they are written under another name, flushed to disk and
renamed.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import filelock
import psutil
import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from autoenc.runs.liveness import process_lives
from autoenc.settings import ConfigError

State = Literal["running", "finished", "failed", "interrupted"]
ErrorKind = Literal["raised", "not_finite", "out_of_memory", "killed", "timed_out"]


class RunDirectory:
    """The folder of one run; see the README for what is in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.figures = path / "figures"

    @classmethod
    def begin(cls, path: Path, *, config: Mapping[str, Any]) -> RunDirectory:
        """Make the empty or missing folder `path` that of a new run with this resolved config.

        Raises:
            ConfigError: a run is there already, or the folder cannot be written.
        """
        run = cls(path)
        if (path / "config.yaml").exists():
            raise ConfigError(
                "hydra.run.dir", "there is a run in this folder; resume= goes on with it", value=str(path)
            )
        try:
            path.mkdir(parents=True, exist_ok=True)
            run.rewrite_config(config)
        except OSError as error:
            raise ConfigError("hydra.run.dir", f"cannot write there: {error.strerror}", value=str(path)) from None
        run.set_state("running")
        return run

    @classmethod
    def open(cls, path: Path, *, key: str) -> RunDirectory:
        """The run in the folder `path`, which the config key `key` asked for.

        Raises:
            ConfigError: there is no run.
        """
        if not (path / "config.yaml").is_file():
            what = "it holds no run (config.yaml is missing)" if path.is_dir() else "there is no such folder"
            raise ConfigError(key, what, value=str(path))
        return cls(path)

    def config(self) -> dict[str, Any]:
        """The resolved config of the run, as plain values. Nothing in it is interpolated or imported.

        Raises:
            ConfigError: it is not such a config.
        """
        path = self.path / "config.yaml"
        try:
            values = OmegaConf.to_container(OmegaConf.create(path.read_text("utf-8")), resolve=False)
        except (OSError, ValueError, RecursionError, yaml.YAMLError, OmegaConfBaseException) as error:
            raise ConfigError(str(path), f"cannot be read: {_first_line(error)}") from None
        if not isinstance(values, dict):
            raise ConfigError(str(path), "it holds no keys")
        for key in ("hydra", "defaults"):
            if key in values:
                raise ConfigError(str(path), f"it has the key '{key}', which no run writes and which could run code")
        _refuse_interpolation(values, where=str(path))
        return {str(key): value for key, value in values.items()}

    def rewrite_config(self, config: Mapping[str, Any]) -> None:
        """Write `config.yaml`; OSError if that cannot be done, and then the old one is there."""
        text = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
        write_atomically(self.path / "config.yaml", text.encode())

    def status(self) -> dict[str, Any]:
        """What `status.json` says; empty where it says nothing that can be read, which is no reason not to go on.

        `state` is a text or absent, `error` has texts or is None: the file may be anybody's.
        """
        try:
            values = self._read_json("status.json")
        except ConfigError:
            return {}
        if not isinstance(values.get("state"), str):
            values.pop("state", None)
        error = values.get("error")
        if error is not None:
            found = error if isinstance(error, dict) else {"message": error}
            values["error"] = {"kind": str(found.get("kind")), "message": str(found.get("message"))}
        return values

    def set_state(self, state: State, *, error: Mapping[str, str] | None = None) -> None:
        """Say in `status.json` how the run stands; `error` has a `kind` and a `message`."""
        now = datetime.now(UTC).isoformat()
        process = psutil.Process()
        status = {
            "state": state,
            "started_at": self.status().get("started_at", now),
            "finished_at": None if state == "running" else now,
            "host": socket.gethostname(),
            "pid": process.pid,
            "process_started_at": datetime.fromtimestamp(process.create_time(), UTC).isoformat(),
            "error": None if error is None else dict(error),
        }
        self._write_json("status.json", status)

    def process_lives(self) -> bool | None:
        """Whether the process that `status.json` names is there: see `process_lives`."""
        return process_lives(self.status())

    def set_failed_from_outside(self, error: Mapping[str, str]) -> None:
        """Say in `status.json` that the run failed, for its own process, which is gone: whose it was stays there."""
        now = datetime.now(UTC).isoformat()
        before = {"started_at": now, "host": None, "pid": None, "process_started_at": None, **self.status()}
        self._write_json("status.json", {**before, "state": "failed", "finished_at": now, "error": dict(error)})

    def write_environment(self, environment: Mapping[str, Any]) -> None:
        """Write `environment.json`."""
        self._write_json("environment.json", environment)

    def summary(self) -> dict[str, Any]:
        """What `summary.json` says; empty while there is none."""
        return self._read_json("summary.json")

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write `summary.json`."""
        self._write_json("summary.json", summary)

    def tracker(self) -> dict[str, Any]:
        """What `tracker.json` says: which run of a tracker's this one is; empty while it is none."""
        return self._read_json("tracker.json")

    def write_tracker(self, run: Mapping[str, Any]) -> None:
        """Write `tracker.json`."""
        self._write_json("tracker.json", run)

    def metrics(self) -> list[dict[str, Any]]:
        """The rows of `metrics.jsonl`, one an epoch; a last line that was cut off is left out."""
        return self._metrics(None)

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Add an epoch's row to `metrics.jsonl` and flush it."""
        with (self.path / "metrics.jsonl").open("ab") as file:
            file.write(_as_json(row, indent=None) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def truncate_metrics(self, epochs: int) -> None:
        """Keep the rows of the first `epochs` epochs: a resumed run writes the others again."""
        rows = self._metrics(epochs)
        if rows or (self.path / "metrics.jsonl").exists():
            write_atomically(self.path / "metrics.jsonl", b"".join(_as_json(row, indent=None) + b"\n" for row in rows))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process from training in this folder. The lock dies with its process.

        Raises:
            ConfigError: another process trains here.
        """
        lock = filelock.FileLock(self.path / ".lock", blocking=False)
        try:
            lock.acquire()
        except filelock.Timeout:
            status = self.status()
            owner = f"process {status.get('pid')} on {status.get('host')}"
            raise ConfigError("resume", f"{owner} is training in this folder", value=str(self.path)) from None
        try:
            for leftover in self.path.glob(".*.new"):  # of a process that was killed while it wrote
                leftover.unlink()
            yield
        finally:
            with contextlib.suppress(FileNotFoundError):
                Path(lock.lock_file).unlink()
            lock.release()

    def is_locked(self) -> bool:
        """Whether a process trains in this folder."""
        path = self.path / ".lock"
        if not path.exists():
            return False
        lock = filelock.FileLock(path, blocking=False)
        try:
            lock.acquire()
        except filelock.Timeout:
            return True
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        lock.release()
        return False

    def _metrics(self, epochs: int | None) -> list[dict[str, Any]]:
        """The rows of the first epochs; the others need not be readable."""
        path = self.path / "metrics.jsonl"
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        try:
            return [json.loads(line) for line in lines[:epochs]]
        except ValueError as error:
            raise ConfigError(str(path), f"cannot be read: {_first_line(error)}") from None

    def _read_json(self, name: str) -> dict[str, Any]:
        path = self.path / name
        if not path.exists():
            return {}
        try:
            values = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ConfigError(str(path), f"cannot be read: {_first_line(error)}") from None
        if not isinstance(values, dict):
            raise ConfigError(str(path), "it holds no keys")
        return values

    def _write_json(self, name: str, values: Mapping[str, Any]) -> None:
        write_atomically(self.path / name, _as_json(values, indent=2) + b"\n")


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new, and nothing between."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        write_flushed(temporary, content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def write_flushed(path: Path, content: bytes) -> None:
    """Write a file and have it on the disk when this returns."""
    try:
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno is None:
            raise
        # A full disk does not say which file it was full for.
        raise OSError(error.errno, error.strerror, str(path)) from None


def flush_folder(path: Path) -> None:
    """Have the renames in a folder survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _as_json(values: Mapping[str, Any], *, indent: int | None) -> bytes:
    # Not-a-number is no JSON: other tools would refuse the whole file.
    return json.dumps(values, indent=indent, allow_nan=False, ensure_ascii=False).encode()


def _refuse_interpolation(value: Any, *, where: str) -> None:
    if isinstance(value, dict):
        for item in value.values():
            _refuse_interpolation(item, where=where)
    elif isinstance(value, list):
        for item in value:
            _refuse_interpolation(item, where=where)
    elif isinstance(value, str) and "${" in value:
        raise ConfigError(where, f"it holds an interpolation, '{value}', where every value should be resolved")


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
