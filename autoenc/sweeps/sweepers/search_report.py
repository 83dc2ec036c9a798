"""The report of a search: `search.json`, a line for the log, and a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import optuna
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from autoenc.evaluation.metrics import find_metric
from autoenc.runs import RunDirectory, RunRecord, write_atomically
from autoenc.settings import ConfigError
from autoenc.sweeps.sweepers.sampling import frozen
from autoenc.sweeps.sweepers.study import Study
from autoenc.sweeps.sweepers.trial import SPLIT, Trial, best_of

FILE, PICTURE = "search.json", "search.png"

FEWEST = 10
"""Finished trials that the importance of settings needs; with fewer it would be chance."""


class SearchReport(NamedTuple):
    """The result of a search."""

    best: Trial | None
    """None if no trial has finished."""
    line: str
    """The same in words, for the log."""
    picture: Path | None
    """None if no trial has finished."""


def write_report(study: Study, *, folder: Path, metric: str) -> SearchReport:
    """Write `search.json` and, if a trial has finished, `search.png` into the sweep's folder.

    Raises:
        OSError: they cannot be written.
    """
    trials = study.trials()
    best = best_of(trials, direction=study.direction)
    importances = _importances(study, trials)
    values = {
        "metric": f"{SPLIT}.{metric}",
        "unit": "" if best is None else _unit(folder, best, metric=metric),
        "direction": study.direction,
        "best": None if best is None else best.number,
        "importances": importances,
        "trials": [_as_values(trial) for trial in trials],
    }
    write_atomically(folder / FILE, json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n")
    if best is None:
        return SearchReport(None, f"None of {len(trials)} trials has finished.", None)
    label = f"{SPLIT} {metric}" + (f": {values['unit']}" if values["unit"] else "")
    known = find_metric(f"{SPLIT}.{metric}")
    scale = known.scale if known else "log"
    picture = _draw(study, trials, importances=importances, label=label, scale=scale, path=folder / PICTURE)
    settings = " ".join(f"{key}={value}" for key, value in best.params.items())
    finished = sum(trial.state == "finished" for trial in trials)
    of = f"{finished} trials" if finished == len(trials) else f"{finished} finished trials of {len(trials)}"
    value = f"a {SPLIT} {metric} of {best.value:.4g}"
    line = f"The best of {of} is {best.number}, with {value}: {settings} (in {best.folder})."
    return SearchReport(best, line, picture)


def _as_values(trial: Trial) -> dict[str, object]:
    return {
        "number": trial.number,
        "state": trial.state,
        "value": trial.value,
        "reason": trial.reason,
        "folder": trial.folder,
        "params": {key.lstrip("+"): _plain(value) for key, value in trial.params.items()},
    }


def _plain(value: object) -> object:
    """The value of a choice, which is the text of a command line; a number as it is."""
    if not isinstance(value, str):
        return value
    return OverridesParser.create().parse_override(f"key={value}").value()


def _unit(folder: Path, best: Trial, *, metric: str) -> str:
    """The unit of the objective, from the best run."""
    path = folder / (best.folder or "")
    try:
        summary = RunDirectory(path).summary()
    except ConfigError:
        return ""
    record = RunRecord(path=path, name=path.name, label=path.name, state="finished", summary=summary)
    return record.unit(f"{SPLIT}.{metric}").partition(",")[0]


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
    study: Study, trials: list[Trial], *, importances: dict[str, float] | None, label: str, scale: str, path: Path
) -> Path:
    from autoenc.pictures.search_history import Objective, Setting, Tried, draw_search

    ended = [trial for trial in trials if trial.state != "running"]
    settings = [
        Setting(
            name=key.lstrip("+"),
            values=[trial.params[key] for trial in ended],
            logarithmic=isinstance(distribution, (FloatDistribution, IntDistribution)) and distribution.log,
            choices=_in_order(distribution) if isinstance(distribution, CategoricalDistribution) else None,
            importance=(importances or {}).get(key.lstrip("+")),
        )
        for key, distribution in study.space.items()
    ]
    draw_search(
        [Tried(trial.number, trial.state, trial.value) for trial in ended if trial.state != "running"],
        settings,
        Objective(label, higher_is_better=study.direction == "maximize", scale=scale),
        title=f"{path.parent.name}: a search of {len(ended)} trials",
        path=path,
    )
    return path


def _in_order(distribution: CategoricalDistribution) -> list[str]:
    """The choices; numbers by size."""
    choices = [str(choice) for choice in distribution.choices]
    try:
        return sorted(choices, key=float)
    except ValueError:
        return choices
