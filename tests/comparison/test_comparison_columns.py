from __future__ import annotations

import pytest
from rich.cells import cell_len

from autoenc.comparison.columns import (
    Column,
    best_rows,
    column,
    least_important_first,
    run_names,
    same_for_all,
    units,
    usual_columns,
    usual_metric,
)
from autoenc.comparison.formatting import as_typed, format_numbers
from autoenc.comparison.keys import Keys, differing_settings
from autoenc.comparison.rendering import as_rich_table, fit, heading_lines, table_width
from autoenc.runs import RunRecord
from autoenc.settings import ConfigError
from tests.comparison.made_records import record
from tests.comparison.printed import printed


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.0212, 0.00532], ["0.021200", "0.005320"]),  # the points line up
        ([0.1, 0.10001], ["0.10000", "0.10001"]),  # different numbers look different
        ([0.1234567890, 0.1234567891], ["0.1234568", "0.1234568"]),  # up to seven digits
        ([1e-9, 1.0], ["1e-09", "1"]),
        ([1234567.0, None, 5.0], ["1,234,567", "", "5"]),
        ([-0.5, 0.0, 0.25], ["-0.5000", "0.0000", "0.2500"]),
        ([None], [""]),
    ],
)
def test_numbers_have_the_digits_that_tell_them_apart(values: list[float | None], texts: list[str]) -> None:
    assert format_numbers(values) == texts


def test_values_are_shown_as_they_are_typed() -> None:
    values = [None, True, False, 3, 1e-08, 0.001, "conv", "", [1, "a"], {"b": None}]
    texts = ["null", "true", "false", "3", "1e-08", "0.001", "conv", "''", '[1, "a"]', '{"b": null}']
    assert [as_typed(value) for value in values] == texts


def test_only_differing_settings_are_shown() -> None:
    runs = [record("a", architecture={"name": "conv", "channels": [1], "code_size": 3}), record("b", seed=1)]
    assert differing_settings(runs) == ["architecture", "seed"]  # linear has no channels: the choice explains them
    runs.append(record("c", architecture={"name": "conv", "channels": [2], "code_size": 3}))
    assert differing_settings(runs) == ["architecture", "architecture.channels", "seed"]
    assert differing_settings([record("a"), record("b", training__patience=3)]) == ["training.patience"]
    assert differing_settings([record("a"), record("b", config={})]) == []
    elsewhere = record(
        "b", dataset__path="/b", data_dir="/b", figures=["codes"], figure_format="svg", training__snapshot_every=1
    )
    assert differing_settings([record("a"), elsewhere]) == ["dataset.path"]
    assert differing_settings([record("a"), record("b", dataset__cache=True, dataset__max_pixels=9)]) == []


def test_keys_are_found_by_their_last_part() -> None:
    keys = Keys([record("a", {"mse": 0.1})])
    assert keys.find("learning_rate", option="--sort") == "optimizer.learning_rate"
    assert keys.find("code_size", option="--sort") == "code_size"
    assert keys.find("state", option="--sort") == "state"
    noisy = Keys([record("a", {"denoising_mse": 0.1}, validation=None, train=None)])  # `noisy_mse` in the first runs
    assert (
        noisy.find("test.noisy_mse", option="--sort")
        == noisy.find("noisy_mse", option="--sort")
        == "test.denoising_mse"
    )
    assert noisy.matching("*.noisy_*", option="--columns") == ["test.denoising_mse"]
    assert keys.matching("*.mse", option="--columns") == ["test.mse", "validation.mse", "train.mse"]
    for wrong in ("mse", "lerning_rate", ""):
        with pytest.raises(ConfigError, match=r"^--sort"):
            keys.find(wrong, option="--sort")
    with pytest.raises(ConfigError, match=r"--columns.*like 'x\*'"):
        keys.matching("x*", option="--columns")


def test_the_best_value_is_marked_if_all_are_comparable() -> None:
    runs = [record("a", {"mse": 0.2}), record("b", {"mse": 0.1}), record("c", {"mse": 0.1})]
    assert best_rows(runs, "test.mse") == {1, 2}
    assert best_rows(runs, "parameters") == frozenset()
    assert best_rows(runs[1:], "test.mse") == frozenset()  # both are
    assert best_rows([*runs, record("d", {"mse": 0.1}, state="failed")], "test.mse") == {1, 2}
    assert best_rows([*runs, record("d", {"mse": 0.01}, dataset__limit=9)], "test.mse") == frozenset()
    assert best_rows([record("a", {"psnr": 1.0}), record("b", {"psnr": 2.0})], "test.psnr") == {1}


