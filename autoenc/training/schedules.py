"""Schedules: the learning rate of each step, as a factor of `optimizer.learning_rate`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from autoenc.registry import Choice, Registry
from autoenc.settings import NonNegativeInt, PositiveFloat, Probability, ProperFraction


class Schedule(Protocol):
    """A factor for every step of a training."""

    @property
    def name(self) -> str:
        """Its name in the config."""
        ...

    def factor(self, step: int, *, total_steps: int) -> float:
        """The factor of the learning rate at `step`, which counts from 0 to `total_steps` - 1."""
        ...


@dataclass(frozen=True, kw_only=True)
class Constant(Choice):
    """`schedule=constant`: always 1."""

    def factor(self, step: int, *, total_steps: int) -> float:  # noqa: ARG002
        """1."""
        return 1.0


@dataclass(frozen=True, kw_only=True)
class Cosine(Choice):
    """`schedule=cosine`: a linear warm-up over `warmup_steps`, then half a cosine down to `final_factor`.

    Loshchilov and Hutter 2017, SGDR, equation 5, for one period. The last step has exactly `final_factor`.
    """

    warmup_steps: NonNegativeInt
    final_factor: Probability

    def factor(self, step: int, *, total_steps: int) -> float:
        """From 1 / `warmup_steps` over 1 to `final_factor`."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        return _annealed(1.0, self.final_factor, share=_share(step, first=self.warmup_steps, last=total_steps - 1))


@dataclass(frozen=True, kw_only=True)
class OneCycle(Choice):
    """`schedule=one_cycle`: half a cosine up from 1 / `initial_division`, then half a cosine down.

    Smith and Topin 2018, Super-Convergence, with cosines instead of straight lines and constant momentum.
    `optimizer.learning_rate` is the peak, reached after a share `rise` of the steps. The last step has
    1 / (`initial_division` * `final_division`).
    """

    rise: ProperFraction
    initial_division: PositiveFloat
    final_division: PositiveFloat

    def factor(self, step: int, *, total_steps: int) -> float:
        """Up to 1 at the peak."""
        peak = self.rise * (total_steps - 1)
        start = 1 / self.initial_division
        if step < peak:
            return _annealed(start, 1.0, share=step / peak)
        return _annealed(1.0, start / self.final_division, share=_share(step, first=peak, last=total_steps - 1))


def _share(step: int, *, first: float, last: float) -> float:
    """The share of the way from `first` to `last` at `step`; 1 if both are the same."""
    return (step - first) / (last - first) if last > first else 1.0


def _annealed(start: float, end: float, *, share: float) -> float:
    """Half a cosine from `start` (at share 0) to `end` (at share 1)."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


SCHEDULES: Registry[Schedule] = Registry(
    "schedule",
    {
        "constant": Constant,
        "cosine": Cosine,
        "one_cycle": OneCycle,
    },
)
