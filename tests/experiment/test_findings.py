"""What is found in hand-made runs, and how it is sorted."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from autoenc.experiment.findings import Importance, findings
from tests.comparison.made_records import record

WINS, LOSES = {"mse": 0.01, "pca_mse": 0.02}, {"mse": 0.03, "pca_mse": 0.02, "mean_image_mse": 0.06}
CONSTANT = "constant on the test images, or nearly so"
WHY = "the variance of the mean over the test images is at most 0.01"


def of_health(*words: str, **changes: Any) -> list[tuple[str, Importance]]:
    found = findings(record("a", WINS, health={"words": list(words)}, **changes))
    return [(finding.sentence, finding.importance) for finding in found]


def test_dead_units_of_all_layers_are_one_common_finding_that_is_explained() -> None:
    words = [
        f"21 of 128 units of encoder layer 1 (ReLU) are dead: {CONSTANT}",
        f"1 of 64 units of decoder layer 2 (ReLU) is dead: {CONSTANT}",
    ]
    (found,) = findings(record("a", WINS, health={"words": words}))
    assert found.sentence == f"22 of 192 ReLU units in 2 hidden layers are dead: {CONSTANT}."
    assert (
        found.explanation == "This is common with ReLU at a learning rate of 0.001. It costs capacity, not correctness."
    )
    assert found.importance == Importance.COMMON
    assert of_health(words[1]) == [(f"{words[1]}.", Importance.COMMON)]


def test_layers_of_different_kinds_and_states_stay_apart() -> None:
    words = [
        f"3 of 8 units of encoder layer 1 (ReLU) are dead: {CONSTANT}",
        f"3 of 8 units of encoder layer 2 (Tanh) are dead: {CONSTANT}",
        "2 of 8 units of encoder layer 2 (Tanh) are saturated: within 0.01 of a bound",
        f"1 of 4 units of the code is dead: {CONSTANT}",
    ]
    assert of_health(*words) == [
        (f"{words[1]}.", Importance.NOTE),
        (f"{words[3]}.", Importance.NOTE),
        (f"{words[0]}.", Importance.COMMON),
        (f"{words[2]}.", Importance.COMMON),
    ]


def test_a_network_that_is_mostly_dead_is_more_important() -> None:
    words = f"5 of 8 units of encoder layer 1 (ReLU) are dead: {CONSTANT}"
    assert of_health(words) == [(f"{words}.", Importance.NOTE)]


@pytest.mark.parametrize(
    "words",
    [
        "2 of 64 entries of the codebook are unused: used by no test image",
        "1 of 16 first-layer kernels is collapsed: the norm is under a hundredth of the median one",
        "3 of 16 first-layer kernels are repeated: |cosine| with an earlier one over 0.99",
        f"3 of 16 code units are collapsed: {WHY}",
    ],
)
def test_other_sentences_on_health_are_common_findings(words: str) -> None:
    assert of_health(words) == [(f"{words}.", Importance.COMMON)]


def test_a_collapsed_variational_model_is_a_reason_with_the_settings_that_help() -> None:
    words = f"16 of 16 code units are collapsed: {WHY}"
    made = record("a", WINS, health={"words": [words]})
    bottleneck = {"name": "gaussian", "beta": 4.0, "warmup_epochs": 0}
    (found,) = findings(dataclasses.replace(made, config={**made.config, "bottleneck": bottleneck}))
    assert found.importance == Importance.REASON
    assert found.sentence == "The VAE has collapsed: none of the 16 units of its code depends on the image."
    assert "a lower bottleneck.beta, bottleneck.warmup_epochs or longer training" in found.explanation


@pytest.mark.parametrize("health", [None, 3, {}, {"words": "text"}, {"words": [1, None, "nothing dead was found"]}])
def test_a_stranger_s_health_is_no_finding(health: Any) -> None:
    assert findings(record("a", WINS, health=health)) == []
    assert findings(record("a")) == []


def test_reasons_come_before_common_findings() -> None:
    words = f"21 of 128 units of encoder layer 1 (ReLU) are dead: {CONSTANT}"
    curve = [{"epoch": 1, "train/loss": 0.5}, {"epoch": 2, "train/loss": 0.4}]
    found = findings(record("a", LOSES, health={"words": [words]}, history=curve, architecture__name="mlp"))
    assert [finding.importance for finding in found] == [Importance.REASON, Importance.COMMON]
