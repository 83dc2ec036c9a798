"""The loss by epoch, of one run and of several."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autoenc.pictures import loss_curves
from autoenc.pictures.axis_ticks import number
from autoenc.pictures.image_pixels import DENOISING_ERROR
from autoenc.pictures.loss_charts import Loss, Row
from autoenc.pictures.loss_curves import draw_loss_curves
from autoenc.pictures.losses_by_run import MOST_HEIGHT, losses_by_run
from autoenc.pictures.page import FRAME
from tests.pictures.pages import all_of, check_layout, drawn, extent, written

UNIT = "mean squared error per pixel"
PLAIN = Loss(UNIT)
Draw = Callable[..., Figure]


def rows(*losses: float | None, validation: Sequence[float | None] = ()) -> list[Row]:
    made: list[dict[str, float | int | None]] = [
        {"epoch": epoch, "train/loss": loss} for epoch, loss in enumerate(losses, start=1)
    ]
    for row, loss in zip(made, validation, strict=False):
        row["validation/loss"] = loss
    return list(made)


def falling(last: float, *, epochs: int = 20) -> list[Row]:
    losses = [last * (1 + 5 / epoch) for epoch in range(1, epochs + 1)]
    return rows(*losses, validation=[1.1 * loss for loss in losses])


def lines(figure: Figure, index: int = 0) -> dict[str, NDArray[np.float64]]:
    """The points (E, 2) of each named line."""
    found = {str(line.get_label()): np.asarray(line.get_xydata()) for line in figure.axes[index].lines}
    return {name: points for name, points in found.items() if not name.startswith("_")}


def named(figure: Figure, start: str) -> Any:
    """The text that starts so."""
    (found,) = (text for text in figure.axes[0].texts if text.get_text().startswith(start))
    return found


@pytest.fixture
def of_run(monkeypatch: pytest.MonkeyPatch) -> Draw:
    """The figure of `draw_loss_curves`, drawn but not saved."""

    def draw(history: Sequence[Row], *, best_epoch: int | None = None, loss: Loss = PLAIN) -> Figure:
        figures: list[Figure] = []
        monkeypatch.setattr(loss_curves, "save", lambda figure, _: figures.append(drawn(lambda: figure)))
        draw_loss_curves(history, path=Path("x.png"), loss=loss, best_epoch=best_epoch, title="a title")
        return figures[0]

    return draw


def by_run(*histories: tuple[str, Sequence[Row]], units: Sequence[str] = ()) -> Figure:
    losses = [Loss(unit) for unit in units or [UNIT] * len(histories)]
    single = [(name, [history]) for name, history in histories]
    return drawn(lambda: losses_by_run(single, losses=losses, title="a title"))


# One run


def test_curves_pass_through_the_history_on_a_log_axis(of_run: Draw) -> None:
    figure = of_run(rows(0.5, 0.1, 0.05, validation=[0.6, 0.2, 0.1]))
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    assert lines(figure)["training"].tolist() == [[1, 0.5], [2, 0.1], [3, 0.05]]
    assert lines(figure)["validation"].tolist() == [[1, 0.6], [2, 0.2], [3, 0.1]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", f"{UNIT} (log scale)")
    assert {"a title", "training 0.05000", "validation 0.1000"} <= set(written(figure))
    train, validation = axes.lines[:2]
    assert (train.get_linestyle(), validation.get_linestyle()) == ("--", "-")
    assert train.get_marker() != validation.get_marker()
    check_layout(figure)


@pytest.mark.parametrize("best", [1, 5])
def test_the_best_epoch_is_marked_on_the_validation_curve(of_run: Draw, best: int) -> None:
    validation = [0.6, 0.3, 0.21, 0.25, 0.28]
    figure = of_run(rows(0.5, 0.2, 0.1, 0.09, 0.08, validation=validation), best_epoch=best)
    assert lines(figure)["best"].tolist() == [[best, validation[best - 1]]]
    label, axes = named(figure, "best"), figure.axes[0]
    assert label.get_text() == f"best: epoch {best}, {number(validation[best - 1])}"
    box = extent(label)
    assert axes.get_window_extent().x0 <= box.x0 < box.x1 <= axes.get_window_extent().x1
    assert box.y1 < axes.transData.transform((1, 0.08))[1]  # below every curve


def test_overfitting_is_grey_from_its_onset_to_the_last_epoch(of_run: Draw) -> None:
    training = [0.5, 0.2, 0.1, 0.09, 0.08, 0.07]
    figure = of_run(rows(*training, validation=[0.6, 0.3, 0.21, 0.25, 0.28, 0.3]), best_epoch=3)
    (grey,) = figure.axes[0].patches
    assert grey.get_extents().transformed(figure.axes[0].transData.inverted()).x0 == pytest.approx(3)
    assert "Grey: overfitting, which begins after epoch 3." in all_of(figure)
    assert "overfitting" in written(figure)
    check_layout(figure)
    above_all = of_run(rows(*training, validation=[0.6, 0.3, 0.21, 0.25, 0.28, 0.9]), best_epoch=3)
    assert "overfitting" not in written(above_all)  # it would hide the curve
    fitting = of_run(rows(*training, validation=[0.6, 0.3, 0.21, 0.2, 0.19, 0.18]), best_epoch=6)
    assert not fitting.axes[0].patches
    assert "overfitting" not in all_of(fitting)


def test_without_validation_there_is_one_curve_and_no_mark(of_run: Draw) -> None:
    figure = of_run(rows(0.5, 0.2, validation=[None, None]))
    assert list(lines(figure)) == ["training"]
    assert not any("validation" in text or "best" in text for text in written(figure))


def test_a_best_epoch_without_a_value_is_still_marked(of_run: Draw) -> None:
    assert "best: epoch 1" in written(of_run(rows(None, 0.2, validation=[None, 0.3]), best_epoch=1))


def test_a_single_epoch(of_run: Draw) -> None:
    (axes,) = of_run(rows(0.5, validation=[0.6]), best_epoch=1).axes
    assert axes.get_xticks().tolist() == [1]
    assert axes.get_xlim()[0] < 1 < axes.get_xlim()[1]
    assert [list(line.get_markevery()) for line in axes.lines[:2]] == [[True], [True]]  # type: ignore[arg-type]


def test_a_gap_is_left_and_a_lone_point_is_seen(of_run: Draw) -> None:
    losses: list[float | None] = [0.5] * 40
    losses[11], losses[13], losses[20] = float("nan"), None, float("inf")
    figure = of_run(rows(*losses))
    assert np.flatnonzero(np.isnan(lines(figure)["training"][:, 1])).tolist() == [11, 13, 20]
    marked = np.flatnonzero(np.asarray(figure.axes[0].lines[0].get_markevery())).tolist()
    assert marked == [0, 5, 10, 12, 15, 25, 30, 35]


def test_no_finite_value_at_all(of_run: Draw) -> None:
    assert "no finite value to draw" in written(of_run(rows(math.nan, None)))
    assert "no finite value to draw" in written(by_run(("b", rows(math.nan))))


@pytest.mark.parametrize(("train", "validation"), [(0.2, 0.2), (0.2001, 0.2)])
def test_the_names_of_both_curves_do_not_overlap_and_keep_their_order(
    of_run: Draw, train: float, validation: float
) -> None:
    figure = of_run(rows(0.9, train, validation=[0.9, validation]))
    check_layout(figure)
    first, second = (extent(named(figure, name)) for name in ("training", "validation"))
    assert (first.y0 > second.y0) == (train > validation)


NOISY = "Denoising loss: the input is noisy, the target is the clean image."
VAE = "nats an image, Bernoulli likelihood, plus the divergence from N(0, I) in nats an image"


@pytest.mark.parametrize(
    ("loss", "label", "explanation"),
    [
        (PLAIN, UNIT, ""),
        (Loss(VAE), "nats an image + penalty", f"Loss: {VAE}."),
        (Loss(UNIT, denoising=True), f"denoising error: {UNIT}", DENOISING_ERROR),
        (Loss(VAE, denoising=True), "denoising loss: nats an image + penalty", f"Loss: {VAE}. {NOISY}"),
        (Loss("nats an image", denoising=True), "denoising loss: nats an image", NOISY),
        (Loss(f"{UNIT}, plus 2", denoising=True), f"denoising loss: {UNIT} + penalty", NOISY),
    ],
)
def test_the_axis_has_the_unit_and_the_line_the_rest(of_run: Draw, loss: Loss, label: str, explanation: str) -> None:
    figure = of_run(rows(300, 200), loss=loss)
    assert figure.axes[0].get_ylabel().replace("\n", " ").removesuffix(" (log scale)") == label
    assert "\n" not in label
    assert explanation in all_of(figure)
    check_layout(figure)


# Several runs


def test_each_run_has_its_validation_loss_solid_and_its_training_loss_dashed() -> None:
    figure = by_run(("conv", rows(0.5, 0.2, validation=[0.6, 0.3])), ("mlp", rows(0.4, 0.01)))
    found = {name: points.tolist() for name, points in lines(figure).items()}
    assert found == {"conv": [[1, 0.6], [2, 0.3]], "mlp": [[1, 0.4], [2, 0.01]]}
    solid = {str(line.get_label()): line for line in figure.axes[0].lines}
    dashed, without_validation = (line for line in figure.axes[0].lines if line.get_linestyle() == "--")
    assert without_validation is solid["mlp"]
    assert np.asarray(dashed.get_xydata()).tolist() == [[1, 0.5], [2, 0.2]]
    assert dashed.get_color() == solid["conv"].get_color() != solid["mlp"].get_color()
    assert {"conv 0.3000", "mlp 0.01000"} <= set(written(figure))
    assert figure.axes[0].get_yscale() == "log"
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("epoch", f"{UNIT} (log scale)")


def long_name(index: int, *, parts: int) -> str:
    words = ["architecture fully connected", "code activation sigmoid", "learning rate 0.001", "noise probability 0.25"]
    return ", ".join([*words[:parts], f"seed {index}"])


@pytest.mark.parametrize(("count", "parts", "shown"), [(2, 4, 2), (12, 2, 12), (24, 2, 12), (60, 0, 27), (60, 4, 8)])
def test_names_stay_beside_their_axes_and_apart_however_many_there_are(count: int, parts: int, shown: int) -> None:
    histories = [(long_name(index, parts=parts), falling(0.01 + 1e-5 * (count - index))) for index in range(count)]
    figure = by_run(*histories)
    check_layout(figure)
    (axes,) = figure.axes
    box = axes.get_window_extent()
    assert box.height <= MOST_HEIGHT
    names = [text for text in axes.texts if "seed" in text.get_text()]
    for name in names:
        place = extent(name)
        assert box.y0 - 1 <= place.y0 < place.y1 <= box.y1 + 1
        assert place.x0 > box.x1
    assert len(names) == shown
    best = [name for name, _ in histories[::-1]][:shown]  # the last is the lowest
    assert all(any(" ".join(text.get_text().split()).startswith(f"{name} ") for text in names) for name in best)
    grey = {line.get_label() for line in axes.lines if line.get_color() == FRAME}
    assert grey == {name for name, _ in histories} - set(best)
    remark = f"Of {count} runs the {shown} best are named, by this last value; the others are grey."
    assert (remark in all_of(figure)) == (shown < count)


def test_a_name_stands_at_the_height_where_its_curve_ends() -> None:
    figure = by_run(("high", falling(1.0)), ("low", falling(0.01)))
    axes = figure.axes[0]
    for name, end in (("high", 1.1 * 1.25), ("low", 0.011 * 1.25)):
        box, height = extent(named(figure, name)), axes.transData.transform((1, end))[1]
        assert box.y0 < height < box.y1
        assert box.x0 > axes.get_window_extent().x1


def test_other_units_have_charts_of_their_own() -> None:
    runs = [("conv", falling(0.02)), ("vae", falling(100)), ("mlp", falling(0.03))]
    figure = by_run(*runs, units=[UNIT, "nats an image", UNIT])
    check_layout(figure)
    assert [axes.get_ylabel() for axes in figure.axes] == [f"{UNIT} (log scale)", "nats an image"]
    assert [axes.get_yscale() for axes in figure.axes] == ["log", "linear"]
    assert [list(lines(figure, index)) for index in (0, 1)] == [["conv", "mlp"], ["vae"]]


def test_losses_of_denoisers_have_a_chart_of_their_own() -> None:
    losses = [PLAIN, Loss(UNIT, denoising=True)]
    histories = [("plain", [falling(0.02)]), ("denoiser", [falling(0.03)])]
    figure = drawn(lambda: losses_by_run(histories, losses=losses, title="a title"))
    labels = [" ".join(axes.get_ylabel().split()) for axes in figure.axes]
    assert labels == [f"{UNIT} (log scale)", f"denoising error: {UNIT} (log scale)"]
    assert DENOISING_ERROR in all_of(figure)


def test_gaps_values_below_zero_and_a_run_without_values() -> None:
    figure = by_run(("a", rows(0.5, math.nan, None, 0.1)), ("b", rows(math.inf, math.nan)), ("c", rows(-1.0, -2.0)))
    assert np.isnan(lines(figure)["a"][1:3, 1]).all()
    assert "linear axis: not all values are above 0" in all_of(figure)
    check_layout(figure)


def test_runs_without_a_history_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one run"):
        by_run()
    with pytest.raises(ValueError, match="at least one epoch"):
        by_run(("a", rows(1.0)), ("b", []))


def test_seeds_have_a_mean_and_a_band() -> None:
    seeds = [rows(0.4, 0.2, 0.1, validation=[0.5, 0.3, 0.2]), rows(0.6, 0.4, validation=[0.7, 0.5])]
    histories = [("conv (2 seeds)", seeds), ("mlp (1 seed)", [rows(0.9, 0.8)])]
    figure = drawn(lambda: losses_by_run(histories, losses=[Loss(UNIT)] * 2, title="a title"))
    assert lines(figure)["conv (2 seeds)"] == pytest.approx(np.array([[1, 0.6], [2, 0.4]]))  # the epochs of both
    (band,) = figure.axes[0].collections
    corners = np.asarray(band.get_paths()[0].vertices).tolist()
    assert all(corner in corners for corner in ([1, 0.5], [1, 0.7], [2, 0.3], [2, 0.5]))
    assert max(x for x, _ in corners) == 2
    assert len(figure.axes[0].lines) == 3  # two means on validation and training, and the run without a validation loss
    assert "means over seeds" in all_of(figure).replace("\n", " ")
    check_layout(figure)


def test_the_onset_of_overfitting_of_each_setting_has_a_ring() -> None:
    overfits = rows(0.5, 0.4, 0.3, 0.2, 0.1, validation=[0.6, 0.5, 0.6, 0.7, 0.8])
    figure = by_run(("small", overfits), ("large", rows(0.5, 0.4, 0.3, validation=[0.6, 0.5, 0.45])))
    assert [points.tolist() for name, points in lines(figure).items() if name == "overfitting"] == [[[2, 0.5]]]
    assert "Ring: overfitting begins" in all_of(figure)
    assert "small 0.8000, overfits after epoch 2" in all_of(figure)
    assert "Ring" not in all_of(by_run(("large", rows(0.5, 0.4, 0.3, validation=[0.6, 0.5, 0.45]))))


def test_seeds_that_overfit_are_counted_if_their_mean_does_not() -> None:
    overfits = rows(0.5, 0.4, 0.3, 0.2, validation=[0.6, 0.5, 0.6, 0.7])
    later = rows(0.5, 0.4, 0.3, 0.2, 0.1, validation=[0.6, 0.5, 0.4, 0.5, 0.6])
    falls = rows(0.5, 0.4, 0.3, 0.2, validation=[2.0, 1.5, 1.0, 0.5])

    def of_seeds(*seeds: Sequence[Any]) -> str:
        return all_of(drawn(lambda: losses_by_run([("conv", seeds)], losses=[PLAIN], title="a title")))

    assert "2 of 3 seeds overfit after epochs 2 and 3" in of_seeds(later, overfits, falls)
    assert "1 of 2 seeds overfits after epoch 2" in of_seeds(overfits, falls)
    assert "conv 0.7000, overfits after epoch 2" in of_seeds(overfits, overfits)
    assert "overfit" not in of_seeds(falls, falls)
