"""A run that trains for another number of epochs than it began with: `resume=RUN training.epochs=200`.

It is allowed where it gives the run that would have had this number from the start. Then the weights, the scores and
the history are those of one uninterrupted training.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from autoenc.config import ExperimentConfig
from autoenc.experiment.preparation import Prepared
from autoenc.experiment.why_worse import still_improving
from autoenc.runs import SWEEP_FILE, RunDirectory, RunRecord, moment
from autoenc.settings import ConfigError, checked
from autoenc.training.checkpoints import load_last
from autoenc.training.training_settings import TrainingSettings

log = logging.getLogger(__name__)

LENGTH = ("epochs", "patience")
"""The settings of `training` that say how long a run trains."""


def check_change(run: RunDirectory, config: ExperimentConfig) -> int:
    """Refuse a config that is the run's, but for `LENGTH`, and would not continue the training that the run has had.

    Returns:
        the number of epochs that the run has finished; 0 if nothing changes.

    Raises:
        ConfigError: the run has trained for longer, it would end at once, or it would have been trained otherwise.
        CheckpointError: all its checkpoints are damaged.
    """
    before, finished = checked(TrainingSettings, run.config()["training"], key="training"), run.state == "finished"
    if before == config.training and not finished:
        return 0
    if _is_job(run.path):
        problem = "this is a job of a sweep, which knows its jobs by their settings"
        advice = "repeat the sweep with other training settings, or copy this folder out of it and resume the copy"
        raise ConfigError("resume", f"{problem}; {advice}", value=str(run.path))
    checkpoint = load_last(run.checkpoints)
    if finished and checkpoint is None:
        problem = "it has no checkpoint to go on from; rerun= trains again from the start"
        raise ConfigError("resume", problem, value=str(run.path))
    position = {} if checkpoint is None else checkpoint.values
    epoch, step, steps_per_epoch = (position.get(name, 0) for name in ("epoch", "step", "steps_per_epoch"))
    trained = _Trained(before, run.metrics(epoch), step, steps_per_epoch)
    _check_past(config, trained, may_end=not finished)
    return int(epoch)


def record_changes(run: RunDirectory, prepared: Prepared, *, finished_epochs: int) -> Prepared:
    """Record in a run's folder, which is locked by now, what `resume=` changes: how long it trains, and its images.

    Nothing changes if the config is the recorded one.
    """
    recorded, values = run.config(), prepared.config.values
    changed = {**recorded, "dataset": values["dataset"], "training": values["training"]}
    if changed["training"] != recorded["training"]:
        before, after = ({name: config["training"][name] for name in LENGTH} for config in (recorded, changed))
        run.record_training_change(before, after, epochs=finished_epochs)
        log.info("%s", change_sentences(run.status())[-1])
    if changed != recorded:
        run.rewrite_config(changed)
    return prepared


def change_sentences(status: Mapping[str, Any]) -> list[str]:
    """When a run got another length, and whether its test scores were known by then; from its `status.json`."""
    changes = [_sentence(change) for change in status.get("training_changes") or []]
    return [sentence for sentence in changes if sentence]


def more_epochs(record: RunRecord, config: ExperimentConfig, *, steps_per_epoch: int) -> int | None:
    """Twice the epochs of a finished run whose loss was still falling at the end; None if it cannot train longer."""
    if not still_improving(record) or _is_job(record.path):
        return None
    longer = dataclasses.replace(config.training, epochs=2 * config.training.epochs)
    trained = _Trained(config.training, record.history, len(record.history) * steps_per_epoch, steps_per_epoch)
    with contextlib.suppress(ConfigError):
        _check_past(dataclasses.replace(config, training=longer), trained, may_end=False)
        return longer.epochs
    return None


def _is_job(run: Path) -> bool:
    return (run.resolve().parent / SWEEP_FILE).is_file()


class _Trained(NamedTuple):
    """The training that a run has had."""

    settings: TrainingSettings
    rows: Sequence[Mapping[str, Any]]
    """Of `metrics.jsonl`, one for each finished epoch."""
    steps: int
    steps_per_epoch: int


def _check_past(config: ExperimentConfig, trained: _Trained, *, may_end: bool) -> None:
    """Compare a training with the one that `config` gives: up to now they are the same, and `config` does not end it.

    With `may_end`, it may end here. Rates and strengths are compared step by step: of a schedule, only itself knows
    what it depends on.
    """
    settings, steps_per_epoch = config.training, trained.steps_per_epoch
    last = _last_epoch(settings, trained.rows)
    if last is not None and (not may_end or trained.steps > last * steps_per_epoch):
        raise _past_the_end(settings, last, trained=trained.steps / steps_per_epoch)
    totals = [each.epochs * steps_per_epoch for each in (trained.settings, settings)]
    for step in range(trained.steps):
        if len({config.schedule.factor(step, total_steps=total) for total in totals}) > 1:
            why = f"schedule={config.schedule.name} depends on the number of all steps"
            raise _another_past(f"{why}, and the rates would have been others", settings)
        if len({each.severity(step / steps_per_epoch) for each in (trained.settings, settings)}) > 1:
            why = "training.severity_epochs=null changes the noise's strength over all epochs"
            raise _another_past(f"{why}, and it would have been another", settings)


def _last_epoch(settings: TrainingSettings, rows: Sequence[Mapping[str, Any]]) -> int | None:
    """The epoch after which the settings end the training with this history; None if it goes on."""
    best, best_epoch = math.inf, None
    for epoch, row in enumerate(rows, start=1):
        objective = row.get("validation/loss")
        if objective is not None and objective < best:
            best, best_epoch = objective, epoch
        if settings.ends_after(epoch, best_epoch=best_epoch):
            return epoch
    return None


def _past_the_end(settings: TrainingSettings, last: int, *, trained: float) -> ConfigError:
    if last < settings.epochs:
        problem = f"this patience ends training after epoch {last}: the validation loss had not improved for so long"
        advice = "set training.patience=null, or a larger number"
        return ConfigError("training.patience", f"{problem}; {advice}", value=settings.patience)
    begun = math.ceil(trained)
    epochs = f"{begun} epoch{'' if begun == 1 else 's'}"
    has = f"has already trained {epochs}" if begun == trained else f"is in epoch {begun} already"
    advice = "give a larger number, or start a new run by rerun="
    return ConfigError("training.epochs", f"this run {has}; {advice}", value=settings.epochs)


def _another_past(why: str, settings: TrainingSettings) -> ConfigError:
    advice = "train again from the start by rerun=, or start a new run from the weights by initialize_from="
    return ConfigError("training.epochs", f"{why} so far; {advice}", value=settings.epochs)


def _sentence(change: Mapping[str, Any]) -> str | None:
    """None if an entry is missing: the folder may come from a stranger."""
    at, before, after = moment(change.get("at")), change.get("before") or {}, change.get("after") or {}
    pairs = {name: (before.get(name), after.get(name)) for name in LENGTH}
    words = [f"training.{name} from {_text(old)} to {_text(new)}" for name, (old, new) in pairs.items() if old != new]
    epochs = change.get("finished_epochs")
    if at is None or epochs is None or not words:
        return None
    start = f"After {epochs} epoch{'' if epochs == 1 else 's'}, resume= changed {' and '.join(words)} ({at:%Y-%m-%d})."
    if change.get("results") is None:
        return start
    known = f"The test split had been scored by then; {change['results']}/ has these scores and pictures."
    return f"{start} {known} If they were the reason to go on, the test scores are optimistic."


def _text(value: object) -> str:
    return "null" if value is None else str(value)
