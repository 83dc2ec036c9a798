"""Outputs are written completely or not at all, and replace nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.application.application_cases import Given, do, names_in, pixels, told


def test_nothing_that_exists_is_replaced(finished: Path, given: Given) -> None:
    Path("out").mkdir()
    Path("out/mine.txt").write_text("mine")
    Path("codes.npz").write_text("mine")
    Path("scores_histogram.png").write_text("mine")
    assert "not empty" in told(finished, "images.npy", "out")
    assert "codes.npz: this file exists; --overwrite" in told(finished, "images.npy", "codes.npz", "encode")
    assert "scores_histogram.png: this file exists" in told(finished, "images.npy", "scores.csv", "score")
    assert "should be a folder" in told(finished, "images.npy", "codes.npz")
    assert "it must be the name of a .npz file" in told(finished, "images.npy", "codes", "encode")
    assert "it must be the name of a .csv file" in told(finished, "images.npy", "scores.npz", "score")
    Path("a.npz").mkdir()
    assert "this is a folder" in told(finished, "images.npy", "a.npz", "encode", overwrite=True)
    do(finished, "images.npy", "out", overwrite=True)
    do(finished, "images.npy", "codes.npz", "encode", overwrite=True)
    assert Path("out/mine.txt").read_text() == "mine"
    assert len(np.load("codes.npz")["codes"]) == 10


def test_pictures_are_not_written_among_those_that_are_read(finished: Path, given: Given) -> None:
    before = sorted(given.folder.rglob("*"))
    for output in ("pictures", "pictures/out", "."):
        assert "a place of their own" in told(finished, "pictures", output, overwrite=True)
    assert sorted(given.folder.rglob("*")) == before


def test_scores_are_not_written_over_the_pictures(finished: Path, given: Given) -> None:
    """The message does not recommend --overwrite."""
    content = (given.pictures / "0.png").read_bytes()
    for name in ("a.png", "a_histogram.png"):
        Path(name).write_bytes(content)
    there = "is there too; the results need a place of their own"
    assert told(finished, "a.png", "a.csv", "score", overwrite=True) == f"OUTPUT=a.png: INPUT {there}"
    message = told(finished, "images.npy", "a.csv", "score", baseline="a_histogram.png")
    assert message == f"OUTPUT=a_histogram.png: --baseline {there}"
    assert names_in(".") == ["a.png", "a_histogram.png", "images.npy", "pictures"]
    assert Path("a.png").read_bytes() == Path("a_histogram.png").read_bytes() == content


@pytest.mark.parametrize(("action", "output"), [("encode", "codes.npz"), ("score", "scores.csv")])
def test_an_interruption_leaves_no_incomplete_file(
    finished: Path, given: Given, monkeypatch: pytest.MonkeyPatch, action: str, output: str
) -> None:
    batches = 0

    def interrupted(run: object, images: Tensor) -> Tensor:
        nonlocal batches
        batches += 1
        if batches == 3:
            raise SystemExit(130)
        return torch.zeros(len(images), *([3] if action == "encode" else []))

    method = "encode" if action == "encode" else "errors"
    monkeypatch.setattr(f"autoenc.trained_model.TrainedModel.{method}", interrupted)
    with pytest.raises(SystemExit):
        do(finished, "images.npy", output, action, batch_size=2)
    assert batches == 3
    assert names_in(".") == ["images.npy", "pictures"]


def test_an_interrupted_folder_has_complete_pictures(
    finished: Path, given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = Image.Image.save

    def interrupted(image: Image.Image, path: Path, **options: Any) -> None:
        save(image, path, **options)
        if len(names_in("out")) > 4:
            path.write_bytes(path.read_bytes()[:20])
            raise KeyboardInterrupt

    monkeypatch.setattr("autoenc.application.reconstructions.THREADS", 1)
    monkeypatch.setattr(Image.Image, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        do(finished, "images.npy", "out", batch_size=2)
    assert names_in("out") == ["0.png", "1.png", "2.png", "3.png"]
    for path in Path("out").iterdir():
        assert pixels(path).shape == (8, 8)


def test_codes_that_are_not_finite_are_an_error(finished: Path, given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    def encode(run: object, images: Tensor) -> Tensor:
        codes = torch.zeros(len(images), 3)
        codes[1] = torch.nan
        return codes

    monkeypatch.setattr("autoenc.trained_model.TrainedModel.encode", encode)
    assert told(finished, "images.npy", "codes.npz", "encode") == "the model's output for 1 is not finite"
    assert not Path("codes.npz").exists()
