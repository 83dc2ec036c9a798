"""The metrics of codes, samples and outliers, as a run measures them: what they are given, and where there are none."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from torch import Tensor, nn

from autoenc.config import parse
from autoenc.data.datasets import DATASETS, Dataset, DatasetError, Split
from autoenc.data.datasets.outlier_images import outlier_images
from autoenc.data.noise.corruption import Corruption
from autoenc.data.noise.pixels import NoNoise
from autoenc.evaluation import image_classifier
from autoenc.evaluation.evaluation_settings import Full
from autoenc.evaluation.metrics import METRICS
from autoenc.evaluation.sample_metrics import SAMPLE_METRICS
from autoenc.evaluation.scored_split import ScoredSplit, Trained
from autoenc.experiment.preparation import prepare
from autoenc.experiment.run_scores import evaluate
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks import BOTTLENECKS
from autoenc.models.losses.likelihoods import GaussianLikelihood
from autoenc.training.step import NotFiniteError
from tests.composed import composed_values
from tests.conftest import Train
from tests.devices import cpu

PIXELS = 16


def bars(count: int, *, seed: int = 0) -> Split:
    """Images (N, 1, 4, 4) with some grey, and a bright row, column or corner: three classes, sorted."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) * 3 // count
    images = torch.randint(120, (count, 1, 4, 4), generator=generator, dtype=torch.uint8)
    images[labels == 0, :, 1] = 255
    images[labels == 1, :, :, 2] = 255
    images[labels == 2, :, :2, :2] = 255
    return Split(images, labels)


def one_class(count: int) -> Split:
    return Split(bars(count).images, torch.zeros(count, dtype=torch.int64))


def identity() -> AutoEncoder:
    """Its code are the pixels."""
    return AutoEncoder(nn.Flatten(), nn.Unflatten(1, (1, 4, 4)))


def gaussian(*, deviation: float = 0.05) -> AutoEncoder:
    """Its codes are the pixels, centred, with a normal deviate; its decoder gives them back."""
    encoder = nn.Linear(PIXELS, 2 * PIXELS)
    with torch.no_grad():
        encoder.weight.copy_(torch.cat([torch.eye(PIXELS), torch.zeros(PIXELS, PIXELS)]))
        encoder.bias[:PIXELS] = 0
        encoder.bias[PIXELS:] = 15 * math.atanh(2 * math.log(deviation) / 15)
    settings = {"name": "gaussian", "samples": 1, "beta": 1.0, "warmup_epochs": 0.0, "free_bits": 0.0}
    return AutoEncoder(
        nn.Sequential(nn.Flatten(), encoder),
        nn.Unflatten(1, (1, 4, 4)),
        bottleneck=BOTTLENECKS.parse(settings).build(code_size=PIXELS),
        loss=GaussianLikelihood(std=1.0),
    )


def scored(model: AutoEncoder, *, split: Split | None = None, test: Split | None = None, **fields: Any) -> ScoredSplit:
    trained = Trained(
        model=model,
        split=bars(90) if split is None else split,
        code_size=PIXELS,
        device=cpu(),
        settings=Full(nll_samples=0, probe_images=60, other_dataset=None),
        **{"noise": NoNoise(), **fields},
    )
    return ScoredSplit(name="test", split=bars(60, seed=1) if test is None else test, trained=trained)


def values(name: str, given: ScoredSplit) -> Tensor:
    """A number an image."""
    function = METRICS[name].per_split
    assert function is not None
    found = function(given)
    assert isinstance(found, Tensor)
    return found


def value(name: str, given: ScoredSplit) -> float | None:
    function = METRICS[name].per_split
    assert function is not None
    found = function(given)
    return found.mean().item() if isinstance(found, Tensor) else found


PROBES = ("linear_probe_accuracy", "knn_accuracy")


# --- probes ---


