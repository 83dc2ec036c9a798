"""The choices of the config group `tracker`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from autoenc.extras import imported
from autoenc.settings import ConfigError
from autoenc.trackers.tracker import TrackedRun, Tracker, TrackerSettings

SQLITE = "sqlite:///"

_KEY = "tracker.tracking_uri"


@dataclass(frozen=True, kw_only=True)
class NoTracker(TrackerSettings):
    """`tracker=none`: results go only to the run's folder."""

    def build(self, run: TrackedRun) -> Tracker:
        """See `TrackerSettings`."""
        return Tracker(None, name="none", run=run)


@dataclass(frozen=True, kw_only=True)
class TensorBoard(TrackerSettings):
    """`tracker=tensorboard`: event files in the run's folder, for `tensorboard --logdir outputs`."""

    def require(self) -> None:
        """See `TrackerSettings`."""
        imported("autoenc.trackers.tensorboard_events", extra="tensorboard", key="tracker")

    def build(self, run: TrackedRun) -> Tracker:
        """See `TrackerSettings`."""
        from autoenc.trackers.tensorboard_events import TensorBoardEvents

        return Tracker(TensorBoardEvents(run), name="tensorboard", run=run)


@dataclass(frozen=True, kw_only=True)
class Mlflow(TrackerSettings):
    """`tracker=mlflow`: a run of MLflow for every run, in a file on this machine or on a server."""

    tracking_uri: str
    experiment: str
    """The name under which MLflow lists the runs together."""

    def __post_init__(self) -> None:
        address = _parts(self.tracking_uri)
        is_file = sqlite_file(self.tracking_uri) is not None and "%" not in self.tracking_uri
        if not is_file and not (address.scheme in {"http", "https"} and address.netloc):
            problem = "it must be a file, as sqlite:///outputs/mlflow.db, or a server, as http://localhost:5000"
            raise ConfigError(_KEY, problem, value=self.tracking_uri)
        if not self.experiment.strip():
            raise ConfigError("tracker.experiment", "it must be a name", value=self.experiment)

    def require(self) -> None:
        """See `TrackerSettings`."""
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        imported("autoenc.trackers.mlflow_run", extra="mlflow", key="tracker")

    def build(self, run: TrackedRun) -> Tracker:
        """See `TrackerSettings`."""
        from autoenc.trackers.mlflow_run import MlflowRun

        backend = MlflowRun(run, tracking_uri=self.tracking_uri, experiment=self.experiment)
        return Tracker(backend, name=f"mlflow at {self.tracking_uri}", run=run)


@dataclass(frozen=True, kw_only=True)
class Wandb(TrackerSettings):
    """`tracker=wandb`: a run of Weights & Biases for every run, in the run's folder alone or also on its server."""

    mode: Literal["offline", "online"]
    project: str
    """The name under which W&B lists the runs together."""
    entity: str | None
    """The user or team that the project belongs to; None: the account's default."""

    def __post_init__(self) -> None:
        if not self.project.strip() or set(self.project) & set(_NOT_IN_PROJECTS):
            problem = f"it must be a name without any of {' '.join(_NOT_IN_PROJECTS)}"
            raise ConfigError("tracker.project", problem, value=self.project)

    def require(self) -> None:
        """See `TrackerSettings`.

        Raises:
            ConfigError: `mode=online` without a key for the server.
        """
        os.environ["WANDB_ERROR_REPORTING"] = "false"
        wandb_run = imported("autoenc.trackers.wandb_run", extra="wandb", key="tracker")
        if self.mode == "online":
            wandb_run.check_key()

    def build(self, run: TrackedRun) -> Tracker:
        """See `TrackerSettings`."""
        from autoenc.trackers.wandb_run import WandbRun

        backend = WandbRun(run, mode=self.mode, project=self.project, entity=self.entity)
        return Tracker(backend, name="wandb", run=run)


_NOT_IN_PROJECTS = "/\\#?%:"

_ENVIRONMENT = {
    # MLflow's defaults are two minutes and seven retries.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    # One thread keeps the epochs in order; epochs of the same second go out together.
    "MLFLOW_ASYNC_LOGGING_THREADPOOL_SIZE": "1",
    "MLFLOW_ASYNC_LOGGING_BUFFERING_SECONDS": "1",
}
"""Options that MLflow reads only from the environment. A user's own values are kept."""


def _parts(address: str) -> SplitResult:
    """Split a valid address without a secret. Messages never repeat the address, since it may hold one."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        raise ConfigError(_KEY, "this is not an address: its host or port cannot be read") from None
    if parts.username is not None or parts.password is not None:
        problem = "it may not hold a password, which would be written into each run's folder; set"
        raise ConfigError(_KEY, f"{problem} MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD")
    if set(address) & set("?#"):
        raise ConfigError(_KEY, "it may not have a part after ? or #, where secrets are often written")
    return parts


def sqlite_file(uri: str) -> Path | None:
    """The file of an address of SQLite; None for other addresses."""
    file = uri.removeprefix(SQLITE)
    return Path(file) if uri.startswith(SQLITE) and file not in {"", ":memory:"} else None


def with_absolute_file(uri: str) -> str:
    """Make the path of a SQLite file absolute; other addresses stay as they are.

    Raises:
        ConfigError: the path begins with a home folder that does not exist.
    """
    file = sqlite_file(uri)
    try:
        return uri if file is None else f"{SQLITE}{file.expanduser().absolute()}"
    except RuntimeError as error:
        raise ConfigError(_KEY, str(error), value=uri) from None
