"""`hydra/sweeper=optuna`: its settings, checked before anything is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hydra.core.override_parser.types import Override

from autoenc.evaluation.metrics import find_metric, metric_names
from autoenc.extras import imported
from autoenc.runs import SPLITS
from autoenc.settings import ConfigError, PositiveInt, listed, nearest
from autoenc.sweeps.identity import identity
from autoenc.sweeps.plan import Rerun
from autoenc.sweeps.search.samplers import SAMPLERS, SamplerSettings
from autoenc.sweeps.search.trial import Direction

if TYPE_CHECKING:
    from autoenc.sweeps.search.search import Search
    from autoenc.sweeps.search.space import SearchSpace


@dataclass(frozen=True, kw_only=True)
class OptunaSearch:
    """A search; the names are those of Hydra's plugin for Optuna, but for `metric`.

    `sampler` is given as YAML has it: its `name` and its fields.
    """

    knows_all_jobs: ClassVar[bool] = False

    sampler: Mapping[str, Any]
    n_trials: PositiveInt
    """In all, those of earlier commands with the same study included."""
    metric: str
    """Of the validation split, as `summary.json` has it."""
    direction: Direction | None
    """None: the better one for the metric."""
    study_name: str | None
    """None: the name of the sweep's folder."""
    storage: str | None
    """The address of a database, as sqlite:///studies.db; None: a file in the sweep's folder."""
    params: Mapping[str, Any] | None

    def __post_init__(self) -> None:
        self._sampler()

    def examples(self, overrides: Sequence[Override]) -> list[tuple[str, ...]]:
        """What jobs on the edges of the search override: where each of these can be run, so can what it proposes.

        Raises:
            ConfigError: what is to be searched makes no sense, or decides on what the objective is.
        """
        space = self._space(overrides)
        self._check_comparable(space)
        return space.examples()

    def check(self, values: Mapping[str, Any]) -> None:
        """Refuse an objective that a run of this resolved config does not have.

        Raises:
            ConfigError: it is so.
        """
        self._check_metric()
        dataset = values.get("dataset")
        if isinstance(dataset, Mapping) and dataset.get("validation_fraction") == 0:
            problem = "a search chooses by the validation split, and without one it has nothing to choose by"
            raise ConfigError("dataset.validation_fraction", problem, value=0)

    def build_source(
        self, overrides: Sequence[Override], *, folder: Path, values: Mapping[str, Any], rerun: Rerun
    ) -> Search:
        """The search in a sweep's folder, which is there and locked.

        Args:
            overrides: all that the sweep's config and the command line override, parsed.
            folder: of the sweep, absolute.
            values: the resolved config of the first of the `examples`.
            rerun: which trials of an earlier command are run again.

        Raises:
            ConfigError: the study in the folder is of another search, or cannot be used.
        """
        from autoenc.sweeps.search.search import Search
        from autoenc.sweeps.search.study import Terms, open_study

        space = self._space(overrides)
        settings = _settled(values, space=space)
        terms = Terms(self.metric, self._direction(), space.described(), settings)
        study = open_study(folder, storage=self.storage, name=self.study_name, terms=terms, space=space.distributions)
        return Search(
            study=study,
            space=space,
            sampler=self._sampler(),
            metric=self.metric,
            n_trials=self.n_trials,
            rerun=rerun,
            folder=folder,
        )

    def _sampler(self) -> SamplerSettings:
        return SAMPLERS.parse(self.sampler)

    def _direction(self) -> Direction:
        if self.direction is not None:
            return self.direction
        metric = find_metric(self.metric)
        return "maximize" if metric is not None and metric.better == "higher" else "minimize"

    def _space(self, overrides: Sequence[Override]) -> SearchSpace:
        imported("optuna", extra="optuna", key="hydra/sweeper")
        from autoenc.sweeps.search.space import search_space

        return search_space(overrides)

    def _check_metric(self) -> None:
        key = "hydra.sweeper.metric"
        words = self.metric.replace("/", ".").split(".")
        if words[0] in SPLITS and len(words) > 1:
            problem = (
                "a search goes by the validation split, and never by the test split: name the metric alone, as mse"
            )
            raise ConfigError(key, problem, value=self.metric)
        known = metric_names(split="validation")
        if self.metric not in known and self.metric in metric_names(split="test"):
            problem = "it is measured on the test split alone, by which nothing may be chosen"
            raise ConfigError(key, problem, value=self.metric)
        if self.metric not in known:
            problem = f"there is no such metric{nearest(self.metric, known)}; there are {listed(known)}"
            raise ConfigError(key, problem, value=self.metric)

    def _check_comparable(self, space: SearchSpace) -> None:
        """Refuse to search what decides on the meaning of the objective: the least loss would be the easiest."""
        metric = find_metric(self.metric)
        groups = {"dataset"} | {key.partition(".")[0] for key in (metric.depends_on if metric else ())}
        if metric is None or metric.input == "noisy":
            groups.add("noise")
        if self.metric == "loss":
            groups |= {"loss", "bottleneck"}
        for key in space.distributions:
            if key.lstrip("+").partition(".")[0] in groups:
                changing = key.lstrip("+")
                problem = (
                    f"what it measures changes with {changing}, so that the best value need not be the best model's"
                )
                hint = "" if changing.startswith("dataset") else _CAN_CHOOSE
                raise ConfigError("hydra.sweeper.metric", problem + hint, value=self.metric)


_CAN_CHOOSE = "; hydra.sweeper.metric=mse measures the same for all: the error on clean images"


def _settled(values: Mapping[str, Any], *, space: SearchSpace) -> dict[str, Any]:
    """What the trials of a search have in common, by dotted key: those settings that a job is known by.

    Below a group that varies, what the command line sets: the rest there is another one for every choice.
    """
    whole = identity(values, swept=())
    varied = [key.lstrip("+") for key in space.distributions]
    return {
        **{key: text for key, text in space.fixed.items() if _is_under(key.lstrip("+~"), varied)},
        **{
            ".".join(path): value
            for path, value in _leaves(values)
            if not _is_under(".".join(path), varied) and identity(_without(values, path), swept=()) != whole
        },
    }


def _is_under(key: str, others: Sequence[str]) -> bool:
    return any(key == other or key.startswith(f"{other}.") for other in others)


def _leaves(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*path, str(key)))
        else:
            yield (*path, str(key)), value


def _without(values: Mapping[str, Any], path: Sequence[str]) -> dict[str, Any]:
    first, *rest = path
    if rest:
        return {**values, first: _without(values[first], rest)}
    return {key: value for key, value in values.items() if key != first}
