"""What to try next, decided from the trials so far and nothing else.

Optuna's sampler is given the trials in a study of its own, in memory, anew each time: so the same seed, number and
trials lead to the same proposal, in whichever process; nothing half decided is ever in the study on the disk; and a
trial that was run again counts once, as what it came to at last.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from autoenc.seeds import derived_seed
from autoenc.sweeps.search.samplers import SamplerSettings
from autoenc.sweeps.search.trial import Direction, Trial

ATTEMPTS = 10
"""How often the sampler is asked for something that has not been tried, before it is drawn at random."""
DRAWS = 2000
"""How often it is drawn at random before the space counts as exhausted."""
DIGITS = 4
"""Significant digits of a proposed number: a learning rate of 0.001234 reads better than one of 0.0012341876509."""


def suggest(
    trials: Sequence[Trial],
    *,
    space: Mapping[str, BaseDistribution],
    direction: Direction,
    sampler: SamplerSettings,
    number: int,
) -> dict[str, Any] | None:
    """The settings of trial `number`, by key, unlike those of any trial so far; None where there are no others."""
    tried = {_as_key(trial.params, space=space) for trial in trials}
    history = [frozen(trial, space=space) for trial in trials]
    for attempt in range(ATTEMPTS):
        seed = derived_seed(sampler.seed, f"trial {number}, attempt {attempt}") % 2**32
        study = optuna.create_study(direction=direction, sampler=sampler.build(seed=seed))
        study.add_trials(history)
        params = _asked(study, space=space)
        if _as_key(params, space=space) not in tried:
            return params
    seed = derived_seed(sampler.seed, f"trial {number}, at random") % 2**32
    study = optuna.create_study(direction=direction, sampler=RandomSampler(seed=seed))
    for _ in range(DRAWS):
        params = _asked(study, space=space)
        if _as_key(params, space=space) not in tried:
            return params
    return None


def frozen(trial: Trial, *, space: Mapping[str, BaseDistribution]) -> FrozenTrial:
    """The trial as Optuna has it.

    One that diverged counts as pruned, which samplers take for worse than every one that finished: so they learn to
    keep away from there, while they leave out what failed.
    """
    return create_trial(
        state=_STATES[trial.state], value=trial.value, params=dict(trial.params), distributions=dict(space)
    )


_STATES = {
    "running": TrialState.RUNNING,
    "finished": TrialState.COMPLETE,
    "diverged": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


def _asked(study: optuna.Study, *, space: Mapping[str, BaseDistribution]) -> dict[str, Any]:
    drawn = study.ask(dict(space)).params
    return {key: _rounded(drawn[key], distribution) for key, distribution in space.items()}


def _rounded(value: Any, distribution: BaseDistribution) -> Any:
    if not isinstance(distribution, FloatDistribution):
        return value
    low, high = distribution.low, distribution.high
    if distribution.step is not None:  # one of the range's own numbers, without what floats add: 0.30000000000000004
        rounded = float(f"{value:.12g}")
    elif distribution.log and high >= 10 * low:
        rounded = float(f"{value:.{DIGITS}g}")
    else:  # as fine as the interval is narrow
        rounded = round(value, DIGITS - 1 - math.floor(math.log10(high - low)))
    return rounded if low <= rounded <= high else value


def _as_key(params: Mapping[str, Any], *, space: Mapping[str, BaseDistribution]) -> tuple[Any, ...]:
    return tuple(params[key] for key in space)
