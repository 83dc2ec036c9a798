"""Folders of earlier versions are read with today's names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from autoenc.runs import RunDirectory, read_runs


def test_noisy_errors_of_old_folders_are_denoising_errors(tmp_path: Path) -> None:
    run = RunDirectory.begin(tmp_path / "run", config={"seed": 0})
    run.append_metrics({"epoch": 1, "validation/noisy_mse": 0.3, "train/loss": 1.0})
    run.write_summary({"test": {"mse": 0.1, "noisy_mse": 0.2}, "units": {"noisy_mse": "squared"}})
    run.set_state("finished")
    (record,) = read_runs([tmp_path], history=True)
    assert record.metrics == {"test.mse": 0.1, "test.denoising_mse": 0.2}
    assert record.unit("test.denoising_mse") == "squared"
    assert record.history[0]["validation/denoising_mse"] == 0.3
    assert json.loads((run.path / "summary.json").read_text())["test"]["noisy_mse"] == 0.2  # the file stays as it is


@pytest.mark.parametrize(
    ("dataset", "test_limit"), [({"limit": 50}, 50), ({"limit": None}, None), ({"limit": 50, "test_limit": None}, None)]
)
def test_the_limit_of_old_folders_limits_the_test_split_too(
    dataset: dict[str, Any], test_limit: int | None, tmp_path: Path
) -> None:
    run = RunDirectory.begin(tmp_path / "run", config={"seed": 0, "dataset": dataset})
    (record,) = read_runs([tmp_path])
    assert run.config()["dataset"] == record.config["dataset"] == {**dataset, "test_limit": test_limit}


def test_the_pictures_of_old_folders_are_png(tmp_path: Path) -> None:
    """So that `rerun=` and `resume=` may change the format."""
    old = RunDirectory.begin(tmp_path / "old", config={"seed": 0, "dataset": {"limit": 50}})
    new = RunDirectory.begin(tmp_path / "new", config={"figure_format": "svg", "dataset": {"limit": 50}})
    assert (old.config()["figure_format"], new.config()["figure_format"]) == ("png", "svg")


def test_the_initial_weights_of_old_folders_are_random(tmp_path: Path) -> None:
    """So that a comparison with a run that starts from another one shows the setting of both."""
    old = RunDirectory.begin(tmp_path / "old", config={"seed": 0, "dataset": {"limit": 50}})
    assert (old.config()["initialize_from"], old.config()["initialize_part"]) == (None, None)


def test_the_unit_of_psnr_of_old_folders_is_the_new_one(tmp_path: Path) -> None:
    run = RunDirectory.begin(tmp_path / "run", config={"seed": 0})
    run.write_summary(
        {"test": {"psnr": 20.0}, "units": {"psnr": "decibels, mean over images, peak 1; of binary pixels"}}
    )
    run.set_state("finished")
    (record,) = read_runs([tmp_path])
    assert record.unit("test.psnr") == "decibels, mean over images, pixels in [0, 1]; of binary pixels"
