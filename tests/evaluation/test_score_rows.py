"""Which baselines stand next to which score."""

from __future__ import annotations

from autoenc.evaluation.score_rows import score_rows
from tests.comparison.made_records import record

TEST = {
    "mse": 0.0196,
    "denoising_mse": 0.0321,
    "elbo_nats": -90.0,
    "mean_image_mse": 0.0675,
    "pca_mse": 0.0170,
    "noise_mse": 0.0797,
    "median_mse": 0.0803,
    "pca_denoising_mse": 0.0668,
    "linear_denoising_mse": 0.0311,
    "linear_probe_accuracy": 0.9,
    "pca_linear_probe_accuracy": 0.7,
    "pixels_linear_probe_accuracy": 0.8,
    "of_a_plugin_that_is_gone": 1.0,
}


def test_each_score_has_its_own_baselines_the_best_first() -> None:
    rows = {row.name: row for row in score_rows(record("a", TEST))}
    assert {name: dict(row.baselines) for name, row in rows.items()} == {
        "mse": {"PCA": "0.017", "mean image": "0.0675"},
        "denoising_mse": {
            "best linear denoiser": "0.0311",
            "PCA of clean images": "0.0668",
            "doing nothing": "0.0797",
            "3x3 median filter": "0.0803",
        },
        "elbo_nats": {},
        "linear_probe_accuracy": {"pixels": "0.8", "PCA codes": "0.7"},
        "of_a_plugin_that_is_gone": {},
    }
    assert next(iter(rows["mse"].baselines)) == ("PCA", "0.017")
    assert next(iter(rows["linear_probe_accuracy"].baselines)) == ("pixels", "0.8")


def test_the_main_scores_come_first() -> None:
    names = [row.name for row in score_rows(record("a", {"psnr": 1.0, **TEST}))]
    assert names[:4] == ["denoising_mse", "elbo_nats", "mse", "linear_probe_accuracy"]
    assert names[4:] == ["psnr", "of_a_plugin_that_is_gone"]


def test_a_score_beats_all_baselines_or_not() -> None:
    rows = {row.name: row.beats_all for row in score_rows(record("a", TEST))}
    assert rows["mse"] is rows["denoising_mse"] is False
    assert rows["linear_probe_accuracy"] is True
    assert rows["elbo_nats"] is None


def test_a_value_has_the_digits_of_its_standard_error_and_a_short_unit() -> None:
    units = {
        "mse": "mean squared error: over pixels",
        "denoising_mse": "mean squared error; from the noisy input to the clean image",
    }
    errors = {"test": {"mse": 0.00123, "elbo_nats": 0.0}}
    rows = {row.name: row for row in score_rows(record("a", TEST, standard_errors=errors, units=units))}
    assert rows["mse"][1] == "0.0196 ± 0.0012"
    assert rows["elbo_nats"].value == "-90"
    assert rows["mse"].unit == "mean squared error"
    assert rows["denoising_mse"].unit == "mean squared error; from the noisy input to the clean image"


def test_a_stranger_s_summary_has_no_rows() -> None:
    nothing = record("b", summary={"test": None, "units": None, "standard_errors": None})
    assert score_rows(record("a")) == score_rows(nothing) == []


def test_scores_that_are_missing_are_left_out() -> None:
    """The gate lets null through."""
    (row,) = score_rows(record("a", summary={"test": {"mse": 0.1, "pca_mse": None, "mae": None}}))
    assert (row.name, row.baselines, row.beats_all) == ("mse", (), None)


def test_a_score_that_is_called_equal_does_not_beat_its_baseline() -> None:
    beats = {mse: score_rows(record("a", {"mse": mse, "pca_mse": 0.02}))[0].beats_all for mse in (0.0199, 0.0197)}
    assert beats == {0.0199: False, 0.0197: True}


def test_a_score_within_a_standard_error_of_its_baseline_does_not_beat_it() -> None:
    scores = {"linear_probe_accuracy": 0.93, "pca_linear_probe_accuracy": 0.91}
    beats = {
        error: score_rows(record("a", scores, standard_errors={"test": {"linear_probe_accuracy": error}}))[0].beats_all
        for error in (0.025, 0.015)
    }
    assert beats == {0.025: False, 0.015: True}


def test_a_score_under_a_second_name_is_left_out() -> None:
    def names(scores: dict[str, float]) -> set[str]:
        return {row.name for row in score_rows(record("a", scores))}

    assert names({"mse": 0.03, "denoising_mse": 0.04167120, "loss": 0.04167121}) == {"mse", "denoising_mse"}
    assert names({"reconstruction": 41.5, "loss": 41.6, "penalty": 0.1, "kl_nats": 0.1}) == {
        "reconstruction",
        "loss",
        "kl_nats",
    }
    assert names({"mse": 0.03, "loss": 0.5, "penalty": 0.0, "active_units": 0}) == {
        "mse",
        "loss",
        "penalty",
        "active_units",
    }