@pytest.mark.parametrize("name", PROBES)
def test_probes_are_given_codes_pca_codes_and_pixels(name: str) -> None:
    given = scored(identity())
    hits = values(name, given)
    assert hits.shape == (60,)
    assert 0.9 < hits.mean().item() <= 1
    assert torch.equal(values(f"pixels_{name}", given), hits)
    constant = identity()
    constant.encoder = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, PIXELS))
    nn.init.zeros_(constant.encoder[1].weight)  # type: ignore[arg-type]
    without_information = scored(constant)
    assert values(name, without_information).mean().item() == pytest.approx(1 / 3)
    assert torch.equal(values(f"pixels_{name}", without_information), hits)
    assert values(f"pca_{name}", without_information).mean().item() > 0.9


def test_pca_codes_are_of_the_code_size() -> None:
    given = scored(identity())
    assert given.trained.pca is not None
    torch.testing.assert_close(given.vectors("pca"), given.trained.pca.encode(given.split.images / 255))


def test_probes_are_fitted_once_to_a_draw_of_the_training_images(monkeypatch: pytest.MonkeyPatch) -> None:
    given = scored(identity())
    probed = given.trained.probed.split
    assert len(probed) == 60
    assert set(probed.labels.tolist()) == {0, 1, 2}  # the first 60 have no 2
    values("linear_probe_accuracy", given)
    monkeypatch.setattr("sklearn.linear_model.LogisticRegression", None)
    values("linear_probe_accuracy", dataclasses.replace(given, name="validation"))


@pytest.mark.parametrize("name", [*PROBES, *(f"pca_{name}" for name in PROBES), "kmeans_accuracy"])
def test_images_without_classes_have_no_accuracy(name: str) -> None:
    assert value(name, scored(identity(), split=one_class(90), test=one_class(60))) is None


def test_pixels_of_large_images_are_not_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoenc.evaluation.scored_split.MOST_DIMENSIONS", PIXELS - 1)
    given = scored(identity())
    assert value("pixels_knn_accuracy", given) is None
    assert value("knn_accuracy", given) is not None


def test_noise_is_drawn_only_for_noisy_inputs() -> None:
    draws = []

    def whitening(images: Tensor, *, generator: torch.Generator) -> Corruption:
        draws.append(generator)
        return Corruption(torch.ones_like(images), images < 1)

    given = scored(identity(), noise=Mock(corrupts=True, side_effect=whitening))
    pixels = given.split.images / 255
    torch.testing.assert_close(given.codes, pixels.flatten(1))
    assert given.vectors("pca") is not None
    assert not given.errors(lambda images: images, noisy=False).any()
    assert draws == []
    torch.testing.assert_close(
        given.errors(lambda images: images, noisy=True), (1 - pixels).square().flatten(1).mean(1)
    )
    assert len(draws) == 1


# --- the distribution of codes ---


def test_the_codes_of_any_model_have_an_effective_rank_and_clusters() -> None:
    given = scored(identity())
    assert value("kmeans_accuracy", given) == 1
    rank = value("effective_rank", given)
    assert rank is not None
    assert 5 < rank < PIXELS


def test_the_divergence_is_the_information_and_that_of_the_aggregate_posterior() -> None:
    given = scored(gaussian())
    information, rest = values("mutual_information_nats", given), values("aggregate_kl_nats", given)
    means = given.split.images.flatten(1) / 255
    divergence = 0.5 * (means.square() + 0.05**2 - 1 - 2 * math.log(0.05)).sum(1)
    torch.testing.assert_close(information + rest, divergence, rtol=1e-4, atol=1e-4)
    assert information.mean().item() == pytest.approx(math.log(60), abs=0.01)  # narrow: each code names its image
    wide = scored(gaussian(deviation=20.0))
    assert values("mutual_information_nats", wide).mean().item() == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("name", ["mutual_information_nats", "aggregate_kl_nats", "outlier_auroc_elbo"])
def test_a_code_without_a_distribution_has_no_information_and_no_elbo(name: str) -> None:
    assert value(name, scored(identity(), other=bars(30))) is None


# --- samples ---


SAMPLES = tuple(metric.name for metric in SAMPLE_METRICS if not metric.name.startswith("outlier"))


