"""A trial of a search, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

TrialState = Literal["running", "finished", "diverged", "failed"]
"""`running`: proposed, and not known to have ended. `diverged`: its loss was no longer finite, which says something of
its settings; `failed`: it ended for another reason, which may say nothing of them.
"""

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
    """By key as in the search space; choices are texts."""
    state: TrialState
    value: float | None = None
    reason: str | None = None
    folder: str | None = None
    """Of its run, below the sweep's; None while it is running, and where there is none."""


def best_of(trials: list[Trial], *, direction: Direction) -> Trial | None:
    """The first of those with the best objective; None where none has finished."""
    found = [(trial.value, trial) for trial in trials if trial.value is not None]
    if not found:
        return None
    better = max if direction == "maximize" else min
    return better(found, key=lambda pair: pair[0])[1]
