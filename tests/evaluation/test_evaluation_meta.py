"""The evaluation keeps to one device, and every line that reads from the device is marked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from autoenc.data.datasets import splits
from autoenc.evaluation import image_classifier
from autoenc.evaluation.denoising_matrix import denoising_errors, level_of
from autoenc.evaluation.metrics import METRICS
from autoenc.experiment import run_scores
from autoenc.experiment.run_scores import Evaluation, evaluate
from autoenc.models.bottlenecks import BOTTLENECKS
from tests.meta_device import META, Transfers, meta_device, zeros_or_matrices
from tests.test_family import combined
from tests.training.step_cases import prepared

FULL = {"name": "full", "other_dataset": "mnist"}


def evaluated(monkeypatch: pytest.MonkeyPatch, **groups: dict[str, Any]) -> tuple[Evaluation, Transfers]:
    """A run on the meta device, evaluated."""
    monkeypatch.setattr(image_classifier, "STEPS", 2)
    with meta_device(zeros_or_matrices) as transfers:
        run = prepared({"evaluation": FULL, "noise": {"name": "gaussian"}, **groups}, device=META)
        other = SimpleNamespace(name="mnist", test=run.splits.test)
        monkeypatch.setattr(run_scores, "outlier_images", lambda *_, **__: other)
        transfers.writes.clear()
        return evaluate(run), transfers


@pytest.mark.parametrize("bottleneck", BOTTLENECKS.names())
def test_the_evaluation_keeps_the_devices_apart(bottleneck: str, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluation, transfers = evaluated(monkeypatch, bottleneck={"name": bottleneck})
    assert evaluation.scores["test"]
    assert transfers.unmarked_reads == set()


def test_every_metric_is_among_them(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {**FULL, "nll_samples": 3}
    groups: dict[str, dict[str, Any]] = {
        "bottleneck": {"name": "gaussian"},
        "loss": {"name": "bernoulli"},
        "evaluation": settings,
    }
    evaluation, transfers = evaluated(monkeypatch, **groups)
    scores = evaluation.scores["test"]
    assert scores is not None
    measured = {name for name, metric in METRICS.items() if metric.per_image or metric.per_split}
    zeros = {"sample_novelty", "copy_novelty", "midpoint_error", "shape_error", "detail_error", "lowest_bce"}
    assert measured - zeros <= scores.keys()
    assert transfers.unmarked_reads == set()
    assert transfers.doubles == []


def test_images_that_do_not_fit_are_evaluated_from_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splits, "fits_onto", lambda *_: False)
    evaluation, transfers = evaluated(monkeypatch, bottleneck={"name": "gaussian"})
    assert evaluation.scores["test"]
    assert transfers.unmarked_reads == set()


def test_the_denoising_matrix_waits_once_for_each_noise() -> None:
    with meta_device(zeros_or_matrices) as transfers:
        run = prepared({}, device=META)
        noises = [combined({"noise": {"name": name}}).noise for name in ("masking", "blur")]
        levels = [level_of(noise, usual_settings=lambda _: {}) for noise in noises]
        errors = denoising_errors([run.model], run.splits.test.images, levels=levels, device=run.device)
    assert errors.denoising.shape == (1, 2, 20)
    assert len(transfers.reads) == len(levels)
    assert transfers.unmarked_reads == set()
