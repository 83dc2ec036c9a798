"""Scales, limits and ticks of axes."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from autoenc.pictures.axis_ticks import integer_ticks, number, setting_axis, value_axis
from autoenc.pictures.charts import chart_axes
from autoenc.pictures.panels import panel_page
from tests.pictures.pages import check_layout, drawn


def chart(low: float, high: float) -> Figure:
    """Axes whose both directions have the same values."""

    def make() -> Figure:
        page, (corner,), _ = panel_page([""], width=1500, height=800, columns=1, title="t", line="")
        axis = value_axis(np.array([low, high]), unit="an error")
        chart_axes(page, corner, width=1500, height=800, upright=axis, across=axis, labels=("up", "across"))
        return page.figure

    return drawn(make)


@pytest.mark.parametrize(("low", "ratio"), [(0.0123, 1), (3e-7, 1.01), (7e4, 1.5), (0.0123, 30), (7e4, 1e20)])
def test_ticks_are_few_and_labelled_apart(low: float, ratio: float) -> None:
    figure = chart(low, low * ratio)
    (axes,) = figure.axes
    check_layout(figure)
    for axis in (axes.xaxis, axes.yaxis):
        ticks = [tick for tick in axis.get_major_ticks() if tick.label1.get_text()]
        assert 3 <= len(ticks) <= 9
        assert len({tick.label1.get_text() for tick in ticks}) == len(ticks)
        for tick in ticks:
            text = tick.label1.get_text().replace("\N{MINUS SIGN}", "-")
            assert len(text) <= 12
            assert float(text) == pytest.approx(tick.get_loc(), rel=1e-6)


def test_ticks_of_a_narrow_range_have_equal_decimals() -> None:
    assert value_axis(np.array([0.0200, 0.0217]), unit="").labels == ["0.0200", "0.0205", "0.0210", "0.0215"]


def test_minor_ticks_are_not_labelled() -> None:
    (axes,) = chart(0.01, 1).axes
    assert len(axes.yaxis.get_minorticklocs()) > 10
    assert not any(tick.label1.get_text() for tick in axes.yaxis.get_minor_ticks())


@pytest.mark.parametrize(
    ("values", "unit", "scale", "name"),
    [
        ([0.001, 0.011], "mean squared error per pixel", "log", "log"),
        ([1.0, 30.0], "validation psnr: decibels", "log", "linear"),
        ([1.0, 30.0], "anything", "linear", "linear"),
        ([10.0, 500.0], "nats an image, Bernoulli likelihood", "log", "linear"),
    ],
)
def test_only_errors_are_logarithmic(values: list[float], unit: str, scale: str, name: str) -> None:
    axis = value_axis(np.array(values), unit=unit, scale=scale)
    assert (axis.name, axis.note) == (name, "log scale" if name == "log" else "")


@pytest.mark.parametrize("values", [[10.0, -3.0], [0.0]])
def test_an_axis_is_linear_with_a_note_if_values_are_not_positive(values: list[float]) -> None:
    axis = value_axis(np.array(values), unit="a loss")
    assert (axis.name, axis.note) == ("linear", "linear axis: not all values are above 0")
    assert len(axis.ticks) >= 3
    assert axis.low < min(values) <= max(values) < axis.high


@pytest.mark.parametrize(
    ("values", "logarithmic", "ticks"),
    [([1.0, 5.0], False, [1, 2, 3, 4, 5]), ([2.0, 64.0], True, [2, 5, 10, 20, 50]), ([0.5, 0.5], False, [0.4])],
)
def test_ticks_of_a_setting(values: list[float], logarithmic: bool, ticks: list[float]) -> None:
    axis = setting_axis(values, logarithmic=logarithmic)
    assert set(ticks) <= set(axis.ticks)
    assert axis.low < min(values) <= max(values) < axis.high


@pytest.mark.parametrize(
    ("last", "ticks"),
    [(1, [1]), (7, [1, 2, 3, 4, 5, 6, 7]), (12, [1, 2, 4, 6, 8, 10, 12]), (101, [1, *range(10, 101, 10)])],
)
def test_epoch_ticks(last: int, ticks: list[int]) -> None:
    assert integer_ticks(1, last) == ticks


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.02, "0.02000"),
        (56789.0, "56789"),
        (1.5e-7, "1.500e\N{MINUS SIGN}7"),
        (2e9, "2.000e9"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text
