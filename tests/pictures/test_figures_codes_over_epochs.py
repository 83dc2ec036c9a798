"""The moving scatter: its frames, its axes, and the strip of still ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from autoenc.pictures import codes_over_epochs
from autoenc.pictures.codes_over_epochs import CodesOverEpochs
from autoenc.pictures.page import house_style
from autoenc.pictures.picture import Panel
from tests.pictures.pages import all_of, draw, written


def moving(epochs: int = 3, *, dimensions: int = 2, count: int = 40, **changed: Any) -> CodesOverEpochs:
    """Codes that move away from zero."""
    labels = np.arange(count) % 2
    ends = np.random.default_rng(0).standard_normal((count, dimensions)) + 3 * labels[:, None]
    points = np.linspace(0.1, 1, epochs)[:, None, None] * ends
    fields: dict[str, Any] = {
        "epochs": tuple(range(0, 5 * epochs, 5)),
        "points": points.astype(np.float32),
        "labels": labels,
        "class_names": ("cat", "dog"),
        "axis_labels": ("code 1", "code 2")[:dimensions],
        "notes": ("The first 40 test images.",),
    }
    return CodesOverEpochs(**{**fields, **changed})


def frames_of(picture: CodesOverEpochs) -> list[Figure]:
    with house_style():
        return list(picture.frames(title="t"))


def test_the_gif_has_a_frame_an_epoch_and_stays_at_the_last(tmp_path: Path) -> None:
    path = moving().draw(tmp_path, title="t")
    assert path == tmp_path / "codes_over_epochs.gif"
    assert sorted(found.name for found in tmp_path.iterdir()) == ["codes_over_epochs.gif", "codes_over_epochs.npz"]
    with Image.open(path) as gif:
        assert gif.n_frames == 3  # type: ignore[attr-defined]
        durations, corners = [], []
        for index in range(3):
            gif.seek(index)
            durations.append(gif.info["duration"])
            corners.append(gif.convert("RGB").getpixel((0, 0)))
    assert durations[0] == durations[1]
    assert durations[2] > 3 * durations[0]
    assert corners == [(255, 255, 255)] * 3


def test_each_frame_says_its_epoch_and_has_the_same_axes() -> None:
    frames = frames_of(moving())
    assert [[text for text in written(frame) if text.startswith(("epoch", "before"))] for frame in frames] == [
        ["before training"],
        ["epoch 5"],
        ["epoch 10"],
    ]
    assert len({(frame.axes[0].get_xlim(), frame.axes[0].get_ylim()) for frame in frames}) == 1
    assert len({tuple(frame.get_size_inches()) for frame in frames}) == 1
    picture = moving()
    for frame, points in zip(frames, picture.points, strict=True):
        drawn = np.asarray(frame.axes[0].collections[0].get_offsets())
        assert np.allclose(np.sort(drawn, axis=0), np.sort(points, axis=0), atol=1e-6)


def test_codes_beyond_the_axes_are_on_their_border_and_counted() -> None:
    points = moving(4, count=200).points.copy()
    points[2, 0] = [1e5, 0]
    frame = frames_of(moving(4, count=200, points=points))[2]
    assert frame.axes[0].get_xlim()[1] < 100
    assert np.asarray(frame.axes[0].collections[0].get_offsets())[:, 0].max() == frame.axes[0].get_xlim()[1]
    assert "1 of 800 codes is beyond the axes, drawn on their border." in all_of(frame)


def test_of_many_epochs_thirty_become_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes_over_epochs, "MOST_FRAMES", 3)
    said = [text for frame in frames_of(moving(9)) for text in written(frame) if text.startswith(("epoch", "before"))]
    assert said == ["before training", "epoch 20", "epoch 40"]


def test_the_still_picture_shows_eight_epochs_or_five_of_each_panel() -> None:
    alone = draw(moving(12))
    assert len(alone.axes) == 8
    beside = draw(Panel("a", moving(12)), Panel("b", dataclasses.replace(moving(2), points=10 * moving(2).points)))
    assert len(beside.axes) == 7
    tops = sorted({round(axes.get_window_extent().y1) for axes in beside.axes})
    assert len(tops) == 2
    assert "a" in written(beside)
    assert {axes.get_xlim() for axes in beside.axes[:5]} != {axes.get_xlim() for axes in beside.axes[5:]}
    assert len({axes.get_xlim() for axes in beside.axes[:5]}) == 1
    assert "Each row has axes of its own." in all_of(beside)


def test_single_numbers_are_histograms() -> None:
    frame = frames_of(moving(2, dimensions=1))[0]
    assert [text.get_text() for text in frame.axes[0].get_yticklabels()] == ["dog", "cat"]
