"""The search space: from Hydra's sweep syntax to Optuna's distributions, and back to a job's command line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep, Transformer
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from autoenc.settings import ConfigError


class SearchSpace(NamedTuple):
    """The settings that a search varies, and those that it does not."""

    distributions: dict[str, BaseDistribution]
    """By key as on the command line, with a leading `+` if there is one. Choices are the texts after the `=`, so that
    lists, groups and quoted texts come out as they went in."""
    fixed: dict[str, str]
    """The overrides of every job, by key."""

    def command(self, params: Mapping[str, Any]) -> tuple[str, ...]:
        """The overrides of a job with these values."""
        return (*self.fixed.values(), *(f"{key}={_written(params[key])}" for key in self.distributions))

    def examples(self) -> list[tuple[str, ...]]:
        """Jobs at the edges: each key at both ends, or at all choices, with the other keys at their first value.

        A key or an end of a range that is invalid makes one of these jobs invalid.
        """
        ends = {key: _ends(distribution) for key, distribution in self.distributions.items()}
        first = {key: values[0] for key, values in ends.items()}
        others = [{**first, key: value} for key, values in ends.items() for value in values[1:]]
        return [self.command(params) for params in [first, *others]]

    def described(self) -> dict[str, str]:
        """The distributions in Hydra's syntax, by key."""
        return {key: described(distribution) for key, distribution in self.distributions.items()}


def search_space(overrides: Sequence[Override]) -> SearchSpace:
    """Build the space from overrides. The last override of a key counts.

    Raises:
        ConfigError: an override cannot be searched, or none varies.
    """
    distributions: dict[str, BaseDistribution] = {}
    fixed: dict[str, str] = {}
    for override in overrides:
        for key in [key for key in (*distributions, *fixed) if _bare(key) == _bare(override.get_key_element())]:
            distributions.pop(key, None)
            fixed.pop(key, None)
        _place(override, distributions=distributions, fixed=fixed)
    if not distributions:
        problem = "there is nothing to search: set keys to interval(...), range(...) or choice(...)"
        raise ConfigError("hydra.sweeper.params", problem)
    return SearchSpace(distributions, fixed)


def described(distribution: BaseDistribution) -> str:
    """A distribution in Hydra's syntax."""
    if isinstance(distribution, CategoricalDistribution):
        return f"choice({', '.join(str(choice) for choice in distribution.choices)})"
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    low, high = _written(distribution.low), _written(distribution.high)
    text = f"interval({low}, {high})"
    if distribution.step not in {None, 1}:
        text = f"{text} in steps of {_written(distribution.step)}"
    if isinstance(distribution, IntDistribution):
        text = f"int({text})"
    return f"tag(log, {text})" if distribution.log else text


def _place(override: Override, *, distributions: dict[str, BaseDistribution], fixed: dict[str, str]) -> None:
    key = override.get_key_element()
    if not override.is_sweep_override():
        fixed[key] = override.input_line or f"{key}={override.get_value_element_as_str()}"
        return
    try:
        distribution = _distribution(override)
    except ValueError as error:
        raise ConfigError(_bare(key), str(error), value=override.get_value_string()) from None
    if distribution.single():
        fixed[key] = f"{key}={_written(_ends(distribution)[0])}"
    else:
        distributions[key] = distribution


def _bare(key: str) -> str:
    return key.lstrip("+~")


def _distribution(override: Override) -> BaseDistribution:
    value = override.value()
    tags = value.tags if isinstance(value, (ChoiceSweep, IntervalSweep, RangeSweep)) else set()
    for unknown in sorted(tags - {"log"}):
        raise ValueError(f"there is no tag '{unknown}'; the only one is log")
    if isinstance(value, IntervalSweep):
        return _interval(value, log="log" in tags)
    if isinstance(value, RangeSweep):
        return _range(value, log="log" in tags)
    if tags:
        raise ValueError("choices have no order, so they cannot have the tag 'log'")
    if isinstance(value, ChoiceSweep):  # its iterator may shuffle, and another order would be another space
        texts = [Transformer.str(choice) for choice in value.list]
    else:  # a glob of a group's choices
        texts = list(override.sweep_string_iterator())
    if not texts:
        raise ValueError("it matches no choice")
    return CategoricalDistribution(sorted(set(texts)))


def _interval(interval: IntervalSweep, *, log: bool) -> BaseDistribution:
    """Both ends included, as in Optuna; `int(interval(...))` gives whole numbers."""
    low, high = interval.start, interval.end
    assert low is not None
    assert high is not None
    _check_ends(low, high, log=log)
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(float(low), float(high), log=log)


def _range(given: RangeSweep, *, log: bool) -> BaseDistribution:
    """Without its end, as in Python and in Hydra's own sweeps."""
    start, stop, step = (Decimal(str(number)) for number in (given.start, given.stop, given.step))
    if step == 0 or not all(number.is_finite() for number in (start, stop, step)):
        raise ValueError("a range needs finite numbers and a step that is not 0")
    count = math.ceil((stop - start) / step)
    if count < 1:
        raise ValueError("there is no number in this range")
    low, high = sorted((start, start + (count - 1) * step))
    step = abs(step)
    _check_ends(float(low), float(high), log=log)
    whole = low == int(low) and step == int(step) and isinstance(given.range(), range)
    if log and not (whole and step == 1):
        raise ValueError("with the tag 'log' a range needs whole numbers in steps of 1; or use an interval")
    if whole:
        return IntDistribution(int(low), int(high), step=int(step), log=log)
    return FloatDistribution(float(low), float(high), step=float(step))


def _check_ends(low: float, high: float, *, log: bool) -> None:
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("its ends must be finite numbers")
    if low > high:
        raise ValueError("it ends before it begins")
    if log and low <= 0:
        raise ValueError("on a logarithmic scale (tag 'log') it must begin above 0")


def _ends(distribution: BaseDistribution) -> list[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    return [distribution.low, distribution.high]


def _written(value: Any) -> str:
    """A value as Hydra reads it back, exactly."""
    return repr(value) if isinstance(value, float) else str(value)
