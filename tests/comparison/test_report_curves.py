from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from autoenc.comparison.report import curves as module
from autoenc.comparison.report.curves import curves
from tests.comparison.report_examples import VARIATIONAL, history, record, summary


def test_curves_have_epochs_seconds_and_splits(tmp_path: Path) -> None:
    run = record(tmp_path, "a", history=history(3, start=0.3))
    document, notes = curves([run, record(tmp_path, "b", history=())])
    assert document["names"][:2] == ["loss", "mse"]
    assert "seconds" not in document["names"]
    assert document["runs"][1] is None
    found = document["runs"][0]
    assert found["epoch"] == [1, 2, 3]
    assert found["seconds"] == [2, 4, 6]
    assert found["series"]["train/loss"] == [0.3, 0.15, 0.1]
    assert found["series"]["validation/mse"] == [0.33, 0.165, 0.11]
    assert "train/mse" not in found["series"]
    assert found["units"][0] == "mean squared error per pixel"
    assert notes == []


def test_a_running_run_has_the_unit_of_one_with_the_same_loss(tmp_path: Path) -> None:
    gaussian = {"bottleneck": {"name": "gaussian", "beta": 2.0}}
    runs = [
        record(tmp_path, "a"),
        record(tmp_path, "b", settings=gaussian, summary=summary(0.1, units=VARIATIONAL)),
        record(tmp_path, "c", settings=gaussian, state="running"),
        record(tmp_path, "d", settings={"loss": {"name": "l1"}}, state="running"),
    ]
    units = [run["units"][0] for run in curves(runs).document["runs"]]
    assert units == ["mean squared error per pixel", VARIATIONAL["loss"], VARIATIONAL["loss"], ""]


def test_long_curves_are_thinned_but_keep_their_ends_and_extremes(tmp_path: Path) -> None:
    rows = history(5000)
    rows[1234]["train/loss"] = 99.0
    rows[2345]["validation/loss"] = 1e-9
    document, notes = curves([record(tmp_path, "a", history=rows)])
    found = document["runs"][0]
    assert len(found["epoch"]) <= module.MOST_POINTS
    assert len(found["epoch"]) > 0.9 * module.MOST_POINTS
    assert (found["epoch"][0], found["epoch"][-1]) == (1, 5000)
    assert 99 in found["series"]["train/loss"]
    assert 1e-9 in found["series"]["validation/loss"]
    assert found["seconds"][-1] == 10_000
    assert sorted(set(found["epoch"])) == found["epoch"]
    assert "thinned" in notes[0]


def test_all_curves_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_NUMBERS", 3000)
    runs = [record(tmp_path, str(number), history=history(100)) for number in range(40)]
    document, notes = curves(runs)
    numbers = sum(len(run["epoch"]) * (2 + len(run["series"])) for run in document["runs"] if run is not None)
    assert numbers <= 3000
    shown = sum(run is not None for run in document["runs"])
    assert 0 < shown < 40
    assert f"first {shown} runs of 40" in notes[0]


def test_only_so_many_kinds_of_curves_are_kept(tmp_path: Path) -> None:
    row = {"epoch": 1, **{f"train/other {n}": 0.5 for n in range(30)}, "train/loss": 0.5}
    document, notes = curves([record(tmp_path, "a", history=[row])])
    assert len(document["names"]) == module.MOST_NAMES
    assert document["names"][0] == "loss"
    assert notes == [
        "Curves of other 9, other 10, other 11, other 12, other 13, other 14, other 15, other 16 and 13 more are left "
        "out to keep this page small."
    ]


def test_what_is_left_out_is_said_briefly_however_much_it_is(tmp_path: Path) -> None:
    rows = [[{f"{run} {number} {'x' * 300}": 0.5 for number in range(1000)}] for run in range(5)]
    _, notes = curves([record(tmp_path, str(run), history=row) for run, row in enumerate(rows)])
    (note,) = notes
    assert len(note) < 1000
    assert note.endswith("x… and 4992 more are left out to keep this page small.")


def test_whatever_stands_in_a_row_it_is_json(tmp_path: Path) -> None:
    wild: list[Any] = [
        {},
        {"epoch": "one", "train/loss": None, "validation/loss": "low"},
        {"epoch": 2, "train/loss": math.nan, "validation/loss": 10**400},
        {"epoch": True, "train/loss": [1], "seconds": math.inf},
        {"epoch": 4, "train/loss": 0.5, "constructor": 1.0, "__proto__": 2.0, "train/\x1b[2J": 1, "x" * 999: 2},
    ]
    document, notes = curves([record(tmp_path, "a", history=wild)])
    json.dumps(document, allow_nan=False)
    assert notes == [f"Curves of \\x1b[2J and {'x' * 59}… are left out to keep this page small."]
    found = document["runs"][0]
    assert found["epoch"] == [1, 2, 2, 4, 4]
    assert found["seconds"] is None
    assert found["series"]["train/loss"] == [None, None, None, None, 0.5]
    assert set(document["names"]) == {"loss", "constructor", "__proto__"}
