"""Boxes of the test error by class: their quantiles, their places, what is said."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from autoenc.pictures.class_colors import look
from autoenc.pictures.error_by_class import ErrorByClass
from autoenc.pictures.picture import Panel
from tests.pictures.pages import all_of, draw


def errors(**changed: Any) -> ErrorByClass:
    """Of class "cat" the errors 0, 0.01, ..., 1; of class "dog" half of these; of class "eel" none."""
    cat = np.linspace(0, 1, 101)
    fields: dict[str, Any] = {
        "errors": np.concatenate([cat, cat / 2]).astype(np.float32),
        "labels": np.repeat([0, 1], 101),
        "class_names": ("cat", "dog", "eel"),
        "noisy": False,
    }
    return ErrorByClass(**{**fields, **changed})


def bars(axes: Axes) -> list[tuple[float, float, float]]:
    """Of each box: its left and right end, and its middle."""
    boxes = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    return [(box.get_x(), box.get_x() + box.get_width(), box.get_y() + box.get_height() / 2) for box in boxes]


def test_a_box_reaches_from_quartile_to_quartile() -> None:
    (axes,) = draw(errors()).axes
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "all\n202 images",
        "cat\n101 images",
        "dog\n101 images",
    ]
    _, cat, dog = bars(axes)
    assert cat == pytest.approx((0.25, 0.75, 1), abs=1e-6)
    assert dog == pytest.approx((0.125, 0.375, 2), abs=1e-6)
    segments = [collection.get_segments() for collection in axes.collections]  # type: ignore[attr-defined]
    whiskers, median = np.array(segments[2]), np.array(segments[3])  # of cat
    assert np.allclose(whiskers[:, :, 0], [[0.05, 0.25], [0.75, 0.95]], atol=1e-6)
    assert np.allclose(median[:, :, 0], 0.5)
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first row stands above
    assert axes.get_xlim()[0] == 0


def test_the_median_is_written_beside_a_single_box() -> None:
    figure = draw(errors())
    assert "median 0.5000" in all_of(figure)
    assert "median 0.2500" in all_of(figure)
    box = figure.axes[0].get_window_extent()
    assert all(text.get_window_extent().x1 <= box.x1 for text in figure.axes[0].texts)


def test_runs_stand_in_one_row_each_in_its_colour() -> None:
    half = errors(errors=errors().errors / 2)
    figure = draw(Panel("conv", errors()), Panel("linear", half))
    (axes,) = figure.axes
    found = bars(axes)
    assert found[2][:2] == pytest.approx((0.25, 0.75), abs=1e-6)
    assert found[3][:2] == pytest.approx((0.125, 0.375), abs=1e-6)
    assert found[2][2] < 1 < found[3][2]
    colors = [patch.get_facecolor() for patch in axes.patches[2:4]]
    assert len(set(colors)) == 2
    assert look(0).color != look(1).color
    names = {text.get_text() for text in figure.texts}
    assert {"conv", "linear"} <= names
    heights = sorted((patch.get_y(), patch.get_y() + patch.get_height()) for patch in axes.patches)  # type: ignore[attr-defined]
    assert all(above[1] <= below[0] for above, below in itertools.pairwise(heights))


def test_what_is_measured_is_all_of() -> None:
    assert "noisy" not in all_of(draw(errors()))
    noisy = draw(errors(noisy=True))
    assert "squared error per pixel from the noisy input, pixels in [0, 1]" in all_of(noisy)
    assert "of the noisy image against the clean one" in all_of(noisy)
    mixed = all_of(draw(Panel("a", errors()), Panel("b", errors(noisy=True))))
    assert "against the clean one (of runs with noise)" in mixed


def test_errors_that_are_not_finite_are_left_out_and_counted() -> None:
    values = errors().errors.copy()
    values[0] = np.nan
    values[101:] = np.inf
    figure = draw(errors(errors=values))
    assert "102 errors are not finite and left out." in all_of(figure)
    assert "no finite error" in all_of(figure)
    assert len(bars(figure.axes[0])) == 2
    assert "no finite error" in all_of(draw(errors(errors=np.full(202, np.nan))))


def test_sixty_two_classes_and_names_have_room() -> None:
    labels = np.arange(620) % 62
    picture = errors(errors=labels / 1000, labels=labels, class_names=tuple(f"a long name {i}" for i in range(62)))
    ticks = [text.get_window_extent() for text in draw(picture).axes[0].get_yticklabels()]
    assert len(ticks) == 63
    assert not any(box.padded(-1).overlaps(other.padded(-1)) for box, other in itertools.pairwise(ticks))
    assert all(box.x0 >= 0 for box in ticks)
