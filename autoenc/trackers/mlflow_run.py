"""A run of MLflow, written through its client; epochs by the client's own asynchronous logging."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from pathlib import Path

import filelock
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from autoenc.runs import State
from autoenc.trackers.choices import sqlite_file
from autoenc.trackers.tracker import Ending, Epoch, TrackedRun

VALUE_LENGTH = 5000
"""Characters of a value: about as many as MLflow takes."""
LOCK_SECONDS = 60.0
"""How long to wait while another process makes the tables of the same file."""

_STATUS: dict[State, str] = {"finished": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}

_KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Makes MLflow list numbers, and not the traces of a language model."""

for _library in ("mlflow", "alembic", "urllib3.connectionpool"):
    logging.getLogger(_library).setLevel(logging.CRITICAL)  # `Tracker` logs what goes wrong, once


class MlflowRun:
    """A `Backend`. `tracker.json` keeps the id of its run, so that a resumed run continues there."""

    def __init__(self, run: TrackedRun, *, tracking_uri: str, experiment: str) -> None:
        self._run = run
        self._tracking_uri = tracking_uri
        self._file = sqlite_file(tracking_uri)
        self._experiment = experiment
        self._sent: list[Future[None]] = []
        """What may not have arrived yet."""

    def begin(self, epochs: Sequence[Epoch]) -> None:
        """See `Backend`. Epochs that MLflow has already stay as they are.

        So do settings: MLflow keeps the first value. The value of a setting that a resumed run has changed, such as
        `training.epochs`, is the tag `changed.training.epochs`.
        """
        with _tables_locked(self._file):
            self._client = MlflowClient(tracking_uri=self._tracking_uri, registry_uri=self._tracking_uri)
            run = self._resumed() or self._created()
        self._run_id = run.info.run_id
        self._recorded = run.data.metrics
        """The last value of each number by the time that this process began."""
        units = ((name, unit, run.data.tags.get(f"unit.{_name(name)}")) for name, unit in self._run.units.items())
        self._quantities = {name for name, unit, recorded in units if recorded == unit}
        """Those whose units MLflow has."""
        settings = {_name(key): str(value)[:VALUE_LENGTH] for key, value in self._run.settings().items()}
        params = [Param(key, value) for key, value in settings.items() if key not in run.data.params]
        changed = {key: value for key, value in settings.items() if run.data.params.get(key, value) != value}
        tags = {"folder": str(self._run.directory.path), **{f"changed.{key}": value for key, value in changed.items()}}
        self._client.log_batch(self._run_id, params=params, tags=[RunTag(*tag) for tag in tags.items()])
        metrics = [metric for epoch in epochs for metric in _of_epoch(epoch)]
        steps = {key: self._recorded_steps(key) for key in {metric.key for metric in metrics}}
        self._send([metric for metric in metrics if metric.step not in steps[metric.key]])

    def epoch(self, epoch: Epoch) -> None:
        """See `Backend`."""
        self._send(_of_epoch(epoch))
        arrived = [future for future in self._sent if future.done()]
        self._sent = [future for future in self._sent if future not in arrived]
        for future in arrived:
            future.result()  # raises what went wrong

    def finish(self, ending: Ending) -> None:
        """See `Backend`."""
        scores = _metrics(ending.scores, step=ending.epochs, seconds=ending.time)
        # Of two values of a step, MLflow shows the later one.
        again = _metrics(ending.scores, step=ending.epochs, seconds=ending.scored)
        known = self._recorded
        self._send([metric for metric in scores if metric.key not in known])
        self._send([metric for metric in again if known.get(metric.key, metric.value) != metric.value])
        for future in self._sent:
            future.result()
        if ending.error is not None:
            self._client.set_tag(self._run_id, "error", ending.error[:VALUE_LENGTH])
        self._client.set_terminated(self._run_id, _STATUS[ending.state], end_time=_milliseconds(ending.time))
        if ending.state == "finished":
            for path in self._run.directory.pictures(".png", ".svg", ".pdf"):
                self._client.log_artifact(self._run_id, str(path), "figures")

    def _recorded_steps(self, key: str) -> set[int]:
        history = self._client.get_metric_history(self._run_id, key) if key in self._recorded else []
        return {metric.step for metric in history}

    def _resumed(self) -> Run | None:
        """The run that `tracker.json` names, if it is one of this tracker's: a folder may come from a stranger."""
        run_id = str(self._run.directory.tracker(tracking_uri=self._tracking_uri).get("run_id"))
        if not re.fullmatch("[0-9a-f]{32}", run_id):
            return None
        try:
            run = self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        if run.info.lifecycle_stage != "active":
            return None
        self._client.update_run(run_id, status="RUNNING")
        if "error" in run.data.tags:
            self._client.delete_tag(run_id, "error")
        return run

    def _created(self) -> Run:
        started = _milliseconds(self._run.started)
        run = self._client.create_run(self._experiment_id(), start_time=started, run_name=self._run.name)
        kept = {"tracker": "mlflow", "tracking_uri": self._tracking_uri, "run_id": run.info.run_id}
        self._run.directory.write_tracker(kept)
        return run

    def _experiment_id(self) -> str:
        if found := self._client.get_experiment_by_name(self._experiment):
            return found.experiment_id
        try:
            # Next to the file; a server has its own place.
            pictures = None if self._file is None else self._file.with_name("mlflow-artifacts").as_uri()
            return self._client.create_experiment(self._experiment, artifact_location=pictures, tags=_KIND)
        except MlflowException:
            found = self._client.get_experiment_by_name(self._experiment)  # another process may have been faster
            if found is None:
                raise
            return found.experiment_id

    def _send(self, metrics: Sequence[Metric]) -> None:
        found = {quantity for metric in metrics if (quantity := self._run.quantity(metric.key))}
        tags = [] if found <= self._quantities else self._units_of(found | self._quantities)
        self._quantities |= found
        sent = self._client.log_batch(self._run_id, metrics=metrics, tags=tags, synchronous=False)
        # The only way to see a failure without waiting for all that was sent.
        self._sent += [] if sent is None else sent._operation_futures

    def _units_of(self, quantities: set[str]) -> list[RunTag]:
        """The units as tags, and as the text that MLflow shows on the run's page."""
        units = {name: unit for name, unit in self._run.units.items() if name in quantities}
        note = self._run.note(quantities)
        tags = {f"unit.{_name(name)}": unit for name, unit in units.items()}
        return [RunTag(name, text) for name, text in {"mlflow.note.content": note[:VALUE_LENGTH], **tags}.items()]


def _tables_locked(path: Path | None) -> AbstractContextManager[object]:
    """Keep other processes out of a file while its tables may have to be made: two that make them at once fail."""
    if path is None:
        return contextlib.nullcontext()
    path.parent.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_SECONDS)


def _of_epoch(epoch: Epoch) -> list[Metric]:
    return _metrics(epoch.values, step=epoch.number, seconds=epoch.time)


def _metrics(values: Mapping[str, float], *, step: int, seconds: float) -> list[Metric]:
    return [Metric(_name(name), value, _milliseconds(seconds), step) for name, value in values.items()]


def _name(name: str) -> str:
    return re.sub(r"[^\w./ :-]", "_", name, flags=re.ASCII)


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
