"""The colours of classes, runs, splits and values, for readers with normal and colour-deficient vision."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex

from autoenc.palette import CLASS_COLORS
from autoenc.pictures import applied_pictures, gradients, scores_by_run, sparsity, spectrum
from autoenc.pictures.class_colors import look
from autoenc.pictures.page import FRAME
from tests.pictures.color_vision import VISIONS, as_seen, ciecam02, least_distance

LEAST = {"normal": 26.0, "protanopia": 19.0, "deuteranopia": 19.0, "tritanopia": 15.0}
PAIRS = {
    "gradients": (gradients.BEFORE, gradients.AFTER),
    "sparsity": (sparsity.ZEROS, sparsity.HOYER),
    "splits": tuple(color for _, _, color in scores_by_run.LOOKS.values()),
    "spectrum": spectrum.COLORS,
    "histograms": (applied_pictures.FIRST, applied_pictures.ORDINARY_EDGE),
}


def test_the_appearance_model_on_its_published_example() -> None:
    """CIE 159:2004, the first of its worked examples."""
    lightness, colorfulness, hue = ciecam02([[19.01, 20.0, 21.78]], white=[95.05, 100.0, 108.88], adapting=318.31)
    assert lightness == pytest.approx([41.73], abs=0.01)
    assert colorfulness == pytest.approx([0.11], abs=0.01)
    assert np.degrees(hue) % 360 == pytest.approx([219.0], abs=0.1)


@pytest.mark.parametrize("vision", VISIONS)
def test_ten_classes_can_be_told_apart(vision: str) -> None:
    assert len(CLASS_COLORS) == 10
    assert least_distance(CLASS_COLORS, vision) >= LEAST[vision]


def test_no_class_is_grey_like_a_baseline() -> None:
    assert np.linalg.norm(as_seen(CLASS_COLORS, "normal")[:, 1:], axis=1).min() >= 20
    assert least_distance([*CLASS_COLORS, FRAME], "normal") >= 22


def test_neighbours_differ_in_colour_and_marker_and_seventy_classes_in_one_of_them() -> None:
    looks = [look(index) for index in range(70)]
    assert len(set(looks)) == 70
    assert look(70) == look(99) == (FRAME, "o")
    for one, other in itertools.pairwise(looks):
        assert one.color != other.color
        assert one.marker != other.marker


@pytest.mark.parametrize("colors", PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("vision", VISIONS)
def test_the_few_colours_of_a_chart_can_be_told_apart(colors: Sequence[str], vision: str) -> None:
    assert least_distance(colors, vision) >= 15


@pytest.mark.parametrize("name", ["Reds", "viridis"])
@pytest.mark.parametrize("vision", VISIONS)
def test_the_lightness_of_a_scale_of_amounts_is_monotonic(name: str, vision: str) -> None:
    steps = np.diff(as_seen([to_hex(mpl.colormaps[name](share)) for share in np.linspace(0, 1, 21)], vision)[:, 0])
    assert (np.sign(steps) == np.sign(steps[0])).all()


@pytest.mark.parametrize("vision", ["normal", "protanopia", "deuteranopia"])
def test_the_signs_of_a_scale_around_zero_can_be_told_apart(vision: str) -> None:
    for share in (0.25, 0.1, 0.0):
        ends = [to_hex(mpl.colormaps["RdBu"](place)) for place in (share, 1 - share)]
        assert least_distance(ends, vision) >= 20
