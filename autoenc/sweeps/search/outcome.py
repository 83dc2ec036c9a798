"""How a trial ended, as its run's folder tells. The test split is not looked at."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from autoenc.comparison.ranking import measurement_protocol
from autoenc.runs import RunDirectory, RunRecord
from autoenc.settings import ConfigError
from autoenc.sweeps.search.trial import Outcome

SPLIT = "validation"


class Measured(NamedTuple):
    """An outcome, and what its value is a value of."""

    outcome: Outcome
    how: Mapping[str, Any]
    """By name, what has to be the same for two values to be of the same thing; empty where there is no value."""


def measured(folder: Path, *, metric: str) -> Measured | None:
    """How the run in a folder ended; None where it has not: it is running, or was interrupted and can go on."""
    run = RunDirectory(folder)
    status = run.status()
    if status.get("state") == "failed":
        return Measured(_failed(status.get("error")), {})
    if status.get("state") != "finished":
        return None
    try:
        return _value(run, metric=metric)
    except ConfigError as error:
        return Measured(Outcome("failed", None, str(error)), {})


def _failed(error: object) -> Outcome:
    kind, message = (error.get("kind"), error.get("message")) if isinstance(error, Mapping) else (None, None)
    reason = ": ".join(str(part) for part in (kind, message) if part) or "its folder does not say why"
    return Outcome("diverged" if kind == "not_finite" else "failed", None, reason)


def _value(run: RunDirectory, *, metric: str) -> Measured:
    summary = run.summary()
    # The others are taken out before anybody can look at them.
    kept = {key: value for key, value in summary.items() if key not in {"test", "train"}}
    record = RunRecord(
        path=run.path, name=run.path.name, label=run.path.name, state="finished", config=run.config(), summary=kept
    )
    name = f"{SPLIT}.{metric}"
    value = record.metrics.get(name)
    if value is None:
        return Measured(Outcome("failed", None, f"its summary has no {name}"), {})
    if not math.isfinite(value):
        return Measured(Outcome("diverged", None, f"its {name} is {value}"), {})
    how: dict[str, Any] = json.loads(json.dumps(measurement_protocol(record, name), default=str))
    return Measured(Outcome("finished", float(value), None), how)
