"""Runs of MLflow, written through its client."""

from __future__ import annotations

import contextlib
import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import filelock
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from autoenc.runs import State
from autoenc.trackers.background import Epoch
from autoenc.trackers.mlflow import SQLITE
from autoenc.trackers.tracker import Ending, TrackedRun, numbers

MOST_LETTERS = 5000
"""About as many as MLflow takes for a value."""
RUN_ID = "[0-9a-f]{32}"
"""What MLflow's numbers of runs look like."""
LOCK_SECONDS = 60.0
"""How long to wait for the other processes that write to the same file."""

_STATUS: dict[State, str] = {"finished": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}

_KIND = {"mlflow.experimentKind": "custom_model_development"}
"""So that MLflow lists numbers and not the doings of a language model."""

for _library in ("mlflow", "alembic"):
    logging.getLogger(_library).setLevel(logging.CRITICAL)  # what goes wrong is said once, by `background`


class _Opened(NamedTuple):
    """A run of MLflow that can be written to."""

    client: MlflowClient
    run_id: str


class MlflowRun:
    """A `Recorder`. Its run's number is kept in `tracker.json`, so that a run that is taken up again goes on there."""

    def __init__(self, run: TrackedRun, *, tracking_uri: str, experiment: str) -> None:
        self._run = run
        self._tracking_uri = tracking_uri
        self._experiment = experiment
        self._started = _milliseconds(time.time())
        self._opened: _Opened | None = None
        self._last_epoch = 0
        self._quantities: set[str] = set()
        """Those whose units MLflow has been told."""

    def begin(self, epochs: Sequence[Epoch]) -> None:
        """Of these epochs, those are written that are not there yet, as when the server was away."""
        with self._open() as (client, run_id):
            there = client.get_metric_history(run_id, "learning_rate")  # which every epoch has
            self._last_epoch = max((metric.step for metric in there), default=0)
            self._log_epochs(epochs)

    def write(self, epochs: Sequence[Epoch]) -> None:
        """The epochs' numbers, but for epochs that are there: they stay as they were first written."""
        with self._open():
            self._log_epochs(epochs)

    def end(self, ending: Ending) -> None:
        """The scores and the state."""
        with self._open() as (client, run_id):
            self._log_metrics(_metrics(ending.scores, step=ending.epochs, seconds=ending.time))
            if ending.error is not None:
                client.set_tag(run_id, "error", ending.error[:MOST_LETTERS])
            client.set_terminated(run_id, _STATUS[ending.state], end_time=_milliseconds(ending.time))

    def picture(self, path: Path, *, epoch: int) -> None:  # noqa: ARG002 - they belong to the run as a whole
        """An artifact."""
        with self._open() as (client, run_id):
            client.log_artifact(run_id, str(path), "figures")

    def close(self) -> None:
        """There is nothing to close: MLflow keeps its connections for the next run."""

    @contextlib.contextmanager
    def _open(self) -> Iterator[_Opened]:
        """The run, for as long as this process alone writes to the file, if it is one."""
        with _alone(self._tracking_uri):
            if self._opened is None:
                self._opened = self._take_up()
            yield self._opened

    def _take_up(self) -> _Opened:
        """The run that `tracker.json` names, or a new one."""
        client = MlflowClient(tracking_uri=self._tracking_uri, registry_uri=self._tracking_uri)
        run = self._earlier(client)
        if run is None:
            experiment_id = self._experiment_id(client)
            run = client.create_run(experiment_id, start_time=self._started, run_name=self._run.name)
            number = {"tracker": "mlflow", "tracking_uri": self._tracking_uri, "run_id": run.info.run_id}
            self._run.directory.write_tracker(number)
        else:
            client.update_run(run.info.run_id, status="RUNNING")
            if "error" in run.data.tags:
                client.delete_tag(run.info.run_id, "error")
        self._describe(client, run)
        return _Opened(client, run.info.run_id)

    def _earlier(self, client: MlflowClient) -> Run | None:
        """The run that `tracker.json` names. A folder may be anybody's: it never says where to look, only for what."""
        kept = self._run.directory.tracker()
        if kept.get("tracker") != "mlflow" or kept.get("tracking_uri") != self._tracking_uri:
            return None
        run_id = str(kept.get("run_id"))
        if not re.fullmatch(RUN_ID, run_id):
            return None
        try:
            run = client.get_run(run_id)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        return run if run.info.lifecycle_stage == "active" else None

    def _experiment_id(self, client: MlflowClient) -> str:
        found = client.get_experiment_by_name(self._experiment)
        if found is None:
            with contextlib.suppress(MlflowException):  # another process was faster; whatever else it is, comes again
                location = _pictures(self._tracking_uri)
                return client.create_experiment(self._experiment, artifact_location=location, tags=_KIND)
            found = client.get_experiment_by_name(self._experiment)
        if found is None:
            raise ValueError(f"there is no experiment '{self._experiment}', and it cannot be made")
        return found.experiment_id

    def _describe(self, client: MlflowClient, run: Run) -> None:
        """The settings, and where the folder is."""
        settings = {_name(key): str(value)[:MOST_LETTERS] for key, value in self._run.settings().items()}
        params = [Param(key, text) for key, text in settings.items() if key not in run.data.params]
        client.log_batch(run.info.run_id, params=params)
        client.set_tag(run.info.run_id, "folder", str(self._run.directory.path))

    def _log_epochs(self, epochs: Sequence[Epoch]) -> None:
        new = [epoch for epoch in epochs if epoch.row["epoch"] > self._last_epoch]
        each = [_metrics(numbers(row), step=row["epoch"], seconds=seconds) for row, seconds in new]
        self._log_metrics([metric for metrics in each for metric in metrics])
        self._last_epoch = max([self._last_epoch, *(epoch.row["epoch"] for epoch in new)])

    def _log_metrics(self, metrics: Sequence[Metric]) -> None:
        assert self._opened is not None
        client, run_id = self._opened
        client.log_batch(run_id, metrics=metrics)
        found = {quantity for metric in metrics if (quantity := self._run.quantity(metric.key))}
        if found - self._quantities:
            client.log_batch(run_id, tags=self._units_of(found | self._quantities))
            self._quantities |= found

    def _units_of(self, quantities: set[str]) -> list[RunTag]:
        """The units as tags, and in the words that MLflow shows on the run's page."""
        units = {name: unit for name, unit in self._run.units.items() if name in quantities}
        table = "\n".join(f"| `{name}` | {unit} |" for name, unit in units.items())
        note = f"{self._run.title}\n\n`{self._run.directory.path}`\n\n| number | unit |\n| --- | --- |\n{table}"
        tags = {f"unit.{_name(name)}": unit for name, unit in units.items()}
        return [RunTag(name, text) for name, text in {"mlflow.note.content": note[:MOST_LETTERS], **tags}.items()]


@contextlib.contextmanager
def _alone(tracking_uri: str) -> Iterator[None]:
    """Keep the other jobs of a sweep from a file while this one writes. SQLite refuses some writers at once, and two
    that make the tables at once stumble over each other.
    """
    if not tracking_uri.startswith(SQLITE):
        yield
        return
    path = Path(tracking_uri.removeprefix(SQLITE))
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_SECONDS):
        yield


def _pictures(tracking_uri: str) -> str | None:
    """Where the pictures of an experiment go: beside the file; a server knows where."""
    if not tracking_uri.startswith(SQLITE):
        return None
    return Path(tracking_uri.removeprefix(SQLITE)).with_name("mlflow-artifacts").as_uri()


def _metrics(values: Mapping[str, float], *, step: int, seconds: float) -> list[Metric]:
    return [Metric(_name(name), value, _milliseconds(seconds), step) for name, value in values.items()]


def _name(name: str) -> str:
    """What MLflow allows of a name."""
    return re.sub(r"[^\w./ :-]", "_", name, flags=re.ASCII)


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