def test_samples_are_compared_with_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_classifier, "STEPS", 40)
    given = scored(gaussian())
    found = {name: value(name, given) for name in SAMPLES}
    assert [name for name, each in found.items() if each is None] == ["sample_novelty"]  # no sample is near an image
    assert (found["classifier_accuracy"] or 0) > 0.9
    assert (found["classifier_frechet_distance"] or 0) > 1
    # The codes are pixels, so reconstructions are the images.
    assert found["classifier_frechet_distance_reconstructions"] == pytest.approx(0, abs=1e-6)
    # The same images as samples, in another order.
    monkeypatch.setattr("autoenc.evaluation.made_images.samples", lambda *_, **__: given.split.images.flip(0))
    perfect = dataclasses.replace(given)
    assert value("classifier_frechet_distance", perfect) == pytest.approx(0, abs=1e-6)
    assert value("classifier_precision", perfect) == 1
    assert value("classifier_recall", perfect) == 1


def test_a_plain_model_has_samples_from_the_same_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_classifier, "STEPS", 5)
    variational, plain = scored(gaussian()), scored(identity())
    for name in ("classifier_precision", "sample_novelty", "code_gap_share", "midpoint_error"):
        assert value(name, plain) == value(name, variational)  # both decode codes as pixels


def test_of_many_images_some_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_classifier, "STEPS", 1)
    monkeypatch.setattr("autoenc.evaluation.scored_split.MOST_COMPARED", 20)
    made = scored(identity()).made_images
    assert made is not None
    torch.testing.assert_close(made.codes, made.split.images.flatten(1) / 255)
    assert len(made.split) == 20
    assert len(made.split.labels.unique()) == 3


@pytest.mark.parametrize("name", SAMPLES)
def test_images_without_classes_or_neighbours_have_no_samples(name: str) -> None:
    assert value(name, scored(gaussian(), split=one_class(90))) is None
    assert value(name, scored(gaussian(), test=bars(3))) is None
    assert value(name, scored(gaussian(), split=bars(3))) is None


# --- outliers ---


