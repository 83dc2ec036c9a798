from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from autoenc.comparison.report import reconstructions as module
from autoenc.comparison.report.reconstructions import reconstructions
from tests.comparison.report_examples import record, save_arrays, save_reconstructions, smooth_images


def pixels(sprite: str) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(sprite))))


def test_runs_with_the_same_test_images_share_a_matrix(tmp_path: Path) -> None:
    runs = [record(tmp_path, name) for name in "abcd"]
    colour = smooth_images(4, side=9, channels=3, seed=7)
    save_reconstructions(runs[0], seed=1)
    save_reconstructions(runs[1], clean=colour)
    save_reconstructions(runs[3], seed=2)
    document, notes = reconstructions(runs)
    assert notes == []
    assert [[column["run"] for column in matrix["runs"]] for matrix in document] == [[0, 3], [1]]
    grey, coloured = document
    assert (grey["channels"], grey["height"], grey["width"], len(grey["captions"])) == (1, 28, 28, 10)
    assert (coloured["channels"], coloured["height"], coloured["captions"]) == (3, 9, ["0", "1", "2", "3"])
    assert pixels(grey["clean"]).shape == (280, 28)
    assert pixels(coloured["clean"]).shape == (36, 9, 3)
    assert np.array_equal(pixels(coloured["clean"])[9:18], np.rint(255 * colour[1]).transpose(1, 2, 0))
    assert all(column["noisy"] == -1 for column in grey["runs"])


def test_errors_are_of_the_numbers_and_nan_is_white(tmp_path: Path) -> None:
    run = record(tmp_path, "a")
    diverged = record(tmp_path, "b")
    clean = np.zeros((2, 1, 4, 4), np.float32)
    final = clean.copy()
    final[0] = 0.001
    final[1, 0, 0, 0] = 2.0
    for saved, images in ((run, final), (diverged, np.full_like(clean, np.nan))):
        path = saved.path / "figures" / "reconstructions.npz"
        save_arrays(path, {"captions": ["x", "y"]}, clean=clean, given=clean, final=images)
    (matrix,) = reconstructions([run, diverged]).document
    column, white = matrix["runs"]
    assert column["mse"] == [1e-6, 0.25]
    assert column["remark"] == "clipped to 0…1"
    assert pixels(column["final"])[4, 0] == 255
    assert 0 < matrix["highestError"] <= 1
    assert (white["mse"], white["remark"]) == (["NaN", "NaN"], "not a number: white")
    assert (pixels(white["final"]) == 255).all()


def test_equal_noisy_inputs_are_kept_once(tmp_path: Path) -> None:
    runs = [record(tmp_path, name) for name in "abc"]
    for run, noise in zip(runs, (0.0, 0.3, 0.3), strict=True):
        save_reconstructions(run, noise=noise)
    (matrix,) = reconstructions(runs).document
    assert [column["noisy"] for column in matrix["runs"]] == [-1, 0, 0]
    assert len(matrix["noisy"]) == 1
    assert not np.array_equal(pixels(matrix["noisy"][0]), pixels(matrix["clean"]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"final": np.zeros((3, 1, 4, 4), np.float32)}, "'clean' of shape"),
        ({"clean": np.zeros((2, 2, 4, 4), np.float32)}, "cannot be shown as images"),
        ({"clean": np.zeros((0, 1, 4, 4), np.float32)}, "cannot be shown as images"),
        ({"clean": np.zeros((2, 1, 4, 4000), np.float32)}, "cannot be shown as images"),
        ({"clean": np.zeros((2, 4, 4), np.float32)}, "not of 4 dimensions"),
    ],
)
def test_a_malformed_file_is_noted_with_the_reason(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    images = np.zeros((2, 1, 4, 4), np.float32)
    stored = {"clean": images, "given": images, "final": images} | change
    bad, good = record(tmp_path, "bad"), record(tmp_path, "good")
    save_arrays(bad.path / "figures" / "reconstructions.npz", {"captions": ["a", "b"]}, **stored)
    save_reconstructions(good)
    document, notes = reconstructions([bad, good])
    assert [column["run"] for matrix in document for column in matrix["runs"]] == [1]
    assert len(notes) == 1
    assert notes[0].startswith("bad: reconstructions.npz has ")
    assert words in notes[0]


def test_images_are_left_out_if_there_is_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CHARACTERS", 12_000)
    runs = [record(tmp_path, str(number)) for number in range(8)]
    for number, run in enumerate(runs):
        save_reconstructions(run, seed=number)
    (matrix,), notes = reconstructions(runs)
    assert len(matrix["captions"]) == module.FEWEST_IMAGES
    assert pixels(matrix["clean"]).shape == (28 * module.FEWEST_IMAGES, 28)
    assert len(matrix["runs"][0]["mse"]) == module.FEWEST_IMAGES
    assert 0 < len(matrix["runs"]) < 8
    assert any("the first are shown" in note for note in notes)
    assert any(f"of {8 - len(matrix['runs'])} runs are left out" in note for note in notes)
