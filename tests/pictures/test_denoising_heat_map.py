"""The heat map of the denoising matrix: every gain is written, in its place and colour, whatever the number of runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from autoenc.pictures.denoising_heat_map import SCALE, DenoisingHeatMap
from tests.pictures.pages import all_of, check_layout, draw, written

COLUMNS = 3 * ["gaussian (std)"] + ["salt and pepper (probability)"] + 2 * ["occlusion, value 1 (size)"] + ["a and b"]


def matrix_of(runs: int, *, name: str = "conv, noise {}") -> DenoisingHeatMap:
    """The gain in row r and column c is r - c, and over the median 20 less."""
    gains = np.subtract.outer(np.arange(float(runs)), np.arange(float(len(COLUMNS))))
    return DenoisingHeatMap(
        runs=tuple(name.format(number) for number in range(runs)),
        kinds=tuple(COLUMNS),
        severities=("0.1", "0.3", "0.5", "0.2", "0.2", "0.4", ""),
        over_nothing=gains,
        over_median=gains - 20,
        trained_on=np.eye(runs, len(COLUMNS), dtype=bool),
        averaged=np.arange(len(COLUMNS)) < 3,
        mean_over_nothing=gains[:, :3].mean(1),
        mean_over_median=gains[:, :3].mean(1) - 20,
        images=1234,
    )


def frames(figure: Figure) -> int:
    return sum(isinstance(patch, Rectangle) and not patch.get_fill() for axes in figure.axes for patch in axes.patches)


@pytest.mark.parametrize("runs", [1, 12])
@pytest.mark.parametrize("name", ["conv {}", "a/very/long/path/to/the/folder/of/a/run/on/a/shared/file/system/{}"])
def test_every_gain_is_written_and_the_page_is_legible(runs: int, name: str) -> None:
    figure = draw(matrix_of(runs, name=name))
    check_layout(figure)
    texts = written(figure)
    gains = [gain - below for below in (0, 20) for row in range(runs) for gain in [row - 1, *range(row, row - 7, -1)]]
    expected = [f"{gain:+.1f}".replace("-", "\N{MINUS SIGN}") for gain in gains]  # the mean is that of the first three
    assert sorted(text for text in texts if text.endswith(".0")) == sorted(expected)
    for text in ("Gain over doing nothing, in dB, on 1,234 test images", "Gain over a 3x3 median filter", "a and b"):
        assert text in all_of(figure)
    assert "The mean leaves out noises that are only shown because a model was trained on them." in all_of(figure)
    assert frames(figure) == 2 * min(runs, 7)


def test_the_colours_are_the_same_in_every_picture_and_negative_zero_is_not_written() -> None:
    matrix = matrix_of(1)
    matrix.over_nothing[:] = -0.04
    figure = draw(matrix)
    assert "\N{MINUS SIGN}0.0" not in written(figure)
    assert "+0.0" in written(figure)
    red, _, blue = (int(value) for value in SCALE.pixels(np.array([5.0]))[0])
    assert blue > red  # a gain
    np.testing.assert_array_equal(SCALE.pixels(np.array([-30.0])), SCALE.pixels(np.array([-10.0])))


def test_the_numbers_are_stored(tmp_path: Path) -> None:
    matrix = matrix_of(2)
    matrix.draw(tmp_path, title="a title")
    stored = DenoisingHeatMap.load(tmp_path / "denoising_heat_map.npz")
    assert (stored.runs, stored.kinds, stored.images) == (matrix.runs, matrix.kinds, 1234)
    np.testing.assert_array_equal(stored.over_median, matrix.over_median)
    np.testing.assert_array_equal(stored.trained_on, matrix.trained_on)
