"""The chart of a search."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from autoenc.pictures.search_history import Objective, Setting, Tried, draw_search, search_history, search_settings
from tests.pictures.pages import all_of, check_layout, drawn, written

LABEL = "validation loss: mean squared error per pixel"
TRIED = [
    Tried(0, "finished", 0.3),
    Tried(1, "diverged", None),
    Tried(2, "finished", 0.1),
    Tried(3, "failed", None),
    Tried(4, "finished", 0.2),
]
RATE = Setting("optimizer.learning_rate", [1e-4, 0.5, 1e-2, 1e-3, 1e-1], True, None, 0.75)
BATCH = Setting("training.batch_size", ["32", "128", "128", "32", "64"], False, ["32", "64", "128"], None)


def history(*tried: Tried, higher_is_better: bool = False, scale: str = "log") -> Figure:
    return drawn(lambda: search_history(tried, Objective(LABEL, higher_is_better, scale)))


def panels(*settings: Setting, tried: Any = TRIED, scale: str = "log") -> Figure:
    return drawn(lambda: search_settings(tried, settings, Objective(LABEL, higher_is_better=False, scale=scale)))


def points(axes: Axes) -> list[list[float]]:
    (found,) = (item for item in axes.collections if item.get_label() == "finished")
    offsets = np.asarray(found.get_offsets())
    finite: list[list[float]] = offsets[np.isfinite(offsets[:, 1])].tolist()
    return finite


def lines(axes: Axes) -> dict[str, list[list[float]]]:
    return {str(line.get_label()): np.asarray(line.get_xydata()).tolist() for line in axes.lines}


def test_the_objective_by_trial_with_the_best_so_far() -> None:
    figure = history(*TRIED)
    (axes,) = figure.axes
    assert points(axes) == [[0, 0.3], [2, 0.1], [4, 0.2]]
    assert lines(axes)["best so far"] == [[0, 0.3], [1, 0.3], [2, 0.1], [3, 0.1], [4, 0.1]]
    assert lines(axes)["best"] == [[2, 0.1]]
    top = axes.get_ylim()[1]
    assert lines(axes)["diverged"] == [[1, top]]
    assert lines(axes)["failed"] == [[3, top]]
    assert {"best 0.1000", "trial"} <= set(written(figure))
    assert LABEL in all_of(figure)
    check_layout(figure)


def test_the_metric_decides_on_the_scale() -> None:
    axes = [*history(*TRIED, scale="linear").axes, *panels(RATE, scale="linear").axes]
    assert [part.get_yscale() for part in axes] == ["linear"] * 2


def test_where_more_is_better() -> None:
    (axes,) = history(*TRIED, higher_is_better=True).axes
    assert lines(axes)["best so far"] == [[number, 0.3] for number in range(5)]
    assert lines(axes)["best"] == [[0, 0.3]]
    assert lines(axes)["failed"] == [[3, axes.get_ylim()[0]]]


def test_each_setting_on_its_own_scale() -> None:
    figure = panels(RATE, BATCH)
    rate, batch = figure.axes
    assert points(rate) == [[1e-4, 0.3], [1e-2, 0.1], [1e-1, 0.2]]
    assert rate.get_xscale() == "log"
    assert rate.get_xlabel() == "log scale"
    assert lines(rate)["diverged"][0][0] == 0.5
    assert [round(x) for x, _ in points(batch)] == [0, 2, 1]
    assert [tick.get_text() for tick in batch.get_xticklabels()] == ["32", "64", "128"]
    assert batch.get_xscale() == "linear"
    assert batch.get_xlabel() == ""
    assert "optimizer.learning_rate importance 75%" in all_of(figure)
    assert "training.batch_size importance" not in all_of(figure)
    assert "functional ANOVA" in all_of(figure)
    assert "functional ANOVA" not in all_of(panels(BATCH))
    check_layout(figure)


def test_trials_of_one_choice_do_not_hide_one_another() -> None:
    one = Setting("kind", ["a"] * 5, False, ["a", "b"], None)
    across = [x for x, _ in points(panels(one).axes[0])]
    assert len({round(x, 2) for x in across}) == 3
    assert all(-0.3 < x < 0.3 for x in across)


@pytest.mark.parametrize(
    "setting",
    [
        Setting("rate", [0.5] * 5, True, None, None),
        Setting("rate", [-1e-5, 0.0, 1e-5, 2e-5, 0.0], False, None, None),
        Setting("architecture", ["conv"] * 5, False, ["conv", *(f"denoising_conv_{index}" for index in range(7))], 1),
        Setting("architecture.hidden", ["[512,256,128]"] * 5, False, ["[512,256,128]", "[64]"], None),
        Setting("some.very.long.key.that.has.no.room." * 3, [1, 2, 3, 4, 5], False, None, 0.5),
        Setting("limit", [1e5, 2e5, 3e6, 1e6, 1e4], True, None, 0.5),
    ],
)
def test_every_kind_of_setting_has_room(setting: Setting) -> None:
    check_layout(panels(*[setting] * 3))


@pytest.mark.parametrize("count", [1, 200])
def test_any_number_of_trials(count: int) -> None:
    tried = [Tried(number, "finished", 0.1 + math.sin(number) / 100) for number in range(count)]
    check_layout(history(*tried))
    rate = Setting("rate", [10 ** (-1 - number / count) for number in range(count)], True, None, None)
    check_layout(panels(rate, tried=tried))


def test_both_charts_are_in_one_picture(tmp_path: Path) -> None:
    path = tmp_path / "search.png"
    draw_search(TRIED, [RATE, BATCH], Objective(LABEL, higher_is_better=False), title="5 trials", path=path)
    with Image.open(path) as picture:
        assert picture.width == 1600
        assert picture.height > 1000
    assert [found.name for found in tmp_path.iterdir()] == ["search.png"]
