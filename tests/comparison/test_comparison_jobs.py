from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autoenc.comparison.jobs import Job, labels
from autoenc.run_directory import RunDirectory


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([["architecture=linear"], ["architecture=conv"]], ["linear", "conv"]),
        ([["variant=conv_3_codes"], ["variant=conv_64_codes"]], ["conv 3 codes", "conv 64 codes"]),
        ([["a.code_size=2", "seed=0"], ["a.code_size=8", "seed=0"]], ["code size 2", "code size 8"]),
        (
            [["architecture=mlp", "seed=0"], ["architecture=mlp", "seed=1"], ["architecture=conv", "seed=0"]],
            ["mlp, seed 0", "mlp, seed 1", "conv, seed 0"],
        ),
        ([["architecture=conv", "training.epochs=2"]], ["conv, epochs 2"]),
        ([[]], ["the run"]),
        ([["architecture.hidden=[]"], ["architecture.hidden=[256,64]"]], ["hidden []", "hidden [256,64]"]),
        ([["+a.b=1"], ["+a.b=2"]], ["b 1", "b 2"]),
    ],
)
def test_a_job_is_called_by_what_distinguishes_it(overrides: list[list[str]], expected: list[str]) -> None:
    assert labels(overrides) == expected


def run(folder: Path, *, state: str = "finished", summary: dict[str, Any] | None = None) -> Path:
    directory = RunDirectory.begin(folder, config={"architecture": {"name": "linear", "code_size": 3}, "seed": 0})
    directory.append_metrics({"epoch": 1, "train/loss": 0.5})
    directory.write_summary(summary or {"test": {"mse": 0.25}, "validation": None, "units": {"mse": "squares"}})
    directory.set_state(state)  # type: ignore[arg-type]
    return folder


def test_a_job_is_read_from_its_folder(tmp_path: Path) -> None:
    job = Job.read(run(tmp_path / "0"), label="linear")
    assert job is not None
    assert (job.label, job.setting("architecture.code_size"), job.setting("seed")) == ("linear", 3, 0)
    assert job.setting("architecture.width") is None
    assert job.setting("seed.deeper") is None
    assert (job.score("test", "mse"), job.score("test", "psnr"), job.score("validation", "mse")) == (0.25, None, None)
    assert (job.metrics, job.unit("mse"), job.unit("psnr")) == (["mse"], "squares", "psnr")
    assert job.history == [{"epoch": 1, "train/loss": 0.5}]


@pytest.mark.parametrize("state", ["running", "failed", "interrupted"])
def test_a_job_that_is_not_finished_is_none(tmp_path: Path, state: str) -> None:
    assert Job.read(run(tmp_path / "0", state=state), label="x") is None


def test_a_folder_without_a_run_is_none(tmp_path: Path) -> None:
    assert Job.read(tmp_path / "nothing", label="x") is None
