"""Why a model is worse than its baseline: hand-made histories, settings and reconstructions."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoenc.experiment.why_worse import reasons
from autoenc.runs import RunRecord
from tests.comparison.made_records import record
from tests.conftest import Train

LOSES = {"mse": 0.03, "pca_mse": 0.02}
FLAT = [0.5, 0.2, 0.1, 0.1, 0.1]


def curves(train: Sequence[float | None], validation: Sequence[float | None] | None = None) -> list[dict[str, Any]]:
    held_out = train if validation is None else validation
    pairs = enumerate(zip(train, held_out, strict=True), start=1)
    return [{"epoch": epoch, "train/loss": one, "validation/loss": other} for epoch, (one, other) in pairs]


def made(history: list[dict[str, Any]], *, config: dict[str, Any] | None = None, **changes: Any) -> RunRecord:
    """A run of 5 epochs of a thousand batches."""
    found = record("a", LOSES, **{"history": history, "epochs": 5, "images": {"train": 64_000}} | changes)
    defaults = {"architecture": {"name": "fully_connected", "code_size": 3}, "training": {"batch_size": 64}}
    return dataclasses.replace(found, config={**found.config, **defaults, **(config or {})})


def sentences(found: RunRecord, *, loses: bool = True) -> list[str]:
    return [reason.sentence for reason in reasons(found, loses=loses)]


def test_training_that_still_improves_is_too_short() -> None:
    (found,) = reasons(made(curves([0.5, 0.4, 0.3, 0.25, 0.2])), loses=True)
    assert found.sentence == "Training was still improving: the validation loss fell by 20 % in the last epoch."
    assert "training.epochs=10" in found.explanation
    long = [1 / (10 + epoch) for epoch in range(40)]
    (found,) = reasons(made(curves(long, [None] * 40)), loses=True)
    assert (
        found.sentence == "Training was still improving: the training loss fell by 8.2 % over the last 4 of 40 epochs."
    )


def test_a_negative_log_likelihood_improves_too() -> None:
    (found,) = sentences(made(curves([1.0, -1.0, -2.0, -2.5, -3.0])))
    assert found == "Training was still improving: the validation loss fell from -2.5 to -3 in the last epoch."


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (1.0, 0.001, "fell by 100 %"),
        (1.0, 0.877, "fell by 12 %"),
        (1.0, 0.955, "fell by 4.5 %"),
        (0.01, -0.98, "fell from 0.01 to -0.98"),
        (0.01, 0.0, "fell from 0.01 to 0"),
    ],
)
def test_a_fall_is_in_whole_per_cents_or_in_numbers(before: float, after: float, words: str) -> None:
    (found,) = sentences(made(curves([2.0, before, after])))
    assert found == f"Training was still improving: the validation loss {words} in the last epoch."


def test_a_loss_that_has_levelled_off_is_the_last_resort() -> None:
    (found,) = sentences(made(curves(FLAT)))
    assert found == "Training has levelled off: the validation loss did not fall in the last epoch."


@pytest.mark.parametrize(("used", "advised"), [("torch_default", True), ("auto", False)])
def test_other_initial_weights_are_advised_unless_they_are_used(used: str, advised: bool) -> None:
    config = {"architecture": {"name": "mlp", "code_size": 3, "initialization": used}}
    (found,) = reasons(made(curves(FLAT), config=config), loses=True)
    assert ("architecture.initialization=auto" in found.explanation) == advised


def test_divergence_needs_both_losses() -> None:
    rising = [0.5, 0.1, 0.2, 0.4, 0.8]
    (found,) = sentences(made(curves(rising)))
    assert found == "Training diverged: the training loss rose from 0.1 in epoch 2 to 0.8 at the end."
    assert "diverged" not in " ".join(sentences(made(curves(rising, FLAT))))  # a penalty that warms up


def test_few_steps_are_counted_if_training_was_still_improving() -> None:
    def short(losses: list[float]) -> RunRecord:
        return made(curves(losses), images={"train": 180})

    (found,) = sentences(short([0.5, 0.4, 0.3, 0.25, 0.2]))
    assert found == "Training took only 15 steps: 5 epochs of 3 batches, for 180 images."
    assert not any("steps" in sentence for sentence in sentences(short(FLAT)))


def test_a_learning_rate_that_is_too_large_stops_progress() -> None:
    stuck = made(curves([0.16502, 0.165, 0.166, 0.16501, 0.16499]), config={"optimizer": {"learning_rate": 0.1}})
    worse = dataclasses.replace(stuck, summary={**stuck.summary, "test": {"mse": 0.165, "mean_image_mse": 0.07}})
    (found,) = reasons(worse, loses=True)
    assert found.sentence == "Training stopped making progress: the validation loss did not fall after epoch 1 of 5."
    assert "a smaller optimizer.learning_rate than 0.1" in found.explanation
    better = dataclasses.replace(stuck, summary={**stuck.summary, "test": {"mse": 0.03, "mean_image_mse": 0.07}})
    assert not any("progress" in sentence for sentence in sentences(better))


def test_weak_noise_is_hard_to_beat() -> None:
    denoiser = made(curves(FLAT))
    for noise, found in ((0.0024, True), (0.04, False)):
        test = {"denoising_mse": 0.01, "noise_mse": noise, "pca_mse": 0.0117}
        weak = dataclasses.replace(denoiser, summary={**denoiser.summary, "test": test})
        assert any("noise is weak" in sentence for sentence in sentences(weak)) == found


@pytest.mark.parametrize("key", ["hidden_sizes", "hidden"])
@pytest.mark.parametrize("loses", [True, False])
def test_a_code_that_is_larger_than_a_layer_is_found(key: str, loses: bool) -> None:
    config = {"architecture": {"name": "mlp", "code_size": 32, key: [128, 12, 64]}}
    found, *_ = sentences(made(curves(FLAT), config=config, code_size=32), loses=loses)
    assert found == "A hidden layer is narrower than the code: 12 units, for a code of 32 numbers."
    assert not any("narrower" in each for each in sentences(made(curves(FLAT), config=config, code_size=12)))


@pytest.mark.parametrize("loses", [True, False])
def test_overfitting_is_found_with_its_onset(loses: bool) -> None:
    history = curves([0.5, 0.4, 0.3, 0.2, 0.1], [0.5, 0.45, 0.46, 0.5, 0.6])
    (found,) = sentences(made(history), loses=loses)
    assert found == "The model overfits after epoch 2: the validation loss rises while the training loss falls."


def test_a_model_that_wins_needs_no_reason() -> None:
    assert sentences(made(curves([0.5, 0.4, 0.3, 0.25, 0.2])), loses=False) == []


def test_a_linear_model_cannot_win() -> None:
    (found,) = sentences(made(curves(FLAT), config={"architecture": {"name": "linear", "code_size": 3}}))
    assert found.startswith("The model is linear")


@pytest.mark.parametrize("loss", ["mse", "bernoulli"])
def test_a_variational_model_trades_error_for_samples(loss: str) -> None:
    config = {"bottleneck": {"name": "gaussian"}, "loss": {"name": loss}}
    variational = made(curves(FLAT), config=config)
    variational = dataclasses.replace(
        variational, summary={**variational.summary, "test": {**LOSES, "elbo_nats": -9.0}}
    )
    (found,) = reasons(variational, loses=True)
    assert found.sentence.startswith("A VAE gives up some accuracy on purpose")
    assert ("loss=gaussian" in found.explanation) == (loss == "mse")


def with_reconstructions(folder: Path, clean: Any, final: Any) -> RunRecord:
    (folder / "figures").mkdir()
    arrays: dict[str, Any] = {"clean": clean, "final": final, "<values>": np.array(json.dumps({"captions": []}))}
    np.savez(folder / "figures" / "reconstructions.npz", **arrays)
    return made(curves(FLAT), path=folder)


def test_reconstructions_that_are_all_alike_ignore_the_code(tmp_path: Path) -> None:
    clean = np.random.default_rng(0).random((10, 1, 4, 4)).astype(np.float16)
    alike = clean.mean(0, keepdims=True) + 0.05 * (clean - 0.5)
    (found,) = sentences(with_reconstructions(tmp_path, clean, alike))
    assert found == "The reconstructions are nearly all alike: the decoder ignores the code."


def test_reconstructions_without_colour_are_grey(tmp_path: Path) -> None:
    clean = np.random.default_rng(0).random((10, 3, 4, 4)).astype(np.float16)
    grey = clean.mean(1, keepdims=True) + 0.05 * (clean - 0.5)
    (found,) = sentences(with_reconstructions(tmp_path, clean, grey))
    assert found == "The reconstructions are nearly grey, although the images have colours."


def test_good_reconstructions_and_damaged_ones_are_no_reason(tmp_path: Path) -> None:
    clean = np.random.default_rng(0).random((10, 3, 4, 4)).astype(np.float16)
    good = with_reconstructions(tmp_path, clean, 0.5 * clean)
    assert len(sentences(good)) == 1
    (tmp_path / "figures" / "reconstructions.npz").write_bytes(b"damaged")
    assert sentences(good) == sentences(made(curves(FLAT)))


@pytest.mark.parametrize("config", [{}, {"architecture": None}, {"training": {"batch_size": "many"}}])
def test_a_stranger_s_settings_are_no_reason(config: dict[str, Any]) -> None:
    stranger = dataclasses.replace(record("a", LOSES), config=config, summary={"test": LOSES, "code_size": None})
    assert sentences(stranger) == []


def test_a_run_of_a_few_steps_says_so(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    train("dataset.limit=40", "training.epochs=1", "architecture=fully_connected")
    printed = capsys.readouterr().out
    assert "Training took only 3 steps: 1 epoch of 3 batches, for 36 images." in printed
    assert "The reconstructions are nearly all alike" in printed
