from __future__ import annotations

from pathlib import Path

import pytest

from autoenc.comparison.report import curves as module
from autoenc.comparison.report.curves import curves
from tests.comparison.report_examples import VARIATIONAL, history, record, summary


def test_curves_have_epochs_seconds_and_splits(tmp_path: Path) -> None:
    run = record(tmp_path, "a", history=history(3, start=0.3))
    document, notes = curves([run, record(tmp_path, "b", history=())])
    assert document["names"][:2] == ["loss", "mse"]
    assert document["scales"][:2] == ["log", "log"]
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
    assert 0.9 * module.MOST_POINTS < len(found["epoch"]) <= module.MOST_POINTS
    assert (found["epoch"][0], found["epoch"][-1]) == (1, 5000)
    assert 99 in found["series"]["train/loss"]
    assert 1e-9 in found["series"]["validation/loss"]
    assert found["seconds"][-1] == 10_000
    assert sorted(set(found["epoch"])) == found["epoch"]
    assert "thinned" in notes[0]


def test_many_curves_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_NUMBERS", 3000)
    runs = [record(tmp_path, str(number), history=history(100)) for number in range(40)]
    document, notes = curves(runs)
    numbers = sum(len(run["epoch"]) * (2 + len(run["series"])) for run in document["runs"] if run is not None)
    assert numbers <= 3000
    shown = sum(run is not None for run in document["runs"])
    assert 0 < shown < 40
    assert f"first {shown} runs of 40" in notes[0]


def test_the_first_ten_curves_are_kept(tmp_path: Path) -> None:
    row = {"epoch": 1, **{f"train/other {n}": 0.5 for n in range(30)}, "train/loss": 0.5}
    document, notes = curves([record(tmp_path, "a", history=[row])])
    assert len(document["names"]) == module.MOST_NAMES
    assert document["names"][0] == "loss"
    assert notes[0].startswith("Curves of other 9, other 10, ")
    assert notes[0].endswith(" and 13 more are left out to keep this page small.")
