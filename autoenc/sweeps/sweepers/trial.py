"""A trial of a search, and its outcome: read from its run's folder, without the test split."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from autoenc.comparison.comparability import measurement_protocol
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
    value: float | None = None
    """The objective; None unless it finished."""
    reason: str | None = None
    """Why it did not finish."""
    protocol: Mapping[str, Any] = {}
    """How the value was measured: what it must have in common with another to be comparable, by name."""


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


def best_of(trials: Sequence[Trial], *, direction: Direction) -> Trial | None:
    """The first trial with the best objective; None if none has finished."""
    sign = -1 if direction == "maximize" else 1
    found = [trial for trial in trials if trial.value is not None]
    return min(found, key=lambda trial: sign * (trial.value or 0.0), default=None)


def outcome(folder: Path, *, metric: str) -> Outcome | None:
    """How the run in a folder ended; None if it is running, or was interrupted and can continue."""
    run = RunDirectory(folder)
    status = run.status()
    if status.get("state") == "failed":
        error = status.get("error") or {}
        reason = ": ".join(filter(None, (error.get("kind"), error.get("message")))) or "its folder does not say why"
        return Outcome("diverged" if run.diverged else "failed", reason=reason)
    if status.get("state") != "finished":
        return None
    try:
        return _finished(run, metric=metric)
    except ConfigError as error:
        return Outcome("failed", reason=str(error))


def _finished(run: RunDirectory, *, metric: str) -> Outcome:
    # The other splits are removed before anything can read them.
    summary = {key: value for key, value in run.summary().items() if key not in {"test", "train"}}
    record = RunRecord(
        path=run.path, name=run.path.name, label=run.path.name, state="finished", config=run.config(), summary=summary
    )
    name = f"{SPLIT}.{metric}"
    value = record.metrics.get(name)
    if value is None:
        return Outcome("failed", reason=f"its summary has no {name}")
    if not math.isfinite(value):
        return Outcome("diverged", reason=f"its {name} is {value}")
    return Outcome("finished", value, protocol=json.loads(json.dumps(measurement_protocol(record, name), default=str)))