def test_all_values_that_look_like_the_best_are_marked() -> None:
    runs = [record(str(seed), {"mse": error}, seed=seed) for seed, error in enumerate([0.10000001, 0.1, 0.2])]
    assert best_rows(runs, "test.mse") == {1}
    assert column(runs, "test.mse").cells[0] == column(runs, "test.mse").cells[1]
    assert column(runs, "test.mse").best == {0, 1}
    runs.append(record("lost", {"mse": 0.1}, state="failed", seed=3))
    assert column(runs, "test.mse").best == {0, 1}


def test_the_default_metric_is_of_the_validation_split_if_possible() -> None:
    runs = [record("a", {"mse": 0.1}), record("b", {"mse": 0.1})]
    assert usual_metric(runs) == "validation.mse"
    assert usual_metric([*runs, record("c", {"mse": 0.1}, validation=None)]) == "test.mse"
    assert usual_metric([*runs, record("c", state="failed")]) == "validation.mse"
    assert usual_metric([record("a", {"psnr": 1.0})]) == "test.psnr"
    assert usual_metric([record("a", state="failed")]) is None


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ({"mse": 0.1, "denoising_mse": 0.2}, "denoising_mse"),
        ({"mse": 0.1, "elbo_nats": -9.0}, "elbo_nats"),
        ({"mse": 0.1, "elbo_nats": -9.0, "denoising_mse": 0.2}, "denoising_mse"),  # its ELBO is of clean images
    ],
)
def test_the_default_metric_is_what_the_runs_were_trained_for(scores: dict[str, float], expected: str) -> None:
    runs = [record("a", scores), record("b", scores)]
    assert usual_metric(runs) == f"validation.{expected}"
    assert usual_metric([*runs, record("c", scores, validation=None)]) == f"test.{expected}"
    assert usual_metric([*runs, record("c", {"mse": 0.1})]) == "validation.mse"  # what all have
    assert usual_metric([*runs, record("c", {"mse": 0.1}, state="failed")]) == f"validation.{expected}"


def test_denoising_errors_stand_next_to_their_baselines() -> None:
    scores = {"mse": 0.1, "denoising_mse": 0.2, "noise_mse": 0.4, "linear_denoising_mse": 0.3, "pca_mse": 0.05}
    runs = [record("a", scores), record("b", scores, seed=1)]
    errors = [f"{split}.{name}" for name in ("denoising_mse", "mse") for split in ("test", "validation", "train")]
    expected = [*errors, "validation.linear_denoising_mse", "validation.noise_mse"]
    keys = usual_columns(runs, "validation.denoising_mse")
    assert keys[1 : keys.index("code_size")] == expected
    assert same_for_all(runs, keys)["validation.noise_mse"] == "0.8000"
    assert "validation.linear_denoising_mse" in usual_columns(runs, "validation.mse")


def test_variational_models_show_bound_likelihood_and_error() -> None:
    runs = [record("a", {"elbo_nats": -9.0, "nll_nats": 8.0, "mse": 0.1, "pca_mse": 0.2})]
    shown = [key for key in usual_columns(runs, "test.elbo_nats") if key.startswith("test.")]
    assert shown == ["test.elbo_nats", "test.nll_nats", "test.mse", "test.pca_mse"]


def test_the_default_columns() -> None:
    runs = [record("a", {"mse": 0.1, "psnr": 9.0, "pca_mse": 0.2}), record("b", {"mse": 0.2}, seed=1)]
    facts = ["code_size", "parameters", "epochs", "seconds.training", "images_per_second", "machine"]
    scores = ["test.mse", "validation.mse", "train.mse", "test.pca_mse"]
    assert usual_columns(runs, "validation.mse") == ["seed", *scores, *facts]
    assert usual_columns(runs, "test.psnr")[1:4] == ["test.psnr", "validation.psnr", "train.psnr"]
    absolute = [record(name, {"mse": 0.1, "mae": 0.2}, loss={"name": name}) for name in ("mse", "l1")]
    assert usual_columns(absolute, "test.mse")[1:7] == [
        f"{split}.{name}" for name in ("mse", "mae") for split in ("test", "validation", "train")
    ]
    likelihoods = [record("a", {"mse": 0.1, "denoising_mse": 0.2, "elbo_nats": -9.0, "nll_nats": 8.0})]
    assert usual_columns(likelihoods, "test.mse")[3:9:3] == ["test.denoising_mse", "test.elbo_nats"]
    assert same_for_all(runs, usual_columns(runs, "test.mse")) == {
        "dataset": "MNIST",
        "code_size": "3",
        "parameters": "1,234",
        "epochs": "5 (best 4)",
        "machine": "cpu",
    }


