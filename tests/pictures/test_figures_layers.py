"""The pictures with a row for each layer: sparsity, and gradients."""

from __future__ import annotations

import numpy as np
import pytest

from autoenc.pictures.gradients import Gradients
from autoenc.pictures.sparsity import Sparsity
from tests.pictures.pages import all_of, check_layout, draw, written

ARROW = "\N{NO-BREAK SPACE}\N{RIGHTWARDS ARROW}\N{NO-BREAK SPACE}"


def sparsity(count: int = 3) -> Sparsity:
    layers = (*(f"layer {number} (Sigmoid)" for number in range(1, count)), "code")
    return Sparsity(layers=layers, zeros=np.linspace(0, 1, count), hoyer=np.linspace(0.9, 0.1, count))


def gradients(count: int = 4) -> Gradients:
    layers = tuple(f"encoder {number}: 100{ARROW}{number}, 3 by 3 transposed" for number in range(count))
    return Gradients(layers=layers, before=np.logspace(0, 1 - count, count), after=np.full(count, 0.02), images=1024)


def test_bars_are_as_long_as_the_numbers_and_carry_them() -> None:
    shown = Sparsity(layers=("layer 1 (ReLU)", "code"), zeros=np.array([0.5, 0.0]), hoyer=np.array([0.25, 1.0]))
    found = draw(shown)
    (axes,) = found.axes
    zeros, hoyer = axes.containers
    assert [bar.get_width() for bar in zeros] == [0.5, 0.0]
    assert [bar.get_width() for bar in hoyer] == [0.25, 1.0]
    assert {"zeros 0.500", "Hoyer 0.250", "zeros 0.000", "Hoyer 1.000", "layer 1 (ReLU)", "code"} <= set(written(found))
    assert axes.get_xlim() == (0, 1)
    tops = [axes.transData.transform((0, bar.get_y()))[1] for bar in zeros]
    assert tops[0] > tops[1]  # the image's side first


def test_what_is_not_defined_is_said() -> None:
    shown = Sparsity(layers=("code",), zeros=np.array([0.0]), hoyer=np.array([np.nan]))
    assert "Hoyer undefined" in written(draw(shown))


@pytest.mark.parametrize(("count", "panels"), [(1, 1), (12, 7)])
def test_rows_of_sparsity_fit(count: int, panels: int) -> None:
    found = draw(*(sparsity(max(1, count - index)) for index in range(panels)))
    check_layout(found)
    assert found.bbox.width <= 2200
    assert len(found.axes) == panels


def test_norms_are_drawn_before_and_after_on_one_logarithmic_axis() -> None:
    first = Gradients(layers=("a", "b"), before=np.array([1e-6, 1e-3]), after=np.array([0.1, 0.2]), images=1024)
    second = Gradients(layers=("a",), before=np.array([30.0]), after=np.array([10.0]), images=1024)
    found = draw(first, second)
    one, other = found.axes
    assert one.get_xscale() == "log"
    assert one.get_xlim() == other.get_xlim()
    before, after = (line.get_xydata().tolist() for line in one.lines)  # type: ignore[union-attr]
    assert before == [[1e-6, 0], [1e-3, 1]]
    assert after == [[0.1, 0], [0.2, 1]]
    assert one.get_ylim()[0] > one.get_ylim()[1]
    assert {"1.0e\N{MINUS SIGN}6", "1.0e\N{MINUS SIGN}3", "0.1", "0.2", "30", "10"} <= set(written(found))
    assert "mean over 1,024 training images" in all_of(found)


def test_norms_that_have_no_place_on_the_axis_are_written() -> None:
    shown = Gradients(layers=("a", "b", "c"), before=np.array([0, np.nan, np.inf]), after=np.ones(3), images=1)
    found = draw(shown)
    assert {"0", "NaN", "\N{INFINITY}"} <= set(written(found))
    assert np.isnan(found.axes[0].lines[0].get_xdata()).all()
    check_layout(found)
    check_layout(draw(Gradients(layers=("a",), before=np.zeros(1), after=np.zeros(1), images=1)))


@pytest.mark.parametrize(("count", "panels"), [(1, 1), (14, 4)])
def test_rows_of_gradients_fit(count: int, panels: int) -> None:
    found = draw(*(gradients(max(1, count - index)) for index in range(panels)))
    check_layout(found)
    assert found.bbox.width <= 2200
