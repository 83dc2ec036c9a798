"""`hydra/sweeper=optuna`: the settings of a search, checked before anything is made. Optuna is imported only for it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hydra.core.override_parser.types import Override

from autoenc.evaluation.metrics import SPLITS, current_key, find_metric, metric_names
from autoenc.extras import imported
from autoenc.registry import Choice, Registry
from autoenc.settings import ConfigError, NonNegativeInt, PositiveInt, flattened, listed, nearest
from autoenc.sweeps.job_identity import is_ignored
from autoenc.sweeps.plan import Rerun
from autoenc.sweeps.sweepers.trial import SPLIT, Direction

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from autoenc.sweeps.sweepers.search import Search
    from autoenc.sweeps.sweepers.search_space import SearchSpace


@dataclass(frozen=True, kw_only=True)
class SamplerSettings(Choice):
    """A choice of `hydra/sweeper/sampler`: how a search chooses what to try."""

    seed: NonNegativeInt

    @abstractmethod
    def random_trials(self, *, n_trials: int) -> int:
        """How many trials, from the first, are drawn at random, and so need no results of others."""

    @abstractmethod
    def build(self, *, seed: int, number: int) -> BaseSampler:
        """Build Optuna's sampler for one trial, with a seed for it alone."""


@dataclass(frozen=True, kw_only=True)
class Tpe(SamplerSettings):
    """Tree-structured Parzen estimator (J. Bergstra et al., Algorithms for Hyper-Parameter Optimization, 2011).

    Multivariate, because settings such as learning rate and batch size depend on each other. A running trial counts as
    a bad one (the constant liar), so that several at once get different proposals.

    Optuna draws at random until `n_startup_trials` have ended, which with several at once makes more random trials than
    that. Here, further trials learn as soon as half of them have ended.
    """

    n_startup_trials: NonNegativeInt
    """Trials drawn at random before it begins to learn from them."""

    def random_trials(self, *, n_trials: int) -> int:
        """See `SamplerSettings`."""
        return min(self.n_startup_trials, n_trials)

    def build(self, *, seed: int, number: int) -> BaseSampler:
        """See `SamplerSettings`."""
        from optuna.samplers import TPESampler

        needed = self.n_startup_trials if number < self.n_startup_trials else self.n_startup_trials // 2
        return TPESampler(seed=seed, n_startup_trials=needed, multivariate=True, constant_liar=True)


@dataclass(frozen=True, kw_only=True)
class Random(SamplerSettings):
    """Random search, the baseline of the others (J. Bergstra, Y. Bengio, Random Search, 2012)."""

    def random_trials(self, *, n_trials: int) -> int:
        """See `SamplerSettings`."""
        return n_trials

    def build(self, *, seed: int, number: int) -> BaseSampler:  # noqa: ARG002
        """See `SamplerSettings`."""
        from optuna.samplers import RandomSampler

        return RandomSampler(seed=seed)


SAMPLERS: Registry[SamplerSettings] = Registry("hydra.sweeper.sampler", {"tpe": Tpe, "random": Random})
"""Without CMA-ES: Optuna pickles its state into the study, and a sweep's folder may come from a stranger."""


