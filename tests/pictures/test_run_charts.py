"""Charts that compare runs: scores run by run, errors against a setting, and names at the ends of lines."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from matplotlib.figure import Figure

from autoenc.pictures.charts import BASELINE_COLOR, BASELINE_LINE, TRAINING_COLOR, VALIDATION_COLOR, spread
from autoenc.pictures.error_by_setting import Point, error_by_setting
from autoenc.pictures.scores_by_run import ScoreRow, scores_by_run
from tests.pictures.pages import all_of, check_layout, drawn, written


def lines(figure: Figure) -> dict[str, list[list[float]]]:
    """The points of each named line."""
    found = {str(line.get_label()): np.asarray(line.get_xydata()).tolist() for line in figure.axes[0].lines}
    return {name: points for name, points in found.items() if points and not name.startswith("_")}


@pytest.mark.parametrize(
    ("places", "apart", "moved"),
    [
        ([0.2, 0.8], 0.1, [0.2, 0.8]),
        ([0.52, 0.48], 0.1, [0.55, 0.45]),
        ([0.0, 1.0], 0.1, [0.05, 0.95]),
        ([0.4, 0.5, 0.55], 0.1, [0.3833, 0.4833, 0.5833]),
        ([0.5, 0.5, 0.5], 0.5, [0, 0.5, 1]),
        ([], 0.1, []),
    ],
)
def test_names_are_moved_as_little_as_possible(places: list[float], apart: float, moved: list[float]) -> None:
    assert spread(places, apart=apart) == pytest.approx(moved, abs=1e-4)


def against(*points: Point, **baselines: Sequence[tuple[float, float]]) -> Figure:
    return drawn(
        lambda: error_by_setting(points, x_label="code size", metric_label="mse", title="a title", baselines=baselines)
    )


def test_points_by_series_and_means_of_runs_with_the_same_setting() -> None:
    figure = against(
        Point("conv", 2, 0.4, 0.3),
        Point("conv", 16, 0.1, 0.05),
        Point("conv", 2, 0.2, None),
        Point("mlp", 2, 0.5, None),
        PCA=[(16, 0.15), (2, 0.6)],
        median=[(2, 0.7), (16, 0.7)],
    )
    found = lines(figure)
    assert found["conv test"] == [[2, pytest.approx(0.3)], [16, 0.1]]
    assert found["conv train"] == [[2, 0.3], [16, 0.05]]
    assert found["PCA"] == [[2, 0.6], [16, 0.15]]
    corners = np.asarray(figure.axes[0].collections[0].get_paths()[0].vertices).tolist()
    assert all(corner in corners for corner in ([2, 0.2], [2, 0.4], [16, 0.1]))
    assert "means over 1 to 2 seeds" in all_of(figure).replace("\n", " ")
    assert {"conv 0.1000", "mlp 0.5000", "PCA 0.1500"} <= set(written(figure))
    styles = {str(line.get_label()): line.get_linestyle() for line in figure.axes[0].lines}
    assert styles["PCA"] == BASELINE_LINE
    assert {str(line.get_label()): line.get_color() for line in figure.axes[0].lines}["PCA"] == BASELINE_COLOR
    assert styles["median"] != styles["PCA"]  # two baselines can be told apart
    assert "Dotted: baselines" in all_of(figure)
    assert figure.axes[0].get_yscale() == "log"
    check_layout(figure)


@pytest.mark.parametrize(
    ("settings", "scale"),
    [
        ([2, 4, 8, 16], "log"),
        ([0.0, 0.1, 1.0], "linear"),
        ([5], "linear"),
    ],
)
def test_the_axis_is_logarithmic_where_settings_reach_far(settings: list[float], scale: str) -> None:
    figure = against(*(Point("", setting, 0.1, 0.1) for setting in settings))
    (axes,) = figure.axes
    assert axes.get_xscale() == scale
    assert axes.get_xticks().tolist() == settings
    assert axes.get_xlim()[0] < min(settings) <= max(settings) < axes.get_xlim()[1]
    check_layout(figure)


def test_settings_that_have_no_room_are_not_named() -> None:
    figure = against(*(Point("a", setting, 0.1, None) for setting in np.linspace(1, 7, 200).tolist()))
    check_layout(figure)
    assert 5 < len(figure.axes[0].get_xticks()) < 30


def test_a_chart_grows_with_the_names_of_its_series_up_to_a_number() -> None:
    name = "architecture fully connected, code activation sigmoid, learning rate 0.001, noise probability 0.25, seed"
    points = [Point(f"{name} {index}", x, 0.1 + 1e-4 * index, 0.1) for index in range(60) for x in (1, 10)]
    figure = against(*points, PCA=[(1, 0.1), (10, 0.01)])
    check_layout(figure)
    assert 1000 < figure.axes[0].get_window_extent().height < 3000
    assert "The 20 lowest of 60 lines." in all_of(figure)
    assert {f"{name} {index} test" for index in range(20)} < set(lines(figure))


def test_errors_that_are_missing_are_left_out() -> None:
    figure = against(Point("a", 1, None, math.nan), Point("a", 2, 0.2, None), Point("b", 1, math.inf, None))
    assert lines(figure) == {"a test": [[2, 0.2]]}
    for points in ([], [Point("a", 1, None, None)]):
        with pytest.raises(ValueError, match="at least one with a finite error"):
            against(*points, PCA=[(1, 0.1)])


def scores(*rows: tuple[str, dict[str, float | None]], scale: str = "log") -> Figure:
    single = [ScoreRow(name, [each]) for name, each in rows]
    return drawn(lambda: scores_by_run(single, metric_label="mean squared error", title="a title", scale=scale))


def test_a_row_a_run_in_the_order_given() -> None:
    figure = scores(
        ("second", {"train": 0.02, "validation": None, "test": 0.03}),
        ("first", {"train": 0.01, "validation": 0.012, "test": math.nan}),
    )
    found = lines(figure)
    assert found["train"] == [[0.02, 0], [0.01, 1]]
    assert found["validation"][1] == [0.012, 1]
    assert found["test"][0] == [0.03, 0]
    assert np.isnan(found["validation"][0][0])
    texts = written(figure)
    assert {"second", "first", "0.02000", "0.03000", "0.01000", "0.01200", "\N{EN DASH}", "not finite"} <= set(texts)
    (axes,) = figure.axes
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["second", "first"]
    check_layout(figure)


def test_splits_have_the_colours_of_the_loss_curves() -> None:
    figure = scores(("a", {"train": 0.02, "validation": 0.03, "test": 0.04}))
    colors = {str(line.get_label()): line.get_color() for line in figure.axes[0].lines}
    assert (colors["train"], colors["validation"]) == (TRAINING_COLOR, VALIDATION_COLOR)


def test_a_split_that_no_run_has_is_left_out() -> None:
    figure = scores(("a", {"train": 1.0, "test": 2.0}), ("b", {"train": 1.0, "validation": None}), scale="linear")
    assert set(lines(figure)) == {"train", "test"}
    assert "validation" not in all_of(figure)
    assert figure.axes[0].get_xscale() == "linear"


def test_seeds_are_a_row_with_their_mean_and_range() -> None:
    seeds: list[dict[str, float | None]] = [{"test": 0.02}, {"test": 0.03}, {"test": 0.04}]
    other: list[dict[str, float | None]] = [{"test": 0.05}]
    rows = [ScoreRow("conv (3 seeds)", seeds, {"PCA": 0.06}), ScoreRow("mlp (1 seed)", other)]
    figure = drawn(lambda: scores_by_run(rows, metric_label="mse", title="a title"))
    assert lines(figure)["test"] == [[pytest.approx(0.03), 0], [0.05, 1]]
    everything = [np.asarray(line.get_xydata()).tolist() for line in figure.axes[0].lines]
    assert [[0.02, 0], [0.04, 0]] in everything
    assert [[0.06, 0]] in everything
    assert [[0.02, 0], [0.03, 0], [0.04, 0]] in everything
    assert {"0.030 ± 0.010", "0.05000", "conv (3 seeds)"} <= set(written(figure))
    both = [ScoreRow(name, [{"train": value, "test": value} for value in (0.02, 0.03)]) for name in ("conv", "mlp")]
    found = lines(drawn(lambda: scores_by_run(both, metric_label="mse", title="a title")))
    assert all(low[1] < high[1] for low, high in zip(found["train"], found["test"], strict=True))  # side by side
    assert "mean ± standard deviation" in all_of(figure).replace("\n", " ")
    assert "\N{BLACK DIAMOND} PCA" in all_of(figure)
    check_layout(figure)


@pytest.mark.parametrize("count", [1, 20])
def test_rows_fit(count: int) -> None:
    name = "architecture=residual, noise.probability=0.25, code activation=sigmoid, "
    splits = itertools.cycle(["test", "train"])
    check_layout(scores(*((f"{name}seed={index}", {next(splits): 1e-3 * 2**index}) for index in range(count))))
