"""The charts of what runs recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from matplotlib.figure import Figure

from autoenc.comparison.charts import CHARTS, chart
from autoenc.comparison.drawing import Drawing
from autoenc.pictures.page import house_style
from autoenc.runs import RunRecord
from tests.comparison.made_records import record
from tests.pictures.pages import all_of, check_layout


def made(name: str, records: Sequence[RunRecord], *, metric: str = "mse", **options: Any) -> Drawing:
    return chart(name, records, metric=metric, against=options.get("against"))


def figure(drawing: Drawing) -> Figure:
    with house_style():
        drawn = drawing.draw(drawing.items, drawing.title)
        drawn.draw_without_rendering()
    check_layout(drawn)
    return drawn


def seeds(kind: str, *scores: float, **changes: Any) -> list[RunRecord]:
    return [
        record(f"{kind}{seed}", {"mse": mse}, architecture__name=kind, seed=seed, **changes)
        for seed, mse in enumerate(scores)
    ]


def test_differences_are_paired_by_seed_from_the_best_setting() -> None:
    runs = [*seeds("conv", 0.1, 0.2, 0.3), *seeds("mlp", 0.11, 0.22, 0.33)]
    drawing = made("differences", runs)
    assert drawing.title == "Difference in reconstruction error from the best (convolutional)"
    (row,) = drawing.items
    assert row.values == pytest.approx([0.01, 0.02, 0.03])
    half = 4.302653 * 0.01 / 3**0.5  # Student's t with two degrees of freedom
    assert row.ends == pytest.approx((0.02 - half, 0.02 + half))
    assert row.text == "0.020 ± 0.025\n+10.0%, may be chance"
    assert all_of(figure(drawing)).count("MLP") == 1
    (clear,) = made("differences", [*seeds("conv", 0.1, 0.2), *seeds("mlp", 0.2, 0.3001)]).items
    assert clear.text.splitlines()[1] == "+66.7%, more than chance"


def test_the_best_of_a_metric_whose_higher_values_are_better_is_the_highest() -> None:
    runs = [
        record(f"{kind}{seed}", {"psnr": 20.0 + seed + gain}, architecture__name=kind, seed=seed)
        for seed in range(2)
        for kind, gain in (("conv", 5), ("mlp", 0))
    ]
    (row,) = made("differences", runs, metric="psnr").items
    assert row.name == "MLP"
    assert row.mark == pytest.approx(-5)
    assert row.text.splitlines()[1] == "more than chance"  # decibels are logarithms: no percentage


@pytest.mark.parametrize("runs", [seeds("conv", 0.1, 0.2), [*seeds("conv", 0.1), *seeds("mlp", 0.2)]])
def test_differences_need_two_settings_with_two_seeds(runs: list[RunRecord]) -> None:
    with pytest.raises(ValueError, match="needs two"):
        made("differences", runs)


def test_seconds_are_the_median_over_the_epochs_of_all_seeds() -> None:
    slow = ({"epoch": 1, "seconds": 9.0}, {"epoch": 2, "seconds": 3.0})
    fast = ({"epoch": 1, "seconds": 2.0}, {"epoch": 2, "seconds": 2.0})
    runs = [*seeds("conv", 0.1, 0.1, history=slow), *seeds("mlp", 0.1, 0.1, history=fast)]
    rows = {row.name: row for row in made("seconds_per_epoch", runs).items}
    assert rows["convolutional (2 seeds)"].mark == 6.0
    assert rows["convolutional (2 seeds)"].text == "6 s\n3.00 times the fastest"
    assert rows["MLP (2 seeds)"].text == "2 s\n1.00 times the fastest"
    assert "Trained on: CPU, 1 thread." in all_of(figure(made("seconds_per_epoch", runs)))
    with pytest.raises(ValueError, match="no run recorded"):
        made("seconds_per_epoch", seeds("conv", 0.1))


def test_seconds_name_the_devices_they_were_measured_on() -> None:
    machines: list[dict[str, object]] = [
        {"device": "cpu", "threads": 2},
        {"device": "cuda:0 (NVIDIA H200)", "threads": 2},
        {"device": "mps"},
        {"device": "cpu", "threads": 4},
    ]
    history = ({"epoch": 1, "seconds": 2.0},)
    runs = [record(f"run{n}", {"mse": 0.1}, history=history, environment=each) for n, each in enumerate(machines)]
    text = all_of(figure(made("seconds_per_epoch", runs)))
    assert "Trained on: CPU, 2 threads; cuda:0 (NVIDIA H200); Apple GPU and 1 more." in text


def test_dead_units_are_shares_of_the_code() -> None:
    health = [{"dead_units": {"encoder layer 1 (ReLU)": 7, "code (ReLU)": dead}} for dead in (2, 1, 0, 2)]
    runs = [record(f"run{seed}", {"mse": 0.1}, seed=seed, code_size=2, health=each) for seed, each in enumerate(health)]
    drawing = made("dead_units", runs)
    (row,) = drawing.items
    assert list(row.values) == [1.0, 0.5, 0.0, 1.0]
    assert row.text == "62%\nall dead in 2 of 4 runs"
    figure(drawing)
    with pytest.raises(ValueError, match="no run counted"):
        made("dead_units", seeds("conv", 0.1))


def test_final_losses_have_the_baselines_of_their_metric() -> None:
    scores = {"mse": 0.03, "denoising_mse": 0.02, "pca_mse": 0.01, "noise_mse": 0.1, "median_mse": 0.05}
    scores["mean_image_mse"] = 0.06
    runs = [record("a", scores), record("b", scores | {"noise_mse": 0.2})]
    assert [row.baselines for row in made("final_losses", runs).items] == [{"PCA": 0.01}] * 2
    found = [row.baselines for row in made("final_losses", runs, metric="denoising_mse").items]
    assert found == [{"doing nothing": noise, "3x3 median filter": 0.05} for noise in (0.1, 0.2)]
    collapsed = record("c", scores | {"mse": 0.0599})
    assert made("final_losses", [*runs, collapsed]).items[0].baselines == {"PCA": 0.01, "mean image": 0.06}


def test_a_run_without_the_metric_has_a_row_without_a_number() -> None:
    runs = [record("clean", {"mse": 0.1}), record("noisy", {"mse": 0.1, "denoising_mse": 0.2})]
    drawing = made("final_losses", runs, metric="denoising_mse")
    assert [row.name for row in drawing.items] == ["clean", "noisy"]
    assert "\N{EN DASH}" in all_of(figure(drawing))


def test_of_very_many_settings_the_best_are_shown() -> None:
    runs = [record(str(number), {"mse": 1.0 + number}, architecture__code_size=number) for number in range(100)]
    drawing = made("final_losses", runs)
    assert [row.name for row in drawing.items] == [str(number) for number in range(40)]
    assert drawing.title == "Final reconstruction error, the 40 best of 100 by test reconstruction error"


def test_an_axis_that_shows_the_noise_needs_no_note_that_the_noise_differs() -> None:
    scores = {"denoising_mse": 0.02, "noise_mse": 0.1}
    runs = [
        record(f"std {std}", scores, architecture__name="mlp", noise={"name": "gaussian", "std": std})
        for std in (0.1, 0.2)
    ]
    drawing = made("error_against", runs, metric="denoising_mse", against="noise.std")
    assert drawing.title == "Denoising error against noise std"
    (points,) = drawing.items
    assert [(point.series, point.x) for point in points] == [("MLP", 0.1), ("MLP", 0.2)]
    drawn = figure(drawing)
    assert "comparable" not in all_of(drawn)
    assert "doing nothing 0.1000" in all_of(drawn)
    dropout = record("dropout", scores, noise={"name": "dropout", "std": 0.3})
    assert "comparable" in all_of(
        figure(made("error_against", [*runs, dropout], metric="denoising_mse", against="noise.std"))
    )


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_is_drawn(name: str) -> None:
    history = ({"epoch": 1, "train/loss": 0.2, "seconds": 1.0}, {"epoch": 2, "train/loss": 0.1, "seconds": 1.0})
    recorded = {"history": history, "health": {"dead_units": {"code (ReLU)": 1}}}
    runs = [run for size in (2, 4) for run in seeds("mlp", 0.2 / size, 0.3 / size, code_size=size, **recorded)]
    for run in runs:
        run.config["architecture"]["code_size"] = run.summary["code_size"]
    drawing = made(name, runs, against="architecture.code_size")
    assert drawing.items
    assert figure(drawing).axes
