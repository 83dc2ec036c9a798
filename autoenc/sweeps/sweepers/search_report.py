"""The report of a search: `search.json`, a line for the log, and a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from autoenc.comparison.labels import metric_label
from autoenc.evaluation.metrics import find_metric
from autoenc.runs import RunDirectory, read_sweep, write_atomically
from autoenc.settings import ConfigError
from autoenc.sweeps.sweepers.sampling import frozen
from autoenc.sweeps.sweepers.study import Study
from autoenc.sweeps.sweepers.trial import SPLIT, Trial, best_of

if TYPE_CHECKING:
    from autoenc.pictures.search_history import Setting

FILE, PICTURE = "search.json", "search.png"

FEWEST = 10
"""Finished trials that the importance of settings needs; with fewer it would be chance."""


def write_report(study: Study, *, folder: Path, metric: str) -> list[str]:
    """Write `search.json` and, if a trial has finished, `search.png`; returns lines for the log.

    Raises:
        OSError: they cannot be written.
    """
    trials = study.trials()
    best = best_of(trials, direction=study.direction)
    importances = _importances(study, trials)
    unit = "" if best is None else _unit(folder / str(best.folder), metric=metric)
    values: dict[str, object] = {"metric": f"{SPLIT}.{metric}", "unit": unit, "direction": study.direction}
    values |= {"best": None if best is None else best.number, "importances": importances}
    _write_json(folder / FILE, values, trials)
    diverged = sum(trial.state == "diverged" for trial in trials)
    lines = [f"{diverged} of {len(trials)} trials diverged. They count as worse than the others."] if diverged else []
    if best is None:
        return [f"None of {len(trials)} trials has finished.", *lines[: diverged < len(trials)]]
    _draw(study, trials, importances=importances or {}, metric=metric, unit=unit, path=folder / PICTURE)
    return [_in_words(best, trials, metric=metric), *lines, f"How the search went: {PICTURE} in its folder"]


def _write_json(path: Path, values: Mapping[str, object], trials: list[Trial]) -> None:
    listed = [{**asdict(trial), "params": _plain(trial.params)} for trial in trials]
    values = {**values, "trials": listed}
    write_atomically(path, json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def _in_words(best: Trial, trials: list[Trial], *, metric: str) -> str:
    settings = " ".join(f"{key}={value}" for key, value in best.params.items())
    finished = sum(trial.state == "finished" for trial in trials)
    of = f"{finished} trials" if finished == len(trials) else f"{finished} finished trials of {len(trials)}"
    value = f"a {SPLIT} {metric} of {best.value:.4g}"
    return f"The best of {of} is {best.number}, with {value}: {settings} (in {best.folder})."


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """The values by key: those of choices, which are texts of a command line, as Hydra reads them."""
    parse = OverridesParser.create().parse_override
    return {
        key.lstrip("+"): parse(f"key={value}").value() if isinstance(value, str) else value
        for key, value in params.items()
    }


def _unit(folder: Path, *, metric: str) -> str:
    try:
        unit: str = RunDirectory(folder).summary().get("units", {}).get(metric, "")
    except ConfigError:
        return ""
    return unit


def _importances(study: Study, trials: list[Trial]) -> dict[str, float] | None:
    """How much each setting mattered, from 0 to 1, by key; None with too few trials.

    Functional ANOVA of a random forest: the share of the objective's variance that each setting explains alone (F.
    Hutter, H. Hoos, K. Leyton-Brown, An Efficient Approach for Assessing Hyperparameter Importance, ICML 2014).
    """
    finished = [trial for trial in trials if trial.state == "finished"]
    if len(finished) < FEWEST or len(study.space) < 2 or len({trial.value for trial in finished}) < 2:
        return None
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    scratch = optuna.create_study(direction=study.direction)
    scratch.add_trials([frozen(trial, space=study.space) for trial in finished])
    found = get_param_importances(scratch, evaluator=FanovaImportanceEvaluator(seed=0))
    return {key.lstrip("+"): float(found[key]) for key in study.space if key in found}


def _draw(
    study: Study, trials: list[Trial], *, importances: Mapping[str, float], metric: str, unit: str, path: Path
) -> None:
    from autoenc.pictures.search_history import Objective, Tried, draw_search

    known = find_metric(f"{SPLIT}.{metric}")
    ended = [trial for trial in trials if trial.state != "running"]
    draw_search(
        [Tried(trial.number, trial.state, trial.value) for trial in trials if trial.state != "running"],
        _settings(study, ended, importances=importances),
        Objective(
            f"{SPLIT} {metric_label(metric, unit=unit)}",
            higher_is_better=study.direction == "maximize",
            scale=known.scale if known else "log",
        ),
        title=_title(path.parent, count=len(ended)),
        path=path,
    )


def _title(folder: Path, *, count: int) -> str:
    """`A search for the learning rate, MNIST: 24 trials`; without a title of the comparison, the folder's name."""
    try:
        title = read_sweep(folder).comparison.get("title")
    except ConfigError:
        title = None
    return f"{title}: {count} trials" if title else f"{folder.name}: a search of {count} trials"


def _settings(study: Study, ended: list[Trial], *, importances: Mapping[str, float]) -> list[Setting]:
    from autoenc.pictures.search_history import Setting

    return [
        Setting(
            name=key.lstrip("+"),
            values=[trial.params[key] for trial in ended],
            logarithmic=isinstance(distribution, (FloatDistribution, IntDistribution)) and distribution.log,
            choices=_in_order(distribution) if isinstance(distribution, CategoricalDistribution) else None,
            importance=importances.get(key.lstrip("+")),
        )
        for key, distribution in study.space.items()
    ]


def _in_order(distribution: CategoricalDistribution) -> list[str]:
    """The choices; numbers by size."""
    choices = [str(choice) for choice in distribution.choices]
    try:
        return sorted(choices, key=float)
    except ValueError:
        return choices
