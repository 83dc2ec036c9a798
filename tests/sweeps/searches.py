"""Searches whose trials train nothing: what a run would come to is a formula of its settings."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from autoenc.runs import RunDirectory
from autoenc.sweeps.plan import Proposal, Rerun
from autoenc.sweeps.sweepers import SWEEPERS
from autoenc.sweeps.sweepers.optuna_search import OptunaSearch
from autoenc.sweeps.sweepers.search import Search
from autoenc.sweeps.sweepers.trial import Trial

RATE = "optimizer.learning_rate=tag(log, interval(1e-4, 1e-1))"
BATCH = "training.batch_size=32,64,128"
UNIT = "mean squared error per pixel"
CONFIG: dict[str, Any] = {
    "optimizer": {"name": "adam", "learning_rate": 1e-3},
    "training": {"epochs": 3, "batch_size": 64},
    "dataset": {"name": "digits", "validation_fraction": 0.1, "limit": None},
    "noise": {"name": "none"},
    "device": {"name": "cpu", "precision": "float32"},
    "data_dir": "/data",
}

Objective = Callable[[Mapping[str, str]], float]


def settings(**changes: Any) -> OptunaSearch:
    """The settings of a search, as `conf/hydra/sweeper/optuna.yaml` has them but for the changes."""
    values: dict[str, Any] = {
        "name": "optuna",
        "sampler": {"name": "tpe", "seed": 0, "n_startup_trials": 5},
        "n_trials": 12,
        "metric": "loss",
        "direction": None,
        "study_name": None,
        "storage": None,
        "params": None,
    }
    found = SWEEPERS.parse({**values, **changes})
    assert isinstance(found, OptunaSearch)
    return found


def begin(
    folder: Path,
    *,
    overrides: Sequence[str] = (RATE, BATCH),
    rerun: Rerun = "failed",
    config: Mapping[str, Any] = CONFIG,
    slots: int | None = None,
    **changes: Any,
) -> Search:
    """A search in a folder, new or taken up again."""
    folder.mkdir(parents=True, exist_ok=True)
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return settings(**changes).build_source(parsed, folder=folder, values=config, rerun=rerun, slots=slots)


def valley(given: Mapping[str, str]) -> float:
    """Least at a learning rate of 3e-3 and the smallest batch."""
    rate, batch = float(given["optimizer.learning_rate"]), int(given.get("training.batch_size", 32))
    return 0.02 + 0.01 * (math.log10(rate) + 2.5) ** 2 + 1e-5 * batch


def given(proposal: Proposal) -> dict[str, str]:
    """By key, what a proposal's command line says."""
    return {key: value for key, _, value in (text.partition("=") for text in proposal.overrides)}


def take(search: Search) -> Proposal:
    """The next proposal, which there has to be."""
    proposal = search.propose()
    assert proposal is not None
    return proposal


def folder_of(sweep: Path, proposal: Proposal) -> Path:
    """The folder of a proposal's run, which the command line alone decides on, as in a sweep."""
    name = "-".join(proposal.overrides).replace("=", "_").replace("/", "_")
    return sweep / name


def run(sweep: Path, proposal: Proposal) -> RunDirectory:
    """The folder of a proposal's run, begun if it is not there."""
    folder = folder_of(sweep, proposal)
    if not (folder / "config.yaml").exists():
        return RunDirectory.begin(folder, config=CONFIG)
    return RunDirectory(folder)


def finish(sweep: Path, proposal: Proposal, objective: Objective = valley, *, unit: str = UNIT) -> Path:
    """Have a proposal's run finish. On the test split and in training it is the better the worse it is."""
    there = run(sweep, proposal)
    value = objective(given(proposal))
    there.write_summary(
        {
            "test": {"loss": 1 - value, "mse": 1 - value, "ssim": 1 - value},
            "validation": {"loss": value, "mse": value, "ssim": value},
            "train": {"loss": 1 - value, "mse": 1 - value, "ssim": 1 - value},
            "units": {"loss": unit},
        }
    )
    there.set_state("finished")
    return there.path


def fail(sweep: Path, proposal: Proposal, *, kind: str = "killed", message: str = "by hand") -> Path:
    """Have a proposal's run fail."""
    there = run(sweep, proposal)
    there.set_state("failed", error={"kind": kind, "message": message})
    return there.path


def go_through(sweep: Path, search: Search, objective: Objective = valley, *, most: int | None = None) -> None:
    """Take the search to its end, or through so many trials, one at a time."""
    done = 0
    while most is None or done < most:
        proposal = search.propose()
        if proposal is None:
            return
        search.ended(proposal, finish(sweep, proposal, objective))
        done += 1


def trials_of(search: Search) -> list[Trial]:
    """What the study says."""
    return search.study.trials()
