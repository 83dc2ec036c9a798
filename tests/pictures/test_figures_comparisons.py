"""The charts of several runs, names that keep apart, and figures under one another."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from autoenc.pictures.error_by_setting import Point, error_by_setting as error_against
from autoenc.pictures.scores_by_run import scores_by_run as final_losses
from autoenc.pictures.charts import spread
from autoenc.pictures.loss_curves import MOST_HEIGHT, loss_curves_by_run as loss_curves_beside
from autoenc.pictures.page import FRAME, Page, house_style, save
from autoenc.pictures.panels import save_stacked, stacked
from tests.pictures.pages import all_of, check_layout, drawn, written

UNIT = "mean squared error per pixel"
Rows = list[dict[str, float | int | None]]


def rows(*losses: float | None, validation: Sequence[float | None] = ()) -> Rows:
    made: Rows = [{"epoch": epoch, "train/loss": loss} for epoch, loss in enumerate(losses, start=1)]
    for row, loss in zip(made, validation, strict=False):
        row["validation/loss"] = loss
    return made


def falling(last: float, *, epochs: int = 20) -> Rows:
    losses = [last * (1 + 5 / epoch) for epoch in range(1, epochs + 1)]
    return rows(*losses, validation=[1.1 * loss for loss in losses])


def curves(*histories: tuple[str, Rows], loss_label: str | Sequence[str] = UNIT) -> Figure:
    return drawn(lambda: loss_curves_beside(histories, loss_label=loss_label, title="a title"))


def lines(figure: Figure, index: int = 0) -> dict[str, list[Any]]:
    named = [line for line in figure.axes[index].lines if not str(line.get_label()).startswith("_")]
    return {str(line.get_label()): line.get_xydata().tolist() for line in named}  # type: ignore[union-attr]


# Names that keep apart


@pytest.mark.parametrize(
    ("places", "apart", "wanted"),
    [
        ([0.2, 0.8], 0.1, [0.2, 0.8]),
        ([0.5, 0.5], 0.1, [0.45, 0.55]),
        ([0.52, 0.48], 0.1, [0.55, 0.45]),
        ([0.0, 1.0], 0.1, [0.05, 0.95]),
        ([0.0, 0.0, 0.0], 0.1, [0.05, 0.15, 0.25]),
        ([0.4, 0.5, 0.55], 0.1, [0.3833, 0.4833, 0.5833]),
        ([], 0.1, []),
    ],
)
def test_names_are_moved_as_little_as_may_be(places: list[float], apart: float, wanted: list[float]) -> None:
    assert spread(places, apart=apart) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("seed", range(20))
def test_names_keep_apart_in_order_and_on_the_axis(seed: int) -> None:
    places = np.random.default_rng(seed).random(15).tolist()
    moved = spread(places, apart=0.06)
    assert np.argsort(moved).tolist() == np.argsort(places).tolist()
    assert np.diff(sorted(moved)).min() >= 0.06 - 1e-9
    assert min(moved) >= 0.03 - 1e-9
    assert max(moved) <= 0.97 + 1e-9


def test_too_many_names_overflow_alike_at_both_ends() -> None:
    assert spread([0.5] * 3, apart=0.5) == pytest.approx([0, 0.5, 1])


# Loss curves


def test_each_run_has_its_validation_loss_solid_and_its_training_loss_dashed() -> None:
    figure = curves(("conv", rows(0.5, 0.2, validation=[0.6, 0.3])), ("mlp", rows(0.4, 0.01)))
    assert lines(figure) == {"conv": [[1, 0.6], [2, 0.3]], "mlp": [[1, 0.4], [2, 0.01]]}
    solid = {str(line.get_label()): line for line in figure.axes[0].lines}
    dashed = [line for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert dashed[0].get_xydata().tolist() == [[1, 0.5], [2, 0.2]]  # type: ignore[union-attr]
    assert dashed[0].get_color() == solid["conv"].get_color() != solid["mlp"].get_color()
    assert {"conv 0.3000", "mlp 0.01000"} <= set(written(figure))
    assert figure.axes[0].get_yscale() == "log"
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("epoch", UNIT)


def test_twenty_runs_are_told_apart() -> None:
    histories = [(f"noise.std={index / 10}, seed={index % 3}", falling(0.01 + 1e-5 * index)) for index in range(20)]
    figure = curves(*histories)
    check_layout(figure)
    looks = {(line.get_color(), line.get_marker()) for line in figure.axes[0].lines if line.get_linestyle() == "-"}
    assert len({look for look in looks if look[1] != "None"}) == 20
    assert all(name in all_of(figure) for name, _ in histories)


def long_name(index: int, *, parts: int) -> str:
    words = ["architecture fully connected", "code activation sigmoid", "learning rate 0.001", "noise probability 0.25"]
    return ", ".join([*words[:parts], f"seed {index}"])


@pytest.mark.parametrize("parts", [0, 2, 4])
@pytest.mark.parametrize("count", [2, 12, 24, 60])
def test_names_stay_beside_their_axes_and_apart_however_many_there_are(count: int, parts: int) -> None:
    histories = [(long_name(index, parts=parts), falling(0.01 + 1e-5 * (count - index))) for index in range(count)]
    figure = curves(*histories)
    check_layout(figure)
    (axes,) = figure.axes
    box = axes.get_window_extent()
    assert box.height <= MOST_HEIGHT
    names = [text for text in axes.texts if "seed" in text.get_text()]
    for name in names:
        extent = name.get_window_extent()
        assert box.y0 - 1 <= extent.y0 < extent.y1 <= box.y1 + 1
        assert extent.x0 > box.x1
    for line in axes.lines:
        if line.get_label() == "_leader":
            assert np.abs(np.asarray(line.get_ydata(), dtype=np.float64) - 0.5).max() <= 0.5
    if count <= 24 - parts:  # at four parts a name has three lines
        assert len(names) == count
    else:
        best = [name for name, _ in histories[::-1]][: len(names)]  # the last is the lowest
        assert 20 <= len(names) <= count
        assert all(any(" ".join(text.get_text().split()).startswith(f"{name} ") for text in names) for name in best)
    said = f"Of {count} runs the {len(names)} best are named, by this last value; the others are grey."
    assert (said in all_of(figure)) == (len(names) < count)


def test_runs_that_are_not_named_are_grey() -> None:
    figure = curves(*((long_name(index, parts=4), falling(0.01 + 1e-4 * index)) for index in range(60)))
    named = sum("seed" in text.get_text() for text in figure.axes[0].texts)
    grey = [line for line in figure.axes[0].lines if line.get_color() == FRAME]
    assert len(grey) == 60 - named
    assert {line.get_label() for line in grey} == {long_name(index, parts=4) for index in range(named, 60)}


def test_names_of_several_charts_have_room() -> None:
    units = [UNIT if index % 2 else "nats an image" for index in range(50)]
    histories = [(long_name(index, parts=3), falling(0.01 + 1e-4 * index)) for index in range(50)]
    check_layout(curves(*histories, loss_label=units))


def test_nats_are_on_a_linear_axis() -> None:
    figure = curves(("a", rows(500.0, 10.0)), loss_label="nats an image")
    assert figure.axes[0].get_yscale() == "linear"


def test_a_name_stands_at_the_height_where_its_curve_ends() -> None:
    figure = curves(("high", falling(1.0)), ("low", falling(0.01)))
    axes = figure.axes[0]
    for name, end in (("high", 1.1 * 1.25), ("low", 0.011 * 1.25)):
        (label,) = (text for text in axes.texts if text.get_text().startswith(name))
        box, height = label.get_window_extent(), axes.transData.transform((1, end))[1]
        assert box.y0 < height < box.y1
        assert box.x0 > axes.get_window_extent().x1


def test_other_units_have_charts_of_their_own() -> None:
    figure = curves(
        ("conv", falling(0.02)), ("vae", falling(100)), ("mlp", falling(0.03)), loss_label=[UNIT, "nats an image", UNIT]
    )
    check_layout(figure)
    assert [axes.get_ylabel() for axes in figure.axes] == [UNIT, "nats an image"]
    assert list(lines(figure, 0)) == ["conv", "mlp"]
    assert list(lines(figure, 1)) == ["vae"]


def test_runs_of_different_lengths_share_the_epochs() -> None:
    figure = curves(("short", falling(0.02, epochs=3)), ("long", falling(0.01, epochs=50)))
    assert figure.axes[0].get_xlim() == pytest.approx((1 - 0.98, 50 + 0.98))
    check_layout(figure)


def test_gaps_values_below_zero_and_nothing_at_all() -> None:
    figure = curves(("a", rows(0.5, math.nan, None, 0.1)), ("b", rows(math.inf, math.nan)), ("c", rows(-1.0, -2.0)))
    assert np.isnan(np.array(lines(figure)["a"])[1:3, 1]).all()
    assert "linear axis: not all values are above 0" in all_of(figure)
    check_layout(figure)
    assert "no finite value to draw" in written(curves(("b", rows(math.nan))))


def test_histories_are_checked() -> None:
    with pytest.raises(ValueError, match="at least one run"):
        curves()
    with pytest.raises(ValueError, match="at least one epoch"):
        curves(("a", rows(1.0)), ("b", []))
    with pytest.raises(ValueError, match="loss_label: expected one for each of 1 runs, not 2"):
        curves(("a", rows(1.0)), loss_label=["x", "y"])


# Errors against a setting


def against(
    *points: tuple[str, float, float | None, float | None],
    baseline: Sequence[tuple[float, float]] | None = None,
    x_label: str = "code size",
) -> Figure:
    return drawn(
        lambda: error_against(
            points, x_label=x_label, metric_label="mse", title="a title", baseline=baseline, baseline_label="PCA, test"
        )
    )


def test_points_by_series_and_means_of_runs_with_the_same_setting() -> None:
    figure = against(
        Point("conv", 2, 0.4, 0.3),
        Point("conv", 16, 0.1, 0.05),
        Point("conv", 2, 0.2, None),
        Point("mlp", 2, 0.5, None),
        baseline=[(16, 0.15), (2, 0.6)],
    )
    found = lines(figure)
    assert found["conv test"] == [[2, 0.2], [2, 0.4], [16, 0.1]]
    assert found["conv train"] == [[2, 0.3], [16, 0.05]]
    assert found["PCA, test"] == [[2, 0.6], [16, 0.15]]
    means = [line.get_xydata().tolist() for line in figure.axes[0].lines]  # type: ignore[union-attr]
    assert [[2, pytest.approx(0.3)], [16, 0.1]] in means
    assert {"conv 0.1000", "mlp 0.5000", "PCA, test 0.1500"} <= set(written(figure))
    styles = {str(line.get_label()): line for line in figure.axes[0].lines}
    assert styles["PCA, test"].get_linestyle() == "--"
    check_layout(figure)


@pytest.mark.parametrize(
    ("settings", "scale"),
    [
        ([2, 4, 8, 16], "log"),
        ([1, 2, 3, 4], "linear"),
        ([0.0, 0.1, 1.0], "linear"),
        ([0.01, 10], "log"),
        ([5], "linear"),
    ],
)
def test_the_axis_is_logarithmic_where_settings_reach_far(settings: list[float], scale: str) -> None:
    figure = against(*(Point("", setting, 0.1, 0.1) for setting in settings))
    axes = figure.axes[0]
    assert axes.get_xscale() == scale
    assert axes.get_xticks().tolist() == settings
    assert axes.get_xlim()[0] < min(settings) <= max(settings) < axes.get_xlim()[1]
    check_layout(figure)


def test_settings_that_have_no_room_are_not_named() -> None:
    figure = against(*(Point("a", setting, 0.1, None) for setting in np.linspace(1, 7, 200).tolist()))
    check_layout(figure)
    assert 5 < len(figure.axes[0].get_xticks()) < 30


def test_twenty_series_fit() -> None:
    points = [
        Point(f"architecture {series}", size, 0.1 / size + 1e-4 * series, 0.1 / size)
        for series, size in itertools.product(range(20), (1, 10, 100))
    ]
    check_layout(against(*points, baseline=[(1, 0.1), (100, 0.01)]))


def test_a_chart_grows_with_the_names_of_its_series() -> None:
    figure = against(*(Point(long_name(index, parts=4), size, 0.1, None) for index in range(24) for size in (1, 2)))
    check_layout(figure)
    assert figure.axes[0].get_window_extent().height > 1000


def test_errors_that_are_missing_are_left_out() -> None:
    figure = against(Point("a", 1, None, math.nan), Point("a", 2, 0.2, None), Point("b", 1, math.inf, None))
    assert lines(figure) == {"a test": [[2, 0.2]]}
    with pytest.raises(ValueError, match="at least one with a finite error"):
        against(Point("a", 1, None, None), baseline=[(1, 0.1)])
    with pytest.raises(ValueError, match="at least one with a finite error"):
        against()


# Final losses


def final(*given: tuple[str, dict[str, float | None]]) -> Figure:
    return drawn(lambda: final_losses(given, metric_label=UNIT, title="a title"))


def test_a_row_a_run_in_the_order_given() -> None:
    figure = final(
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
    assert figure.axes[0].get_ylim()[0] > figure.axes[0].get_ylim()[1]
    check_layout(figure)


def test_a_split_that_no_run_has_is_left_out() -> None:
    figure = final(("a", {"train": 1.0, "test": 2.0}), ("b", {"train": 1.0, "validation": None}))
    assert set(lines(figure)) == {"train", "test"}
    assert "validation" not in all_of(figure)


@pytest.mark.parametrize("count", [1, 2, 20])
def test_rows_fit(count: int) -> None:
    name = "architecture=residual, noise.probability=0.25, "
    figure = final(*((name + f"seed={index}", {"train": 1e-3 * 2**index, "test": 5e-7}) for index in range(count)))
    check_layout(figure)


def test_rows_are_checked() -> None:
    with pytest.raises(ValueError, match="at least one, with numbers of train, validation, test, not none"):
        final()
    with pytest.raises(ValueError, match="not valid"):
        final(("a", {"valid": 1.0}))


# Figures under one another


def plain(width: int, height: int, *, color: str) -> Figure:
    page = Page(width=width, height=height)
    page.figure.set_facecolor(color)
    return page.figure


def test_figures_stand_under_one_another_as_they_are() -> None:
    pixels = stacked([plain(30, 20, color="#ff0000"), plain(50, 10, color="#0000ff")], title="")
    assert pixels.shape == (30, 50, 3)
    assert (pixels[:20, :30] == [255, 0, 0]).all()
    assert (pixels[:20, 30:] == 255).all()
    assert (pixels[20:] == [0, 0, 255]).all()


def test_each_is_what_it_would_be_by_itself(tmp_path: Path) -> None:
    def figures() -> list[Figure]:
        with house_style():
            first = final_losses([("a", {"test": 1.0})], metric_label="m", title="first")
            return [first, loss_curves_beside([("a", falling(1))], loss_label="l", title="second")]

    with house_style():
        for figure, name in zip(figures(), "ab", strict=True):
            save(figure, tmp_path / f"{name}.png")
    alone = [np.asarray(Image.open(tmp_path / f"{name}.png").convert("RGB")) for name in "ab"]
    save_stacked(figures(), tmp_path / "both.png", title="")
    both = np.asarray(Image.open(tmp_path / "both.png"))
    assert both.shape[0] == alone[0].shape[0] + alone[1].shape[0]
    assert np.array_equal(both[: len(alone[0]), : alone[0].shape[1]], alone[0])
    assert np.array_equal(both[len(alone[0]) :, : alone[1].shape[1]], alone[1])


def test_the_title_stands_above(tmp_path: Path) -> None:
    blue = plain(900, 100, color="#0000ff")
    save_stacked([blue], tmp_path / "s.png", title="a title " * 20)
    pixels = np.asarray(Image.open(tmp_path / "s.png"))
    above, below = pixels[:-100], pixels[-100:]
    assert (below == [0, 0, 255]).all()
    assert (above.min(axis=2) < 100).any()
    assert (above[:, -20:] == 255).all()
    assert [path.name for path in tmp_path.iterdir()] == ["s.png"]


def test_no_figure_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected at least one"):
        save_stacked([], tmp_path / "s.png", title="t")
    assert list(tmp_path.iterdir()) == []
