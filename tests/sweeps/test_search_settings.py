"""The settings of a search, checked before it begins."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from autoenc.command_line.compose import plain
from autoenc.evaluation.metrics import METRICS, Metric
from autoenc.settings import ConfigError
from autoenc.sweeps.sweepers import SWEEPERS, Basic
from tests.composed import composed
from tests.conftest import REPOSITORY
from tests.sweeps.searches import BATCH, CONFIG, RATE, settings

SEARCHES = sorted(path.stem for path in (REPOSITORY / "conf" / "experiment").glob("search_*.yaml"))


def parsed(*texts: str) -> list[Override]:
    return list(OverridesParser.create().parse_overrides(list(texts)))


# --- the files in conf/ ---


@pytest.mark.parametrize("preset", SEARCHES)
def test_a_preset_is_a_valid_search(preset: str) -> None:
    sweeper = SWEEPERS.parse(plain(composed(f"experiment={preset}").hydra.sweeper))
    assert not sweeper.knows_all_jobs
    assert sweeper.params is not None
    examples = sweeper.examples(parsed(*(f"{key}={value}" for key, value in sweeper.params.items())))
    assert len(examples) > len(sweeper.params)
    sweeper.check(CONFIG)


# --- the grid ---


def test_a_grid_has_all_combinations_and_the_last_key_changes_fastest() -> None:
    grid = Basic(params=None)
    assert grid.examples(parsed("a=1,2", "~b", "c=range(2)", "d='x y'")) == [
        ("a=1", "~b", "c=0", "d='x y'"),
        ("a=1", "~b", "c=1", "d='x y'"),
        ("a=2", "~b", "c=0", "d='x y'"),
        ("a=2", "~b", "c=1", "d='x y'"),
    ]


def test_a_grid_has_no_intervals() -> None:
    with pytest.raises(
        ConfigError, match=r"a=interval\(0, 1\): an interval has infinitely many values; use hydra/sweeper=optuna"
    ):
        Basic(params=None).examples(parsed("a=interval(0, 1)"))


# --- refusals ---


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"metric": "test/loss"},
            "hydra.sweeper.metric=test/loss: a search uses the validation split, never",
        ),
        ({"metric": "test.mse"}, "never the test split: name the metric alone, as mse"),
        ({"metric": "pca_mse"}, "hydra.sweeper.metric=pca_mse: neither direction of it is better; set hydra"),
        ({"metric": "mes"}, r"there is no such metric \(did you mean 'mse'\?\); the metrics are loss, "),
    ],
)
def test_an_invalid_objective_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        settings(**changes).check(CONFIG)


def test_a_search_needs_a_validation_split() -> None:
    config = {**CONFIG, "dataset": {"name": "digits", "validation_fraction": 0}}
    with pytest.raises(ConfigError, match=r"dataset.validation_fraction=0: a search chooses by the validation split"):
        settings().check(config)
    settings().check(CONFIG)


def test_a_metric_of_the_test_split_alone_chooses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS, "mine", Metric(name="mine", better="lower", splits=("test",)))
    with pytest.raises(ConfigError, match=r"hydra.sweeper.metric=mine: it is measured only on the test split"):
        settings(metric="mine").check(CONFIG)


@pytest.mark.parametrize(
    ("metric", "key", "allowed"),
    [
        ("loss", "optimizer.learning_rate", True),
        ("loss", "loss", False),
        ("loss", "bottleneck.beta", False),
        ("loss", "noise.std", False),
        ("loss", "dataset.limit", False),
        ("mse", "dataset", False),
        ("mse", "noise.std", True),
        ("mse", "bottleneck.beta", True),
        ("denoising_mse", "noise", False),
        ("denoising_mse", "loss", True),
        ("elbo_nats", "loss.std", True),
        ("elbo_nats", "bottleneck.beta", True),
        ("elbo_nats", "loss", False),
    ],
)
def test_keys_that_change_the_meaning_of_the_objective_are_not_searched(metric: str, key: str, allowed: bool) -> None:
    search = settings(metric=metric)
    if allowed:
        assert len(search.examples(parsed(f"{key}=1,2"))) == 2
    else:
        with pytest.raises(ConfigError, match=f"hydra.sweeper.metric={metric}: its meaning changes with {key}, so"):
            search.examples(parsed(f"{key}=1,2", RATE))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_trials": 0}, "hydra.sweeper.n_trials=0: it must be a whole number of at least 1"),
        ({"direction": "down"}, "hydra.sweeper.direction=down: it must be one of minimize, maximize"),
        ({"sampler": {"name": "cmaes", "seed": 0}}, "hydra.sweeper.sampler.name=cmaes: .* the choices are random, tpe"),
        ({"sampler": {"name": "random"}}, "hydra.sweeper.sampler.seed: it is required"),
    ],
)
def test_settings_are_checked(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        settings(**changes)


def test_without_optuna_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("autoenc.sweeps.sweepers.search_space")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.setitem(sys.modules, "optuna.distributions", None)
    with pytest.raises(ConfigError, match=r"hydra/sweeper=optuna: .* pip install 'autoenc\[optuna\]'"):
        settings().examples(parsed(RATE, BATCH))


def test_optuna_is_imported_only_for_a_search() -> None:
    code = (
        "import sys, autoenc.sweeps.sweepers as s;"
        "s.SWEEPERS.parse({'name': 'basic', 'params': None});"
        "print([name for name in ('optuna', 'torch', 'matplotlib', 'sqlalchemy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout == "[]\n"
