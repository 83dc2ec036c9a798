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
from typing import Any

from autoenc.config import ExperimentConfig
from autoenc.experiment.preparation import Prepared
from autoenc.experiment.why_worse import still_improving
from autoenc.runs import SWEEP_FILE, RunDirectory, RunRecord, moment
from autoenc.settings import ConfigError, checked
from autoenc.training.checkpoints import stored_values
from autoenc.training.training_settings import TrainingSettings

log = logging.getLogger(__name__)

LENGTH = ("epochs", "patience")
"""The settings of `training` that say how long a run trains."""


def check_change(run: RunDirectory, config: ExperimentConfig) -> None:
    """Refuse a config that is the run's, but for `LENGTH`, and would not continue the training that the run has had.

    Raises:
        ConfigError: the run has trained for longer, it would end at once, or it would have been trained otherwise.
    """
    before, after = checked(TrainingSettings, run.config()["training"], key="training"), config.training
    finished = run.state == "finished"
    if before == after and not finished:
        return
    if (run.path.resolve().parent / SWEEP_FILE).is_file():
        problem = "this is a job of a sweep, which knows its jobs by their settings"
        advice = "repeat the sweep with other training settings, or copy this folder out of it and resume the copy"
        raise ConfigError("resume", f"{problem}; {advice}", value=str(run.path))
    position = stored_values(run.checkpoints)
    if finished and not position:
        problem = "it has no whole checkpoint to go on from; rerun= trains again from the start"
        raise ConfigError("resume", problem, value=str(run.path))
    epoch, step, steps_per_epoch = (position.get(name, 0) for name in ("epoch", "step", "steps_per_epoch"))
    last = _last_epoch(after, run.metrics(epoch))
    if last is not None and (finished or step > last * steps_per_epoch):
        raise _past_the_end(after, last, trained=step / steps_per_epoch)
    lengths = (before.epochs * steps_per_epoch, after.epochs * steps_per_epoch)
    for past in range(step):
        factors = {config.schedule.factor(past, total_steps=total_steps) for total_steps in lengths}
        severities = {settings.severity(past / steps_per_epoch) for settings in (before, after)}
        if len(factors) > 1 or len(severities) > 1:
            raise _another_past(config, of_noise=len(factors) == 1)


def record_changes(run: RunDirectory, prepared: Prepared) -> Prepared:
    """Record in a run's folder, which is locked by now, what `resume=` changes: how long it trains, and its images.

    Nothing changes if the config is the recorded one.
    """
    recorded, values = run.config(), prepared.config.values
    changed = {**recorded, "dataset": values["dataset"], "training": values["training"]}
    if changed["training"] != recorded["training"]:
        lengths = ({name: config["training"][name] for name in LENGTH} for config in (recorded, changed))
        run.record_training_change(*lengths, epochs=stored_values(run.checkpoints).get("epoch", 0))
        log.info("%s", change_sentences(run.status())[-1])
    if changed != recorded:
        run.rewrite_config(changed)
    return prepared


def change_sentences(status: Mapping[str, Any]) -> list[str]:
    """When a run got another length, and whether its test scores were known by then; from its `status.json`."""
    changes = [_sentence(change) for change in status.get("training_changes") or []]
    return [sentence for sentence in changes if sentence]


def more_epochs(record: RunRecord, config: ExperimentConfig) -> int | None:
    """Twice the epochs of a finished run whose loss was still falling at the end; None if it cannot train longer."""
    if still_improving(record):
        training = dataclasses.replace(config.training, epochs=2 * config.training.epochs)
        with contextlib.suppress(ConfigError):
            check_change(RunDirectory(record.path), dataclasses.replace(config, training=training))
            return training.epochs
    return None


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
        problem = f"the validation loss had not improved for so many epochs after epoch {last}, where training ends then"
        advice = "set training.patience=null or to a larger number"
        return ConfigError("training.patience", f"{problem}; {advice}", value=settings.patience)
    begun = math.ceil(trained)
    has = f"has already trained {begun} epoch{'s'[: begun != 1]}" if begun == trained else f"is in epoch {begun} already"
    advice = "give a larger number, or start a new run by rerun="
    return ConfigError("training.epochs", f"this run {has}; {advice}", value=settings.epochs)


def _another_past(config: ExperimentConfig, *, of_noise: bool) -> ConfigError:
    if of_noise:
        why = "training.severity_epochs=null changes the noise's strength over all epochs, and it would have been another"
    else:
        why = f"schedule={config.schedule.name} depends on the number of all steps, and the rates would have been others"
    advice = "train again from the start by rerun=, or start a new run from the weights by initialize_from="
    return ConfigError("training.epochs", f"{why} so far; {advice}", value=config.training.epochs)


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
        return f"{start} The test split had not been scored."
    known = f"The test split had been scored by then; {change['results']}/ has these scores and pictures."
    return f"{start} {known} If they were the reason to go on, the test scores are optimistic."


def _text(value: object) -> str:
    return "null" if value is None else str(value)
