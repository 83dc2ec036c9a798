from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from autoenc.comparison.report import code_maps as module
from autoenc.comparison.report.code_maps import code_maps
from autoenc.runs import RunRecord
from tests.comparison.report_examples import record, save_arrays, save_map


@pytest.fixture
def run(tmp_path: Path) -> RunRecord:
    found = record(tmp_path, "a")
    save_map(found)
    return found


def save_codes(run: RunRecord, points: Any, labels: Any, **values: Any) -> None:
    stored = {"class_names": ["x", "y"], "axis_labels": ["code 1", "code 2"], "notes": []} | values
    save_arrays(run.path / "figures" / "codes.npz", stored, points=np.asarray(points), labels=np.asarray(labels))


def save_grid(run: RunRecord, values: Any = None, **changes: Any) -> None:
    arrays = {"images": np.zeros((3, 4, 1, 2, 2), np.float16), "across": np.arange(4.0), "up": np.arange(3.0)[::-1]}
    save_arrays(run.path / "figures" / "decoder_grid.npz", values or {"code_size": 2}, **(arrays | changes))


def test_a_grid_is_one_image(run: RunRecord) -> None:
    (found,), notes = code_maps([run])
    assert notes == []
    assert (found["run"], found["rows"], found["columns"], found["height"]) == (0, 20, 20, 28)
    assert (found["across"], found["up"]) == ([-2, 2], [-1, 1])
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(found["sprite"]))))
    assert image.shape == (560, 560)
    assert image[:28, -28:].mean() > image[:28, 280:308].mean() > image[:28, :28].mean()


def test_codes_have_their_place_on_the_map(run: RunRecord) -> None:
    half = 4 / 19 / 2  # the map reaches half a cell beyond its outer codes
    save_codes(
        run, [[-2 - half, -1 - half / 2], [2 + half, 1 + half / 2], [0, 0], [9, 0], [np.nan, 0]], [0, 1, 1, 0, 0]
    )
    (found,), _ = code_maps([run])
    places = np.frombuffer(base64.b64decode(found["points"]), "<u2").reshape(-1, 2)
    assert np.abs(places.astype(int) - [[0, 0], [65535, 65535], [32768, 32768]]).max() <= 1
    assert base64.b64decode(found["labels"]) == b"\0\1\1"
    assert (found["classes"], found["pointsOf"], found["pointsDrawn"], found["pointsInside"]) == (["x", "y"], 5, 5, 3)


def test_projected_codes_are_not_on_the_map(run: RunRecord) -> None:
    save_codes(run, [[0.0, 0.0]], [0], axis_labels=["principal component 1", "principal component 2"])
    (found,), notes = code_maps([run])
    assert "points" not in found
    assert notes == []


@pytest.mark.parametrize(
    ("points", "labels", "values"),
    [
        ([[0.0, 0.0]], [0, 1], {}),
        ([[0.0, 0.0]], [2], {}),
        ([[0.0, 0.0]], [0], {"class_names": ["x"] * 101}),
        ([[0.0, 0.0]], [0], {"class_names": None}),
    ],
)
def test_codes_that_are_something_else_cost_only_themselves(
    run: RunRecord, points: Any, labels: Any, values: dict[str, Any]
) -> None:
    save_codes(run, points, labels, **values)
    (found,), notes = code_maps([run])
    assert "points" not in found
    assert notes[0].startswith("a: codes.npz has ")


@pytest.mark.parametrize(
    "changes",
    [
        {"across": np.arange(5.0)},
        {"across": np.array([0.0, 1, 2, np.nan])},
        {"across": np.array([0.0, 1, 2, 30])},
        {"images": np.zeros((3, 4, 2, 2, 2), np.float32)},
        {"images": np.zeros((1, 4, 1, 2, 2), np.float32), "up": np.zeros(1)},
    ],
)
def test_a_malformed_grid_is_noted(tmp_path: Path, changes: dict[str, Any]) -> None:
    run = record(tmp_path, "a")
    save_grid(run, **changes)
    document, notes = code_maps([run])
    assert document == []
    assert notes[0].startswith("a: decoder_grid.npz has ")


def test_one_dimensional_codes_have_no_map(tmp_path: Path) -> None:
    run = record(tmp_path, "a")
    save_grid(run, {"code_size": 1}, images=np.zeros((1, 4, 1, 2, 2), np.float32), up=np.zeros(1))
    assert code_maps([run]) == ([], [])


def test_many_maps_are_coarser_and_the_last_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CHARACTERS", 30_000)
    runs = [record(tmp_path, str(number)) for number in range(12)]
    for run in runs:
        save_map(run, points=10)
    document, notes = code_maps(runs)
    assert 1 < len(document) < 12
    assert {(found["rows"], found["columns"]) for found in document} == {(10, 10)}
    assert document[0]["across"] == [-2, pytest.approx(2 - 4 / 19, abs=1e-5)]
    assert any("fewer decoded codes" in note for note in notes)
    assert any(f"maps of {12 - len(document)} runs are left out" in note for note in notes)


def test_codes_are_thinned(run: RunRecord) -> None:
    save_codes(run, np.zeros((10_000, 2)), np.zeros(10_000, np.int64))
    (found,), _ = code_maps([run])
    assert found["pointsDrawn"] <= module.MOST_POINTS
    assert found["pointsOf"] == 10_000
