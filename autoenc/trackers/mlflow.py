"""`tracker=mlflow`: a run of MLflow for every run, in a file on this machine or on a server."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from autoenc.extras import imported
from autoenc.settings import ConfigError
from autoenc.trackers.background import FedFromAThread
from autoenc.trackers.tracker import TrackedRun, Tracker

SQLITE = "sqlite:///"

FILE_PATIENCE, SERVER_PATIENCE = 60.0, 10.0
"""Seconds of silence that are borne at the end of a run. The tables of a new file take their time on a busy machine,
where other jobs wait for them too. What fails is no silence: a server has five seconds to answer.
"""

_KEY = "tracker.tracking_uri"


@dataclass(frozen=True, kw_only=True)
class MlflowSettings:
    """Where the runs are kept, and under which name they are listed together."""

    tracking_uri: str
    experiment: str

    def __post_init__(self) -> None:
        address = _parts(self.tracking_uri)
        file = self.tracking_uri.removeprefix(SQLITE)
        is_file = self.tracking_uri.startswith(SQLITE) and file not in {"", ":memory:"} and "%" not in file
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
        imported("autoenc.trackers.mlflow_runs", extra="mlflow", key="tracker")

    def build(self, run: TrackedRun) -> Tracker:
        """See `TrackerSettings`."""
        from autoenc.trackers.mlflow_runs import MlflowRun

        recorder = MlflowRun(run, tracking_uri=self.tracking_uri, experiment=self.experiment)
        patience = FILE_PATIENCE if self.tracking_uri.startswith(SQLITE) else SERVER_PATIENCE
        return FedFromAThread(
            recorder, name=f"mlflow at {self.tracking_uri}", directory=run.directory, patience=patience
        )


def _parts(address: str) -> SplitResult:
    """The parts of an address that is in order and has no secret. What is wrong is said without the address, which may
    have one.
    """
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        raise ConfigError(_KEY, "this is no address: its host or port cannot be read") from None
    if parts.username is not None or parts.password is not None:
        problem = "no password may stand here, where it would be written into each run's folder; set"
        raise ConfigError(_KEY, f"{problem} MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD")
    if set(address) & set("?#"):
        raise ConfigError(_KEY, "an address here has no part after ? or #, where secrets are often written")
    return parts


_ENVIRONMENT = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
"""Instead of two minutes, seven times over: what fails is tried again here, see `background`. MLflow has no other place
for them; whoever has set them keeps them."""


def with_absolute_file(uri: str) -> str:
    """The address with the whole path of its file, if it is one.

    Raises:
        ConfigError: it is in the home folder of nobody.
    """
    file = uri.removeprefix(SQLITE)
    if not uri.startswith(SQLITE) or file in {"", ":memory:"}:
        return uri
    try:
        return f"{SQLITE}{Path(file).expanduser().absolute()}"
    except RuntimeError as error:
        raise ConfigError(_KEY, str(error), value=uri) from None
