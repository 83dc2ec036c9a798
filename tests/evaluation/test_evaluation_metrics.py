"""The table of metrics: what every other part reads from it, and the metrics of installed packages."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from autoenc.command_line.compare import main as compare
from autoenc.evaluation import metrics
from autoenc.evaluation.code_metrics import CODE_METRICS
from autoenc.evaluation.evaluation_settings import Quick
from autoenc.evaluation.metrics import METRICS, Metric, find_metric, metric_names
from autoenc.evaluation.sample_metrics import SAMPLE_METRICS
from autoenc.evaluation.spectral_metrics import SPECTRAL_METRICS
from autoenc.runs import RunDirectory
from autoenc.settings import ConfigError
from tests.conftest import AddPlugin, Train

SIMILARITIES = ("frechet_distance", "precision", "realism", "recall")
MADE = ("", "_gaussian", "_mixture", "_midpoints", "_reconstructions")
BETTER = {
    **dict.fromkeys(["loss", "reconstruction", "mse", "mae", "bce", "nll_nats", "seconds"], "lower"),
    **dict.fromkeys(["psnr", "ssim", "elbo_nats", "images_per_second"], "higher"),
    **dict.fromkeys(["penalty", "mean_image_mse", "pca_mse", "lowest_bce"], None),
    **dict.fromkeys(["linear_probe_accuracy", "knn_accuracy", "kmeans_accuracy"], "higher"),
    **dict.fromkeys([f"{of}_{name}_accuracy" for of in ("pca", "pixels") for name in ("linear_probe", "knn")], None),
    **dict.fromkeys(["effective_rank", "mutual_information_nats", "classifier_accuracy"], None),
    **dict.fromkeys(["aggregate_kl_nats", "classifier_frechet_distance", "shape_error", "detail_error"], "lower"),
    "sample_class_entropy_nats": "higher",
    "aggregate_kl_nats": "lower",
    **dict.fromkeys([f"classifier_frechet_distance{images}" for images in MADE], "lower"),
    **dict.fromkeys([f"classifier_{name}{images}" for name in SIMILARITIES[1:] for images in MADE], "higher"),
    **dict.fromkeys(
        [f"classifier_{name}_{images}" for name in SIMILARITIES for images in ("training_images", "overlays")], None
    ),
    **dict.fromkeys(["sample_novelty", "copy_novelty"], None),
    **dict.fromkeys(["code_gap_share", "midpoint_error"], "lower"),
    **dict.fromkeys(["interpolation_entropy_nats", "reconstruction_entropy_nats"], "lower"),
    **dict.fromkeys(["denoising_gain_db", "denoising_gain_unseen_db", "denoising_gain_over_median_db"], "higher"),
    **dict.fromkeys(["outlier_auroc_mse", "outlier_auroc_elbo"], "higher"),
    **dict.fromkeys(["noise_mse", "median_mse", "pca_denoising_mse", "linear_denoising_mse"], None),
}


@pytest.fixture(autouse=True)
def _no_plugins_from_other_tests() -> Iterator[None]:
    metrics._of_plugins.cache_clear()
    yield
    metrics._of_plugins.cache_clear()


def test_each_metric_has_its_direction_and_its_name() -> None:
    assert {name: metric.better for name, metric in METRICS.items()} == BETTER
    assert all(name == metric.name for name, metric in METRICS.items())


def test_a_unit_names_settings_and_keeps_other_braces() -> None:
    settings = Quick(nll_samples=5, probe_images=100)
    metric = Metric(name="mine", unit="points of {set}, {nll_samples} samples, at most {probe_images}")
    assert metric.unit_in(settings) == "points of {set}, 5 samples, at most 100"


@pytest.mark.parametrize(
    ("key", "name", "given"),
    [
        ("mse", "mse", "clean"),
        ("test.denoising_mse", "denoising_mse", "noisy"),
        ("test.noisy_mse", "denoising_mse", "noisy"),  # its name in the first runs
        ("validation/loss", "loss", "noisy"),
        ("train.psnr", "psnr", "clean"),
        ("seconds.training", "seconds", "noisy"),
    ],
)
def test_a_metric_is_found_by_its_key(key: str, name: str, given: str) -> None:
    found = find_metric(key)
    assert found is not None
    assert (found.name, found.input) == (name, given)


@pytest.mark.parametrize("key", ["denoising_loss", "noisy_elbo_nats", "test", "kl_nats"])
def test_other_keys_are_not_metrics(key: str) -> None:
    assert find_metric(key) is None


def test_nothing_has_to_be_chosen_on_the_test_split() -> None:
    of_finished_runs = {name for name in METRICS if name.startswith("denoising_gain")}
    baselines_of_probes = {name for name in METRICS if name.startswith(("pca_", "pixels_")) and "accuracy" in name}
    held_back = of_finished_runs | baselines_of_probes
    assert set(metric_names(split="test")) - held_back == set(metric_names(split="validation"))
    assert set(metric_names(split="test")) - set(metric_names(split="train")) == {
        *("mean_image_mse", "pca_mse", "lowest_bce", "ssim", "denoising_ssim"),
        *("noise_mse", "median_mse", "pca_denoising_mse", "linear_denoising_mse"),
        *(metric.name for metric in (*CODE_METRICS, *SAMPLE_METRICS, *SPECTRAL_METRICS)),
        *of_finished_runs,
    }


def test_baselines_are_metrics_and_have_a_name_for_charts() -> None:
    baselines = {metric.name for metric in METRICS.values() if metric.short_name}
    assert baselines == {
        *("mean_image_mse", "pca_mse", "noise_mse", "median_mse", "pca_denoising_mse", "linear_denoising_mse"),
        *(f"{of}_{probe}_accuracy" for of in ("pca", "pixels") for probe in ("linear_probe", "knn")),
    }
    compared = [name for metric in METRICS.values() for name in (*metric.baselines, *metric.denoising().baselines)]
    assert sorted(compared) == sorted(baselines)  # each next to one score
    assert METRICS["mse"].denoising().baselines[-1] == "linear_denoising_mse"


def test_units_are_a_single_clause() -> None:
    # What is appended after a semicolon tells which likelihoods are comparable, and which input a metric has.
    assert [metric.name for metric in METRICS.values() if ";" in metric.unit] == []


def test_the_table_is_read_without_torch() -> None:
    program = (
        "import sys, autoenc.evaluation.metrics as m; m.find_metric('test.mse'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


PLUGIN = """
from autoenc.evaluation.metrics import Metric

