"""What is found in hand-made runs, and how it is sorted."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from autoenc.evaluation.health.unhealthy import Unhealthy
from autoenc.experiment.findings import Importance, findings
from autoenc.runs import RunDirectory, read_run
from tests.comparison.made_records import record

WINS, LOSES = {"mse": 0.01, "pca_mse": 0.02}, {"mse": 0.03, "pca_mse": 0.02, "mean_image_mse": 0.06}
CONSTANT = "constant on the test images, or nearly so"
WHY = "the variance of the mean over the test images is at most 0.01"


def layer(number: int, total: int, state: str, *, name: str, activation: str, why: str = CONSTANT) -> Unhealthy:
    return Unhealthy(number, total, f"units of {name} ({activation})", state, why, activation)


def health(*found: Unhealthy) -> dict[str, Any]:
    """As in `summary.json`."""
    return {"findings": [each._asdict() for each in found]}


def of_health(*found: Unhealthy) -> list[tuple[str, Importance]]:
    made = findings(record("a", WINS, health=health(*found)))
    return [(finding.sentence, finding.importance) for finding in made]


DEAD = layer(21, 128, "dead", name="encoder layer 1", activation="ReLU")


def test_dead_units_of_all_layers_are_one_common_finding_that_is_explained() -> None:
    other = layer(1, 64, "dead", name="decoder layer 2", activation="ReLU")
    (found,) = findings(record("a", WINS, health=health(DEAD, other)))
    assert found.sentence == f"22 of 192 ReLU units in 2 hidden layers are dead: {CONSTANT}."
    assert (
        found.explanation == "This is common with ReLU at a learning rate of 0.001. It costs capacity, not correctness."
    )
    assert found.importance == Importance.COMMON
    sentence = f"1 of 64 units of decoder layer 2 (ReLU) is dead: {CONSTANT}."
    assert of_health(other) == [(sentence, Importance.COMMON)]


def test_layers_of_different_kinds_and_states_stay_apart() -> None:
    found = [
        layer(3, 8, "dead", name="encoder layer 1", activation="ReLU"),
        layer(3, 8, "dead", name="encoder layer 2", activation="Tanh"),
        layer(2, 8, "saturated", name="encoder layer 2", activation="Tanh", why="within 0.01 of a bound"),
        Unhealthy(1, 4, "units of the code", "dead", CONSTANT),
    ]
    assert of_health(*found) == [
        (f"{found[1].words}.", Importance.NOTE),
        (f"{found[3].words}.", Importance.NOTE),
        (f"{found[0].words}.", Importance.COMMON),
        (f"{found[2].words}.", Importance.COMMON),
    ]


def test_a_network_that_is_mostly_dead_is_more_important() -> None:
    found = layer(5, 8, "dead", name="encoder layer 1", activation="ReLU")
    assert of_health(found) == [(f"{found.words}.", Importance.NOTE)]


@pytest.mark.parametrize(
    "found",
    [
        Unhealthy(2, 64, "entries of the codebook", "unused", "used by no test image"),
        Unhealthy(1, 16, "first-layer kernels", "collapsed", "the norm is small"),
        Unhealthy(3, 16, "first-layer kernels", "repeated", "|cosine| with an earlier one over 0.99"),
        Unhealthy(3, 16, "code units", "collapsed", WHY),
    ],
)
def test_other_facts_on_health_are_common_findings(found: Unhealthy) -> None:
    assert of_health(found) == [(f"{found.words}.", Importance.COMMON)]


def test_a_collapsed_variational_model_is_a_reason_with_the_settings_that_help() -> None:
    made = record("a", WINS, health=health(Unhealthy(16, 16, "code units", "collapsed", WHY)))
    bottleneck = {"name": "gaussian", "beta": 4.0, "warmup_epochs": 0}
    (found,) = findings(dataclasses.replace(made, config={**made.config, "bottleneck": bottleneck}))
    assert found.importance == Importance.REASON
    assert found.sentence == "The VAE has collapsed: none of the 16 units of its code depends on the image."
    assert "a lower bottleneck.beta, bottleneck.warmup_epochs or longer training" in found.explanation


@pytest.mark.parametrize(
    "stored",
    [
        *(None, 3, {}, {"findings": None}, {"findings": "text"}, {"findings": [1, None, {}, "text"]}),
        *({"findings": [{**DEAD._asdict(), key: [1]}]} for key in Unhealthy._fields),
        *({"findings": [{**DEAD._asdict(), key: None}]} for key in Unhealthy._fields),
        {"findings": [{**DEAD._asdict(), "state": "unheard of"}]},
    ],
)
def test_a_stranger_s_health_is_no_finding(stored: Any, tmp_path: Path) -> None:
    run = RunDirectory.begin(tmp_path / "run", config={"seed": 0})
    run.write_summary({"test": {"mse": 0.1}, "health": stored})
    run.set_state("finished")
    assert findings(read_run(run.path)) == []


def test_reasons_come_before_common_findings() -> None:
    curve = [{"epoch": 1, "train/loss": 0.5}, {"epoch": 2, "train/loss": 0.4}]
    found = findings(record("a", LOSES, health=health(DEAD), history=curve, architecture__name="mlp"))
    assert [finding.importance for finding in found] == [Importance.REASON, Importance.COMMON]


def test_a_denoiser_that_is_worse_on_clean_images_is_found() -> None:
    def found(**test: float) -> list[str]:
        return [finding.sentence for finding in findings(record("a", {"noise_mse": 0.09, **test}))]

    (sentence,) = found(mse=0.05, denoising_mse=0.04)
    assert sentence == (
        "The model changes clean images more than it should: its error is 0.05 on clean images, and only 0.04 on noisy "
        "ones."
    )
    assert found(mse=0.03, denoising_mse=0.04) == []
    assert found(mse=0.0401, denoising_mse=0.04) == []
