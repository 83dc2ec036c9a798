"""The differences of two runs as text."""

from __future__ import annotations

from autoenc.comparison.difference_tables import difference_tables, metric_columns, value_columns
from tests.comparison.made_records import record
from tests.comparison.printed import tables_printed


def test_settings_and_environments_that_differ() -> None:
    noise = {"name": "gaussian", "std": 0.5}
    git = {"commit": "abc", "dirty": True}
    old = record("old", {"mse": 0.2})
    new = record("new", {"mse": 0.2}, noise=noise, environment={"device": "cpu", "git": git, "command_line": ["x"]})
    keys, first, second = (list(one.cells) for one in value_columns(old.settings, new.settings))
    assert list(zip(keys, first, second, strict=True)) == [
        ("noise", "no noise", "Gaussian noise"),
        ("noise.std", "-", "0.5"),
    ]
    environment = [part for part in difference_tables(old, new) if isinstance(part, list)][-1]
    assert environment[0].cells == ["threads", "git.commit", "git.dirty"]


def test_changes_of_metrics() -> None:
    old = record("old", {"mse": 0.2, "psnr": 10.0, "loss": 0.2, "mae": 0.0, "ssim": 0.5})
    new = record("new", {"mse": 0.15, "psnr": 12.0, "loss": 0.1, "mae": 0.5}, noise={"name": "gaussian", "std": 0.5})
    columns = metric_columns(old, new)
    assert [one.key for one in columns] == ["metric", "first", "second", "change", "relative", "they differ in"]
    rows = {cells[0]: cells[1:] for cells in zip(*(one.cells for one in columns), strict=True)}
    assert rows["test.mse"] == ("0.2000", "0.1500", "-0.05", "-25.0%", "")
    assert rows["test.psnr"] == ("10", "12", "+2", "", "")  # 12 dB is not 20 % more than 10
    assert rows["test.mae"] == ("0.0000", "0.5000", "+0.5", "", "")
    assert rows["test.ssim"] == ("0.5000", "-", "", "", "")
    assert rows["test.loss"] == ("0.2000", "0.1000", "", "", "noise, noise.std")
    assert "parameters" not in rows
    keys = columns[0].cells
    assert [[keys[row] for row in sorted(one.best) if "test." in keys[row]] for one in columns[1:3]] == [
        ["test.mae"],
        ["test.mse", "test.psnr"],
    ]


def test_the_difference_is_printed_whole() -> None:
    old = record("old", {"mse": 0.2, "pca_mse": 0.3}, label="old [red]")
    new = record("new", {"mse": 0.15, "pca_mse": 0.2}, architecture__code_size=64, code_size=64)
    lost = record("lost", state="failed", error_kind="raised", error_message="OSError: full", dataset__limit=7)
    text = tables_printed(difference_tables(old, new))
    assert "[red]" in text
    assert "codes of 3 and 64 numbers" in text
    assert ["architecture.code_size", "3", "64"] in [line.split() for line in text.splitlines()]
    assert ["test.mse", "0.2000", "0.1500", "-0.05", "-25.0%"] in [line.split() for line in text.splitlines()]
    assert "Environment: no difference" in text
    text = tables_printed(difference_tables(old, lost))
    assert "second: lost (failed: raised: OSError: full)" in text
    assert ["dataset.limit", "all", "images", "7", "images"] in [line.split() for line in text.splitlines()]
    assert "Metrics: second has none" in text
    assert "test.mse" not in text
