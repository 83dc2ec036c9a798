"""A trial of a search, and its outcome: read from its run's folder, without the test split."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from autoenc.comparison.ranking import measurement_protocol
from autoenc.runs import RunDirectory, RunRecord
from autoenc.settings import ConfigError

SPLIT = "validation"

TrialState = Literal["running", "finished", "diverged", "failed"]
"""`running`: proposed, and not known to have ended. `diverged`: the loss was no longer finite, so the settings are bad.
`failed`: it ended for another reason, which may say nothing about the settings."""

Direction = Literal["minimize", "maximize"]


class Outcome(NamedTuple):
    """How a trial ended."""

    state: Literal["finished", "diverged", "failed"]
    value: float | None
    """The objective; None unless it finished."""
    reason: str | None
    """Why it did not finish."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One of a study."""

    number: int
    """In the study, from 0. It stays the same when the trial is run again."""
    params: Mapping[str, Any]
    """By key of the search space; choices are texts."""
    state: TrialState
    value: float | None = None
    reason: str | None = None
    folder: str | None = None
    """Its run's, below the sweep's; None while it is running, or if there is none."""


class Measured(NamedTuple):
    """An outcome, and how its value was measured."""

    outcome: Outcome
    how: Mapping[str, Any]
    """What two values must have in common to be comparable, by name; empty without a value."""


def best_of(trials: Sequence[Trial], *, direction: Direction) -> Trial | None:
    """The first trial with the best objective; None if none has finished."""
    found = [(trial.value, trial) for trial in trials if trial.value is not None]
    better = max if direction == "maximize" else min
    return better(found, key=lambda pair: pair[0])[1] if found else None


def measured(folder: Path, *, metric: str) -> Measured | None:
    """How the run in a folder ended; None if it is running, or was interrupted and can continue."""
    run = RunDirectory(folder)
    status = run.status()
    if status.get("state") == "failed":
        return Measured(_failure(status.get("error")), {})
    if status.get("state") != "finished":
        return None
    try:
        return _finished(run, metric=metric)
    except ConfigError as error:
        return Measured(Outcome("failed", None, str(error)), {})


def _failure(error: object) -> Outcome:
    kind, message = (error.get("kind"), error.get("message")) if isinstance(error, Mapping) else (None, None)
    reason = ": ".join(str(part) for part in (kind, message) if part) or "its folder does not say why"
    return Outcome("diverged" if kind == "not_finite" else "failed", None, reason)


def _finished(run: RunDirectory, *, metric: str) -> Measured:
    # The other splits are removed before anything can read them.
    summary = {key: value for key, value in run.summary().items() if key not in {"test", "train"}}
    record = RunRecord(
        path=run.path, name=run.path.name, label=run.path.name, state="finished", config=run.config(), summary=summary
    )
    name = f"{SPLIT}.{metric}"
    value = record.metrics.get(name)
    if value is None:
        return Measured(Outcome("failed", None, f"its summary has no {name}"), {})
    if not math.isfinite(value):
        return Measured(Outcome("diverged", None, f"its {name} is {value}"), {})
    how: dict[str, Any] = json.loads(json.dumps(measurement_protocol(record, name), default=str))
    return Measured(Outcome("finished", float(value), None), how)
