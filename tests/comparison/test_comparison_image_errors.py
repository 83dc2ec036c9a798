from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from autoenc.comparison.image_errors import SCOPE, image_lines
from autoenc.runs import TEST_ERRORS, RunRecord
from tests.comparison.made_records import record

NAMES = ("first", "second")
FEW = np.array([0.01, 0.02, 0.03, 0.04, 0.05], dtype=np.float16)
GAUSSIAN = {"name": "gaussian", "std": 0.3}


def run(
    folder: Path, name: str, errors: Any = None, *, digest: str = "a" * 64, noise: Any = None, **more: Any
) -> RunRecord:
    (folder / name).mkdir()
    if errors is not None:
        np.savez_compressed(folder / name / TEST_ERRORS, mse=errors, digest=digest, **more)
    return record(name, {"mse": 0.1}, path=folder / name, noise=noise or {"name": "none"})


def lines(*runs: RunRecord) -> list[str]:
    return image_lines(*runs, names=NAMES)


def test_the_interval_is_over_images(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    errors = rng.gamma(2, 0.01, 400).astype(np.float16)
    others = (errors + rng.normal(0.002, 0.004, 400)).astype(np.float16)
    others[7] += 0.05
    low, high = stats.ttest_rel(others.astype(float), errors.astype(float)).confidence_interval(0.95)
    sentence, scope = lines(run(tmp_path, "a", errors), run(tmp_path, "b", others))
    size = f"{(low + high) / 2:.5f} ± {(high - low) / 2:.5f}"
    assert sentence.startswith(f"mse: first is {size} better than second (400 test images). ")
    share = np.mean(errors.astype(float) < others.astype(float))
    assert f"The error is lower with first on {share:.1%} of them, with second on " in sentence
    assert "The largest differences are on test images 7 (" in sentence
    assert scope == SCOPE


def test_equal_and_balanced_errors_are_no_difference(tmp_path: Path) -> None:
    one = run(tmp_path, "a", FEW)
    assert lines(one, run(tmp_path, "b", FEW)) == ["mse: the same on all 5 test images.", SCOPE]
    sentence, _ = lines(one, run(tmp_path, "c", FEW + np.array([0.01, -0.01, 0.01, -0.01, 0.0])))
    assert sentence.startswith(
        "mse: first and second show no significant difference (0.000 ± 0.012, 5 test images). The error is lower with "
    )
    assert "lower with first on 40.0% of them, with second on 40.0%." in sentence  # the rest are ties


def test_denoising_errors_need_the_same_noise(tmp_path: Path) -> None:
    one = run(tmp_path, "a", FEW, noise=GAUSSIAN, denoising_mse=FEW)
    same = run(tmp_path, "b", FEW, noise=GAUSSIAN, denoising_mse=2 * FEW)
    stronger = run(tmp_path, "c", FEW, noise={"name": "gaussian", "std": 0.5}, denoising_mse=2 * FEW)
    assert [line.partition(":")[0] for line in lines(one, same)] == ["denoising_mse", "mse", SCOPE]
    assert [line.partition(":")[0] for line in lines(one, stronger)] == ["mse", SCOPE]


def test_older_runs_without_errors_are_not_compared(tmp_path: Path) -> None:
    without = run(tmp_path, "b")
    assert lines(without, without) == []
    assert lines(run(tmp_path, "a", FEW), without) == [f"Not compared: second has no {TEST_ERRORS}."]


def test_other_images_are_not_compared(tmp_path: Path) -> None:
    assert lines(run(tmp_path, "a", FEW), run(tmp_path, "b", FEW, digest="b" * 64)) == [
        "Not compared: the test images are different."
    ]


@pytest.mark.parametrize(
    "errors",
    [
        np.array([0.1, np.nan]),
        np.zeros((2, 2)),
        np.array(["x"]),
        np.array([1, 2]),
        np.array([]),
        np.array(0.5),
        np.array([None], dtype=object),
        np.zeros(3_000_000),
    ],
    ids=["not finite", "two axes", "text", "integers", "empty", "scalar", "pickle", "too large"],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, errors: Any) -> None:
    (line,) = lines(run(tmp_path, "a", FEW), run(tmp_path, "b", errors))
    assert line.startswith(f"Not compared: {TEST_ERRORS} of second ")


def test_unequal_counts_are_not_compared(tmp_path: Path) -> None:
    (line,) = lines(run(tmp_path, "a", FEW), run(tmp_path, "b", FEW[:4]))
    assert line == "Not compared: the test images are different."