@dataclass(frozen=True, kw_only=True)
class OptunaSearch(Choice):
    """A search; the names are those of Hydra's plugin for Optuna, except for `metric`."""

    knows_all_jobs: ClassVar[bool] = False

    sampler: Mapping[str, Any]
    """As in YAML: its `name` and its fields."""
    n_trials: PositiveInt
    """In all, those of earlier commands with the same study included."""
    metric: str
    """Of the validation split, as in `summary.json`."""
    direction: Direction | None
    """None: the better one for the metric."""
    study_name: str | None
    """None: the name of the sweep's folder."""
    storage: str | None
    """The address of a database, as sqlite:///studies.db; None: a file in the sweep's folder."""
    params: Mapping[str, Any] | None

    def __post_init__(self) -> None:
        SAMPLERS.parse(self.sampler)
        object.__setattr__(self, "metric", current_key(self.metric))

    def examples(self, overrides: Sequence[Override]) -> list[tuple[str, ...]]:
        """Jobs at the edges of the search space: if all of them can be run, so can what lies between.

        Raises:
            ConfigError: a space is invalid, or changes the meaning of the objective.
        """
        space = self._space(overrides)
        self._check_comparable(space)
        return space.examples()

    def check(self, values: Mapping[str, Any]) -> None:
        """Refuse a run of this resolved config if it does not have the objective.

        Raises:
            ConfigError: it does not.
        """
        self._check_metric()
        if values["dataset"].get("validation_fraction") == 0:
            problem = "a search chooses by the validation split, so it needs one"
            raise ConfigError("dataset.validation_fraction", problem, value=0)

    def build_source(
        self, overrides: Sequence[Override], *, folder: Path, values: Mapping[str, Any], rerun: Rerun, slots: int | None
    ) -> Search:
        """See `SweeperSettings`."""
        from autoenc.sweeps.sweepers.search import Search
        from autoenc.sweeps.sweepers.study import Terms, open_study

        space = self._space(overrides)
        terms = Terms(self.metric, self._direction(), space.described(), _common_settings(values, space=space))
        study = open_study(folder, storage=self.storage, name=self.study_name, terms=terms, space=space.distributions)
        sampler = SAMPLERS.parse(self.sampler)
        return Search(settings=self, study=study, space=space, sampler=sampler, rerun=rerun, folder=folder, slots=slots)

    def _direction(self) -> Direction:
        metric = find_metric(f"{SPLIT}.{self.metric}")
        better: Direction = "maximize" if metric is not None and metric.better == "higher" else "minimize"
        return self.direction or better

    def _space(self, overrides: Sequence[Override]) -> SearchSpace:
        imported("optuna", extra="optuna", key="hydra/sweeper")
        from autoenc.sweeps.sweepers.search_space import search_space

        return search_space(overrides)

    def _check_metric(self) -> None:
        key = "hydra.sweeper.metric"
        words = self.metric.replace("/", ".").split(".")
        if words[0] in SPLITS and len(words) > 1:
            problem = "a search uses the validation split, never the test split: name the metric alone, as mse"
            raise ConfigError(key, problem, value=self.metric)
        known = metric_names(split=SPLIT)
        if self.metric not in known:
            problem = f"there is no such metric{nearest(self.metric, known)}; the metrics are {listed(known)}"
            if self.metric in metric_names(split="test"):
                problem = "it is measured only on the test split, by which nothing may be chosen"
            raise ConfigError(key, problem, value=self.metric)
        metric = find_metric(self.metric)
        if self.direction is None and metric is not None and metric.better is None:
            raise ConfigError(key, "neither direction of it is better; set hydra.sweeper.direction", value=self.metric)

    def _check_comparable(self, space: SearchSpace) -> None:
        """Refuse to vary what changes the meaning of the objective: the best value would belong to the easiest task."""
        metric = find_metric(f"{SPLIT}.{self.metric}")
        if metric is None:
            return  # `check` refuses it
        groups = {"dataset", *(key.partition(".")[0] for key in metric.depends_on if key != "loss")}
        groups |= {"noise"} if metric.input == "noisy" else set()
        groups |= {"loss", "bottleneck"} if self.metric == "loss" else set()
        for key in space.distributions:
            changing = key.lstrip("+")
            # Settings of a likelihood change its values, but not what it is a likelihood of.
            if changing.partition(".")[0] in groups or changing in metric.depends_on:
                problem = f"its meaning changes with {changing}, so the best value need not be the best model's"
                if not changing.startswith("dataset"):
                    problem += "; hydra.sweeper.metric=mse measures the same for all: the error on clean images"
                    if not any(key.lstrip("+").startswith("noise") for key in space.distributions):
                        problem += ". Of denoisers, so does denoising_mse: from the noisy input to the clean image"
                raise ConfigError("hydra.sweeper.metric", problem, value=self.metric)


def _common_settings(values: Mapping[str, Any], *, space: SearchSpace) -> dict[str, Any]:
    """The settings that all trials have in common and that are part of a job's identity, by dotted key.

    Of a group that varies, only what the command line sets: its other settings differ between the choices.
    """
    varied = [key.lstrip("+") for key in space.distributions]
    kept = {
        key: value for key, value in flattened(values).items() if not is_ignored(key) and not _is_under(key, varied)
    }
    return {**{key: text for key, text in space.fixed.items() if _is_under(key.lstrip("+~"), varied)}, **kept}


def _is_under(key: str, others: Sequence[str]) -> bool:
    return any(key == other or key.startswith(f"{other}.") for other in others)
