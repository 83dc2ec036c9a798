"""Readable folders with values of any type: each run is a row, and none stops the comparison."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autoenc.command_line import compare
from autoenc.command_line import status as status_command
from autoenc.comparison.difference_tables import difference_tables
from autoenc.comparison.rendering import as_markdown
from autoenc.runs import read_runs
from tests.comparison.made_records import CONFIG, record
from tests.comparison.run_folders import row, status

VALUES: dict[str, Any] = {
    "table": {"a": [{"b": [None, {"name": ["c"]}]}]},
    "list": [[1.5], {"a": [2]}, "x", None],
    "empty list": [],
    "null": None,
    "true": True,
    "too large": 10**400,
    "far": 1.7e308,
    "text": "=x\x1b[31m<script>\n\u202e",
}

FILES: dict[str, Any] = {
    "config.yaml": CONFIG,
    "status.json": status(error={"kind": "raised", "message": "it did"}),
    "summary.json": record(
        "a", {"mse": 0.25, "denoising_mse": 0.5, "psnr": 9.0, "pca_mse": 0.5, "nll_nats": 3.0}
    ).summary,
    "environment.json": {"device": "cpu", "threads": 2, "python": "3.11", "code": {"commit": "a"}},
    "metrics.jsonl": row(1),
}


def paths(values: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of a table, and of the tables in it."""
    for key, value in values.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from paths(value, (*above, key))


FIELDS = [(file, path) for file, values in FILES.items() for path in paths(values)]


def make(
    folder: Path, *, seed: int = 0, changed: tuple[str, tuple[str, ...], Any] | None = None, **status: str
) -> None:
    """A run's folder, with one value of one file changed."""
    folder.mkdir(parents=True)
    files = copy.deepcopy(FILES)
    files["config.yaml"]["seed"] = seed
    files["status.json"] |= status
    if changed is not None:
        file, (*above, key), value = changed
        inside = files[file]
        for group in above:
            inside = inside[group]
        inside[key] = value
    for name, values in files.items():
        folder.joinpath(name).write_text(json.dumps(values) + "\n")


@pytest.mark.parametrize("name", VALUES)
def test_a_run_with_any_value_anywhere_stops_no_comparison(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, (file, path) in enumerate(FIELDS):
        make(tmp_path / "runs" / f"{number:03}", seed=number % 3, changed=(file, path, VALUES[name]))
    make(tmp_path / "runs" / "ours", seed=7)
    folder = str(tmp_path / "runs")
    files = {kind: tmp_path / kind for kind in ("csv", "json", "markdown", "html")}
    written = [f"--{kind}={path}" for kind, path in files.items()]
    for options in (["--columns", "*", *written], ["--group-by", "settings", *written[:2]]):
        assert compare.main([folder, "--all", "--metric=test.mse", *options]) == 0, capsys.readouterr().err
        json.loads(files["json"].read_text())
    assert status_command.main([folder]) == 0, capsys.readouterr().err
    printed = capsys.readouterr().out
    assert f"{len(FIELDS) + 1} runs" in printed
    assert all(line.isprintable() for line in printed.splitlines())
    *strange, ours = read_runs([tmp_path / "runs"])
    for one, two in [pair for run in strange for pair in ((ours, run), (run, ours))]:
        assert as_markdown(difference_tables(one, two))


@pytest.mark.parametrize("name", VALUES)
def test_running_runs_with_any_value_are_shown(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, (file, path) in enumerate(FIELDS):
        make(tmp_path / f"{number:03}", state="running", changed=(file, path, VALUES[name]))
    assert status_command.main([str(tmp_path)]) == 0, capsys.readouterr().err
    assert f"{len(FIELDS)} runs" in capsys.readouterr().out
