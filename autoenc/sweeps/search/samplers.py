"""How a search chooses what to try: `hydra/sweeper/sampler=`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from autoenc.registry import Registry
from autoenc.settings import NonNegativeInt

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class SamplerSettings(Protocol):
    """What an entry of the table of samplers offers."""

    @property
    def seed(self) -> int: ...  # noqa: D102

    def build(self, *, seed: int) -> BaseSampler:
        """A sampler for one trial, with a seed for it alone."""
        ...


@dataclass(frozen=True, kw_only=True)
class Tpe:
    """Tree-structured Parzen estimator (J. Bergstra et al., Algorithms for Hyper-Parameter Optimization, 2011).

    Multivariate, because settings such as learning rate and batch size depend on each other. A trial that is running
    counts as a bad one (the constant liar), so that several at once are not proposed the same.
    """

    seed: NonNegativeInt
    n_startup_trials: NonNegativeInt
    """How many are drawn at random before it begins to learn from them."""

    def build(self, *, seed: int) -> BaseSampler:
        """Optuna's."""
        from optuna.samplers import TPESampler

        return TPESampler(seed=seed, n_startup_trials=self.n_startup_trials, multivariate=True, constant_liar=True)


@dataclass(frozen=True, kw_only=True)
class Random:
    """At random, whatever the earlier trials came to (J. Bergstra, Y. Bengio, Random Search, 2012)."""

    seed: NonNegativeInt

    def build(self, *, seed: int) -> BaseSampler:
        """Optuna's."""
        from optuna.samplers import RandomSampler

        return RandomSampler(seed=seed)


SAMPLERS: Registry[SamplerSettings] = Registry("hydra.sweeper.sampler", {"tpe": Tpe, "random": Random})
"""CMA-ES is not among them: Optuna keeps its state pickled in the study, and a sweep's folder may come from others."""
