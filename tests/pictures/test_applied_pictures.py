"""Pictures of what a model makes of a user's images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.image import FigureImage
from matplotlib.patches import StepPatch
from numpy.typing import NDArray

from autoenc.pictures import applied_pictures
from autoenc.pictures.applied_pictures import (
    ScoredPictures,
    draw_denoised,
    draw_error_histograms,
    draw_odd_pictures,
)
from autoenc.pictures.image_pixels import as_pixels
from tests.pictures.pages import all_of, check_layout, drawn

PATH = Path("x.png")
Images = NDArray[np.float64]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that would be saved, drawn."""
    found: list[Figure] = []
    monkeypatch.setattr(applied_pictures, "save", lambda figure, _: found.append(drawn(lambda: figure)))
    return found


def errors_of(count: int, *, seed: int) -> NDArray[np.float64]:
    return np.asarray(np.random.default_rng(seed).lognormal(-3, 1, count))


def histograms(errors: NDArray[np.float64], ordinary: NDArray[np.float64]) -> None:
    names = ("photos", "the run's test split")
    draw_error_histograms(errors, ordinary=ordinary, names=names, path=PATH, title="a title", line="a line")


def test_both_histograms_are_shares_of_their_own_set(figures: list[Figure]) -> None:
    ordinary, errors = errors_of(1000, seed=0), errors_of(200, seed=1)
    histograms(errors, ordinary)
    (axes,) = figures[0].axes
    assert axes.get_xscale() == "log"
    assert axes.get_ylim()[0] == 0
    patches = [patch for patch in axes.patches if isinstance(patch, StepPatch)]
    for patch, values in zip(patches, (ordinary, errors), strict=True):
        shares, edges, _ = patch.get_data()
        assert shares.sum() == pytest.approx(100)
        np.testing.assert_allclose(shares, 100 * np.histogram(values, bins=edges)[0] / len(values))
        assert shares.max() <= axes.get_ylim()[1]
    text = all_of(figures[0])
    for part in ("a title", "a line", "photos: 200", "the run's test split: 1,000", "share of the pictures (%)"):
        assert part in text
    check_layout(figures[0])


def test_few_pictures_are_a_line_each(figures: list[Figure]) -> None:
    errors = np.array([0.02, 0.5, 0.01])
    histograms(errors, errors_of(50, seed=0))
    (axes,) = figures[0].axes
    (lines,) = (item for item in axes.collections if isinstance(item, LineCollection))
    np.testing.assert_allclose([segment[0, 0] for segment in np.asarray(lines.get_segments())], errors)
    legend = axes.get_legend()
    assert legend is not None
    entries = [text.get_text() for text in legend.get_texts()]
    assert entries == ["the run's test split: 50", "photos: 3, a line for each"]


@pytest.mark.parametrize("errors", [np.zeros(40), np.full(40, 0.1)])
def test_errors_that_are_alike_or_zero_are_drawn(figures: list[Figure], errors: NDArray[np.float64]) -> None:
    histograms(errors, errors[::-1])
    check_layout(figures[0])
    assert ("not all values are above 0" in all_of(figures[0])) == (errors.min() == 0)


def random_images(count: int, shape: tuple[int, int, int], *, seed: int) -> Images:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)) / 255


def scored(count: int, shape: tuple[int, int, int], *, seed: int) -> ScoredPictures:
    images, made = random_images(count, shape, seed=seed), random_images(count, shape, seed=seed + 1)
    errors = ((images - made) ** 2).mean((1, 2, 3)).tolist()
    return ScoredPictures([f"a name {index}.png" for index in range(count)], images, made, errors)


def pixels(figure: Figure, *, count: int, height: int) -> list[Any]:
    """Of each row of so many images the pixels, from the top down, unscaled."""
    found = [image for image in figure.images if isinstance(image, FigureImage)]
    found.sort(key=lambda image: (-int(image.oy), int(image.ox)))
    arrays = [np.asarray(image.get_array()) for image in found]
    scale = len(arrays[0]) // height
    small = [array[::scale, ::scale] for array in arrays]
    return [np.stack(small[start : start + count]) for start in range(0, len(small), count)]


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 7)])
def test_odd_and_ordinary_pictures_have_their_reconstructions_and_errors(
    figures: list[Figure], shape: tuple[int, int, int]
) -> None:
    oddest, ordinary = scored(4, shape, seed=0), scored(4, shape, seed=2)
    draw_odd_pictures(oddest, ordinary=ordinary, path=PATH, title="a title")
    rows = pixels(figures[0], count=4, height=shape[1])
    assert len(rows) == 6
    for first, part in ((0, oddest), (3, ordinary)):
        assert np.array_equal(rows[first], as_pixels(part.images))
        assert np.array_equal(rows[first + 1], as_pixels(part.reconstructions))
    text = all_of(figures[0])
    assert "oddest" in text
    assert "most ordinary" in text
    assert f"MSE {oddest.errors[0]:.4f}" in text
    check_layout(figures[0])


def test_denoised_pictures_are_below_the_noisy_ones_and_changes_are_absolute(figures: list[Figure]) -> None:
    given = np.full((3, 3, 8, 8), 0.5)
    made = given.copy()
    made[0, :, :, :4] += 0.4
    made[0, :, :, 4:] -= 0.4
    made[1, :2] += 0.3  # in two of three channels: 0.2 on average
    draw_denoised(given, denoised=made, captions=list("abc"), path=PATH, title="t")
    rows = pixels(figures[0], count=3, height=8)
    assert np.array_equal(rows[0], as_pixels(given))
    assert np.array_equal(rows[1], as_pixels(made))
    assert figures[0].axes[0].get_xlim() == (0, 0.4)
    largest, middle, none = ({tuple(color) for color in row.reshape(-1, 3).tolist()} for row in rows[2])
    assert len(largest) == len(middle) == len(none) == 1
    assert sum(max(largest)) < sum(max(middle)) < sum(max(none))