brightness = Metric(
    name="brightness",
    unit="mean pixel",
    better="higher",
    per_image=lambda model, output, clean: output.reconstruction.flatten(1).mean(1),
    input="clean",
)
"""


def test_a_package_adds_a_metric_that_runs_report_and_comparisons_rank(
    add_plugin: AddPlugin, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    add_plugin("bright", source=PLUGIN, entries="metric.brightness = bright:brightness")
    for seed in (0, 1):
        summary = RunDirectory(train(f"seed={seed}", folder=f"runs/{seed}")).summary()
        assert 0 < summary["test"]["brightness"] < 1
        assert summary["units"]["denoising_brightness"] == "mean pixel; from the noisy input to the clean image"
    capsys.readouterr()
    assert compare(["runs", "--metric", "test.brightness"]) == 0
    assert "By test.brightness, higher is better" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "problem"),
    [("raise RuntimeError('broken')", "RuntimeError: broken"), ("brightness = 3", "not a Metric")],
)
def test_a_broken_plugin_is_named(add_plugin: AddPlugin, source: str, problem: str) -> None:
    add_plugin("bright", source=source, entries="metric.brightness = bright:brightness")
    with pytest.raises(ConfigError, match=f"^metric.name=brightness: .*{problem}"):
        metrics.metrics()