def test_the_code_size_is_shown_once() -> None:
    runs = [record(str(size), {"mse": 0.1}, architecture__code_size=size, code_size=size) for size in (2, 3)]
    assert usual_columns(runs, "test.mse")[0] == "test.mse"
    other = [record(str(size), {"mse": 0.1}, architecture__code_size=size, code_size=2 * size) for size in (2, 3)]
    assert usual_columns(other, "test.mse")[0] == "architecture.code_size"


def test_epochs_are_those_of_the_weights_or_the_last_one() -> None:
    runs = [
        record("a", {"mse": 0.1}),
        record("b", {"mse": 0.1}, best_epoch=None),
        record("c", state="running", history=({"epoch": 2},)),
        record("d", state="waiting"),
    ]
    assert list(column(runs, "epochs").cells) == ["5 (best 4)", "5", "2 of 5", ""]


def test_runs_are_named_by_label_unless_several_have_it() -> None:
    runs = [record("x/0", label="a"), record("y/0", label="a"), record("z", label="b")]
    assert run_names(runs) == ["x/0", "y/0", "b"]


def test_a_unit_in_the_name_is_not_repeated() -> None:
    runs = [record("a", {"mse": 0.1})]
    assert "seconds.training" in runs[0].metrics
    assert runs[0].unit("seconds.training") == "seconds"
    assert units(runs, ["test.mse", "seconds.training"]) == {"mse": "squares"}


def test_each_unit_is_shown_once() -> None:
    runs = [record("a", {"mse": 0.1, "loss": 0.1}), record("b", {"loss": 9.0}, units={"loss": "nats"})]
    found = units(runs, ["test.mse", "validation.mse", "test.loss", "parameters"])
    assert found == {"mse": "squares", "loss": "squares | nats"}


def test_headings_are_keys_in_lines() -> None:
    assert heading_lines("optimizer.learning_rate") == ["optimizer.", "learning_rate"]
    assert heading_lines("images_per_second") == ["images_", "per_second"]


def table_of(runs: list[RunRecord], metric: str) -> list[Column]:
    return [Column("run", run_names(runs), right=False), *(column(runs, key) for key in usual_columns(runs, metric))]


def test_the_width_is_that_of_the_printed_table_with_the_best_value_in_bold() -> None:
    runs = [record("naïve 漢字", {"mse": 0.25}, seed=1), record("b", {"mse": 0.5}, seed=2)]
    columns = table_of(runs, "test.mse")
    assert max(cell_len(line) for line in printed(as_rich_table(columns)).splitlines()) == table_width(columns)
    styled = printed(as_rich_table(columns), styled=True)
    assert "\x1b[1m0.2500\x1b[0m" in styled
    assert "\x1b[1m0.5000\x1b[0m" not in styled


def test_a_narrow_terminal_keeps_the_most_important_columns() -> None:
    runs = [
        record("convolutional, seed 1", {"mse": 0.25, "pca_mse": 0.5}, seed=1, architecture__name="conv", code_size=4),
        record("linear, seed 2", {"mse": 0.5, "pca_mse": 0.5}, seed=2, code_size=8, parameters=5),
    ]
    columns = table_of(runs, "validation.mse")
    order = least_important_first(columns, metric="validation.mse")
    assert order[0] == "images_per_second"
    assert set(order) == {one.key for one in columns} - {"run", "validation.mse"}
    left = fit(columns, metric="validation.mse", into=55)
    keys = [one.key for one in left]
    assert table_width(left) <= 55
    assert keys[0] == "run"
    assert {"validation.mse", "test.mse", "code_size"} <= set(keys)
    assert "seed" not in keys  # the runs' names have it
    assert fit(columns, metric="validation.mse", into=1000) == columns
    assert [one.key for one in fit(columns, metric="validation.mse", into=1)] == ["run", "validation.mse"]


def test_a_narrow_column_returns_if_a_wide_one_made_room() -> None:
    columns = [Column("metric", ["1" * 10]), Column("wide", ["1" * 40]), Column("narrow", ["1" * 6])]
    left = fit(columns, metric="metric", into=20)
    assert [one.key for one in left] == ["metric", "narrow"]
    assert table_width(left) == 18  # 10 and 6, with a gap of 2
    assert [one.key for one in fit(columns, metric="metric", into=17)] == ["metric"]
