from __future__ import annotations

import math

import pytest

from autoenc.comparison.diff import MISSING, Change, difference
from autoenc.comparison.diff_blocks import difference_blocks
from tests.comparison.made_records import record
from tests.comparison.printed import blocks_printed


def test_what_differs_between_two_runs() -> None:
    old = record("old", {"mse": 0.2, "psnr": 10.0, "loss": 0.2})
    new = record(
        "new",
        {"mse": 0.15, "psnr": 12.0, "loss": 0.1},
        noise={"name": "gaussian", "std": 0.5},
        data_dir="/elsewhere",
        environment={"device": "cpu", "threads": 1, "git": {"commit": "abc", "dirty": True}, "command_line": ["x"]},
    )
    found = difference(old, new)
    assert found.settings == [
        Change("noise", "none", "gaussian"),
        Change("data_dir", "/data", "/elsewhere"),
        Change("noise.std", MISSING, 0.5),
    ]
    assert found.environment == [Change("git.commit", MISSING, "abc"), Change("git.dirty", MISSING, True)]
    by_key = {change.key: change for change in found.metrics}
    mse = by_key["test.mse"]
    assert (mse.old, mse.new, mse.better, mse.apart) == (0.2, 0.15, True, "")
    assert mse.absolute == pytest.approx(-0.05)
    assert mse.relative == pytest.approx(-0.25)
    assert by_key["test.psnr"].better is True
    assert by_key["parameters"].better is None
    assert by_key["parameters"].absolute == 0
    loss = by_key["test.loss"]
    assert (loss.absolute, loss.relative, loss.better) == (None, None, None)
    assert loss.apart == "noise, noise.std"


def test_a_metric_that_one_of_them_lacks_or_that_is_no_number() -> None:
    found = difference(record("a", {"mse": 0.0, "psnr": 1.0}), record("b", {"mse": 0.5, "ssim": math.nan}))
    by_key = {change.key: change for change in found.metrics}
    assert by_key["test.mse"].relative is None
    assert by_key["test.mse"].better is False
    assert by_key["test.psnr"].new is None
    assert by_key["test.ssim"].old is None


def test_it_is_printed_whole() -> None:
    old = record("old", {"mse": 0.2, "pca_mse": 0.3}, label="old \x1b[31m[red]")
    new = record("new", {"mse": 0.15, "pca_mse": 0.2}, architecture__code_size=64, code_size=64)
    lost = record("lost", state="failed", error_kind="raised", error_message="OSError: full", dataset__limit=7)
    text = blocks_printed(difference_blocks(old, new))
    assert "\x1b" not in text
    assert "[red]" in text
    assert "codes of 3 and 64 numbers" in text
    assert ["architecture.code_size", "3", "64"] in [line.split() for line in text.splitlines()]
    assert ["test.mse", "0.2000", "0.1500", "-0.05", "-25.0%"] in [line.split() for line in text.splitlines()]
    assert "Environment: no difference" in text
    text = blocks_printed(difference_blocks(old, lost))
    assert "second: lost (failed: raised: OSError: full)" in text
    assert ["dataset.limit", "null", "7"] in [line.split() for line in text.splitlines()]
    assert "Metrics: second has none" in text
    assert "test.mse" not in text
