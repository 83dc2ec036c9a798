"""The last lines of a run."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

from autoenc.evaluation.health.unhealthy import Unhealthy
from autoenc.experiment.closing_report import compare_command, report, report_scores, rerun_command
from tests.comparison.made_records import record

TEST = {"mse": 0.01, "mae": 0.2, "pca_mse": 0.02, "linear_probe_accuracy": 0.9, "pixels_linear_probe_accuracy": 0.95}


@pytest.fixture(autouse=True)
def _called_as_a_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["scripts/train.py"])


def test_the_ending_is_short_and_ends_with_what_to_do_next(caplog: pytest.LogCaptureFixture) -> None:
    kinds = {"ReLU": 2, "Tanh": 3, "ELU": 4, "GELU": 5}
    found = [
        Unhealthy(count, 9, f"units of encoder layer 1 ({kind})", "dead", "x", kind)._asdict()
        for kind, count in kinds.items()
    ]
    caplog.set_level(logging.INFO)
    report(record("outputs/a", TEST, health={"findings": found}, standard_errors={"test": {"mse": 0.001}}))
    assert caplog.messages == [
        "Trained 5 epochs in 61.2 s. Tested: the weights of epoch 4, the best on validation.",
        "Test scores (± standard error over images), with baselines in brackets:",
        "  mse                    0.0100 ± 0.0010  (PCA 0.02)",
        "  linear_probe_accuracy  0.9              (pixels 0.95)",
        "The error, 0.01, is below that of the best baseline, PCA with 3 numbers (0.02).",
        "3 of 9 units of encoder layer 1 (Tanh) are dead: x. Such units carry no information.",
        "4 of 9 units of encoder layer 1 (ELU) are dead: x. Such units carry no information.",
        "5 of 9 units of encoder layer 1 (GELU) are dead: x. Such units carry no information.",
        "Open: /runs/outputs/a/index.html",
        "Compare: python scripts/compare.py /runs/outputs",
        "Run again: python scripts/train.py rerun=/runs/outputs/a",
    ]
    assert {entry.levelname for entry in caplog.records} == {"INFO"}


def test_a_denoiser_is_shown_next_to_its_two_best_baselines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    test = {"denoising_mse": 0.01, "noise_mse": 0.05, "median_mse": 0.02, "linear_denoising_mse": 0.03}
    report(record("a", test))
    assert "  denoising_mse  0.01  (3x3 median filter 0.02, best linear denoiser 0.03)" in caplog.messages


def test_the_unit_of_a_denoising_error_says_what_it_is_between(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    unit = "mean squared error; from the noisy input to the clean image; of statically binarized pixels"
    report_scores(record("a", {"denoising_mse": 0.01}, units={"denoising_mse": unit}))
    assert caplog.messages[1] == "  denoising_mse  0.01  from the noisy input to the clean image"


def test_reasons_for_a_loss_are_warnings(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    report(record("a", {"mse": 0.03, "pca_mse": 0.02}))
    warnings = [entry.message for entry in caplog.records if entry.levelno == logging.WARNING]
    assert warnings[0] == "The error, 0.03, is above that of PCA with 3 numbers (0.02)."
    assert warnings[1].startswith("The model is linear")


@pytest.mark.parametrize(
    ("program", "compare", "train"),
    [
        ("scripts/train.py", "python scripts/compare.py", "python scripts/train.py"),
        ("/usr/bin/autoenc-train", "autoenc-compare", "autoenc-train"),
        ("scripts/evaluate.py", "python scripts/compare.py", "python scripts/train.py"),
        ("/usr/bin/autoenc-track", "autoenc-compare", "autoenc-train"),
        ("/usr/lib/ipykernel_launcher.py", "autoenc-compare", "autoenc-train"),
    ],
)
def test_commands_are_called_as_this_one_was(
    program: str, compare: str, train: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [program])
    assert compare_command(Path("/runs/a")) == f"{compare} /runs"
    assert rerun_command(Path("/runs/a")) == f"{train} rerun=/runs/a"


def test_the_comparison_is_of_everything_below_the_first_folder(elsewhere: Path) -> None:
    assert compare_command(elsewhere / "outputs" / "2026-01-31" / "12-00-00").endswith("compare.py outputs")
    assert compare_command(elsewhere / "my runs" / "a").endswith("compare.py 'my runs'")
    assert compare_command(elsewhere / "a").endswith("compare.py .")


def test_a_job_is_compared_with_the_others_of_its_sweep(elsewhere: Path) -> None:
    sweep = elsewhere / "outputs" / "sweeps" / "rates"
    sweep.mkdir(parents=True)
    (sweep / "sweep.json").touch()
    assert compare_command(sweep / "0").endswith("compare.py outputs/sweeps/rates")
