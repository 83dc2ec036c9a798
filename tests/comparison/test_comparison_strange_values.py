"""Folders whose files can be read and whose values are of any kind: each is a row, and none ends the comparison."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autoenc.command_line import compare, status
from autoenc.comparison.diff_blocks import difference_blocks
from autoenc.comparison.keys import value_of
from autoenc.comparison.markdown import as_markdown
from autoenc.runs import read_runs
from tests.comparison.made_records import CONFIG, record
from tests.comparison.printed import blocks_printed

VALUES: dict[str, Any] = {
    "table": {"a": 1},
    "nested": {"a": [{"b": [None, {"name": ["c"]}]}]},
    "list": ["x", 1, None],
    "lists": [[1.5], {"a": [2]}],
    "empty list": [],
    "empty table": {},
    "null": None,
    "true": True,
    "whole": 2**62,
    "too large": 10**400,
    "far": 1.7e308,
    "near": -5e-324,
    "text": "=x\x1b[31m<script>\n\u202e",
    "empty": "",
}

FILES: dict[str, Any] = {
    "config.yaml": CONFIG,
    "status.json": {
        "state": "finished",
        "started_at": "2026-01-31T12:00:00+00:00",
        "finished_at": "2026-01-31T12:01:15+00:00",
        "host": "here",
        "pid": 1,
        "process_started_at": "2026-01-31T12:00:00+00:00",
        "error": {"kind": "raised", "message": "it did"},
    },
    "summary.json": record("a", {"mse": 0.25, "noisy_mse": 0.5, "psnr": 9.0, "pca_mse": 0.5, "nll_nats": 3.0}).summary,
    "environment.json": {"device": "cpu", "threads": 2, "python": "3.11", "code": {"commit": "a"}},
    "metrics.jsonl": {"epoch": 1, "train/loss": 0.5, "validation/loss": 0.75, "seconds": 1.5},
}


def paths(values: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of a table, and of the tables in it."""
    for key, value in values.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from paths(value, (*above, key))


FIELDS = [(file, path) for file, values in FILES.items() for path in paths(values)]


def make(
    folder: Path,
    *,
    file: str | None = None,
    path: tuple[str, ...] = (),
    value: Any = None,
    seed: int = 0,
    state: str = "finished",
) -> None:
    """A run's folder, with one value of one file changed."""
    folder.mkdir(parents=True)
    files = copy.deepcopy(FILES)
    files["config.yaml"]["seed"] = seed
    files["status.json"]["state"] = state
    if file is not None:
        inside = files[file]
        for key in path[:-1]:
            inside = inside[key]
        inside[path[-1]] = value
    for name, values in files.items():
        folder.joinpath(name).write_text(json.dumps(values) + "\n")


def compare_in_every_way(folder: Path, capsys: pytest.CaptureFixture[str], *, group_by: str) -> None:
    """On the terminal, as csv, json, markdown and html, one by one and in groups; and as they stand."""
    out = folder.parent / "written"
    out.mkdir(exist_ok=True)
    written = [f"--{kind}={out / kind}" for kind in ("csv", "json", "markdown", "html")]
    groups = ["--group-by", group_by, *(f"--{kind}={out / kind}" for kind in ("csv", "json"))]
    for options in (["--columns", "*"], written, groups):
        assert compare.main([str(folder), "--all", "--metric=test.mse", *options]) == 0, capsys.readouterr().err
    json.loads((out / "json").read_text())
    assert status.main([str(folder)]) == 0, capsys.readouterr().err
    capsys.readouterr()


@pytest.mark.parametrize("name", VALUES)
def test_a_run_with_any_value_anywhere_stops_no_comparison(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, (file, path) in enumerate(FIELDS):
        make(tmp_path / "runs" / f"{number:03}", file=file, path=path, value=VALUES[name], seed=number % 3)
    make(tmp_path / "runs" / "ours", seed=7)
    compare_in_every_way(tmp_path / "runs", capsys, group_by="settings")


@pytest.mark.slow
@pytest.mark.parametrize(("file", "path"), FIELDS, ids=str)
def test_a_value_that_is_strange_in_every_run_stops_no_comparison(
    file: str, path: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, value in enumerate(VALUES.values()):
        make(tmp_path / "runs" / str(number), file=file, path=path, value=value, seed=number % 2)
    make(tmp_path / "runs" / "ours", seed=7)
    compare_in_every_way(tmp_path / "runs", capsys, group_by="machine")


@pytest.mark.parametrize("name", VALUES)
def test_runs_that_go_on_and_say_anything_are_shown(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, (file, path) in enumerate(FIELDS):
        make(tmp_path / f"{number:03}", file=file, path=path, value=VALUES[name], state="running")
    assert status.main([str(tmp_path)]) == 0, capsys.readouterr().err
    assert f"{len(FIELDS)} runs" in capsys.readouterr().out


@pytest.mark.parametrize("name", VALUES)
def test_two_runs_of_which_one_is_strange_have_a_difference(name: str, tmp_path: Path) -> None:
    for number, (file, path) in enumerate(FIELDS):
        make(tmp_path / f"{number:03}", file=file, path=path, value=VALUES[name])
    make(tmp_path / "ours")
    *strange, ours = read_runs([tmp_path])
    for run in strange:
        for one, two in ((ours, run), (run, ours)):
            blocks = list(difference_blocks(one, two))
            assert blocks_printed(blocks)
            assert as_markdown(blocks)


def test_the_machine_is_a_text_or_nothing(tmp_path: Path) -> None:
    for number, device in enumerate([{"a": 1}, ["x"], 3, None, "cuda"]):
        make(tmp_path / str(number), file="environment.json", path=("device",), value=device)
    make(tmp_path / "5", file="summary.json", path=("device",), value=["x"])
    assert [value_of(run, "machine") for run in read_runs([tmp_path])] == [*["cpu"] * 4, "cuda", "cpu"]