def test_the_auroc_is_the_share_of_pairs_in_which_the_outlier_has_the_larger_error() -> None:
    model = identity()
    model.decoder = nn.Sequential(nn.Unflatten(1, (1, 4, 4)), nn.Threshold(0.5, 0.0))  # loses dark pixels
    images = torch.randint(60, 128, (25, 1, 4, 4), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
    other = Split(images, torch.zeros(25))
    given = scored(model, other=other)

    def errors(split: Split) -> Tensor:
        pixels = split.images.double() / 255
        return torch.where(pixels > 0.5, 0, pixels.square()).flatten(1).mean(1)

    own, others = errors(given.split), errors(other)
    pairs = (others[:, None] > own).double() + 0.5 * (others[:, None] == own)
    assert value("outlier_auroc_mse", given) == pytest.approx(pairs.mean().item())
    assert value("outlier_auroc_mse", scored(model)) is None


def test_the_elbo_tells_outliers_too() -> None:
    bright = Split(torch.full((20, 1, 4, 4), 255, dtype=torch.uint8), torch.zeros(20))
    assert value("outlier_auroc_elbo", scored(gaussian(), other=bright)) == 1  # their codes are far from the prior
    assert value("outlier_auroc_elbo", scored(gaussian(), other=bars(60, seed=1))) == pytest.approx(0.5, abs=0.1)


def usual(name: str, **settings: Any) -> Dataset:
    shared = {
        "validation_fraction": 0.1,
        "split_seed": 0,
        "limit": 9,
        "test_limit": 5,
        "shuffle": True,
        "binarization": "static",
    }
    return DATASETS.parse({"name": name, **shared, **settings})


def test_the_other_data_set_has_the_shape_and_the_settings_of_the_run_s(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Dataset] = []

    def build(dataset: Dataset, *, data_dir: Path) -> Any:
        built.append(dataset)
        images = torch.randint(256, (5, 1, 28, 28), dtype=torch.uint8)
        return type("Built", (), {"test": Split(images, torch.arange(5))})

    monkeypatch.setattr("autoenc.data.datasets.idx_sets.IdxDataset.build", build)
    found = outlier_images(usual("mnist"), choice="auto", image_shape=(3, 14, 20), data_dir=Path())
    assert found is not None
    assert found.name == built[0].name == "fashion_mnist"
    assert (built[0].test_limit, built[0].binarization) == (5, "static")
    assert found.test.images.shape == (5, 3, 14, 20)
    assert found.test.images.dtype == torch.uint8

    def name(own: str, choice: str | None) -> str | None:
        found = outlier_images(usual(own), choice=choice, image_shape=(1, 28, 28), data_dir=Path())
        return None if found is None else found.name

    assert (name("fashion_mnist", "auto"), name("cifar10", "mnist")) == ("mnist", "mnist")
    assert name("cifar10", "auto") is name("mnist", None) is name("mnist", "mnist") is None


# --- a whole run ---

DISTRIBUTION = ("kmeans_accuracy", "effective_rank", "mutual_information_nats", "aggregate_kl_nats")


def test_a_run_is_measured_in_full(
    train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(*_: Any, **__: Any) -> Any:
        raise DatasetError("mnist", "it cannot be downloaded")

    monkeypatch.setattr(image_classifier, "STEPS", 5)
    monkeypatch.setattr("autoenc.experiment.run_scores.outlier_images", missing)
    folder = train(
        "bottleneck=gaussian", "loss=gaussian", "noise=none", "evaluation=full", "evaluation.probe_images=50"
    )
    summary = json.loads((folder / "summary.json").read_text())
    expected = {*PROBES, *DISTRIBUTION, *SAMPLES} - {"sample_novelty"}  # no sample is near an image
    assert expected <= set(summary["test"])
    assert expected <= set(summary["validation"])
    assert not expected & set(summary["train"])
    assert "fitted to at most 50 training images" in summary["units"]["knn_accuracy"]
    assert summary["standard_errors"]["test"]["knn_accuracy"] > 0
    assert len(summary["details"]["kl_nats_by_entry"]) == 3
    assert sum(summary["details"]["kl_nats_by_entry"]) == pytest.approx(summary["test"]["kl_nats"], rel=1e-4)
    information = summary["test"]["mutual_information_nats"] + summary["test"]["aggregate_kl_nats"]
    assert information == pytest.approx(summary["test"]["kl_nats"], rel=1e-4)
    assert "outlier_auroc_mse and outlier_auroc_elbo are not measured: dataset" in capsys.readouterr().out


def test_scores_that_are_not_finite_are_named(tmp_path: Path) -> None:
    settings = (
        "dataset.limit=40",
        "dataset.test_limit=40",
        "bottleneck=gaussian",
        "loss=gaussian",
        "evaluation=full",
        f"data_dir={tmp_path}",
    )
    prepared = prepare(parse(composed_values(*settings, "device=cpu", "device.threads=1")))
    with torch.no_grad():
        for parameter in prepared.model.parameters():
            parameter.fill_(math.nan)
    with pytest.raises(NotFiniteError, match=r"on the test split mse and .* is not finite"):
        evaluate(prepared)


def test_few_images_are_measured_in_full_as_far_as_they_go(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_classifier, "STEPS", 5)
    settings = ("bottleneck=gaussian", "loss=gaussian", "evaluation=full", "dataset.limit=10", "dataset.test_limit=10")
    summary = json.loads((train(*settings) / "summary.json").read_text())
    assert set(SAMPLES) <= set(summary["test"])
    assert "knn_accuracy" in summary["validation"]  # of 1 image
    assert not set(SAMPLES) & set(summary["validation"])


def test_quick_measures_the_probes_only(train: Train) -> None:
    summary = json.loads((train("bottleneck=gaussian", "loss=gaussian") / "summary.json").read_text())
    baselines = {f"{of}_{name}" for of in ("pca", "pixels") for name in PROBES}
    assert {*PROBES, *baselines} <= set(summary["test"])
    assert not {*DISTRIBUTION, *SAMPLES} & set(summary["test"])
    assert "details" not in summary
