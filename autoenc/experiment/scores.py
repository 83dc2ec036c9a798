"""What a trained model is measured by, and in which units."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

from autoenc.evaluation.batches import fetch
from autoenc.evaluation.health import examine
from autoenc.evaluation.metrics import metrics
from autoenc.evaluation.scores import SplitToScore, measure
from autoenc.experiment.preparation import Prepared
from autoenc.models.autoencoder import AutoEncoder
from autoenc.training.loop import Trainer
from autoenc.training.step import NotFiniteError, TrainingStep

log = logging.getLogger(__name__)

_OF_TIME = ("seconds", "images_per_second")


def summarise(
    prepared: Prepared,
    trainer: Trainer,
    *,
    scores: dict[str, dict[str, float] | None],
    health: dict[str, Any],
    total_seconds: float,
) -> dict[str, Any]:
    """All of `summary.json`."""
    position, units = trainer.position, units_of(prepared)
    images = len(prepared.splits.train.images) * position.epoch
    return {
        **scores,
        "parameters": sum(parameter.numel() for parameter in trainer.model.parameters()),
        "code_size": prepared.config.architecture.code_size,
        "best_epoch": position.best_epoch,
        "epochs": position.epoch,
        "seconds": {"total": total_seconds, "training": position.seconds},
        "images_per_second": images / position.seconds,
        "device": prepared.device.description,
        "health": health,
        "units": {name: units[name] for name in [*(scores["test"] or {}), *_OF_TIME] if name in units},
    }


def score(prepared: Prepared, step: TrainingStep, *, split: str) -> dict[str, float] | None:
    """Every metric on a split; None for a split without images."""
    images = getattr(prepared.splits, split).images.to(prepared.device.torch_device)
    scalars = measure(
        step.model,
        images,
        device=prepared.device,
        noise=step.noise,
        split=split,
        metrics=list(metrics().values()),
    )
    values = fetch(scalars)
    _refuse_not_finite(values, split=split)
    return values or None


def _refuse_not_finite(values: Mapping[str, float], *, split: str) -> None:
    odd = [name for name, value in values.items() if not math.isfinite(value)]
    if odd:
        raise NotFiniteError(f"on the {split} split {' and '.join(odd)} is not finite")


def further_test_scores(prepared: Prepared, model: AutoEncoder) -> dict[str, float]:
    """What is measured once, at the end, of the test split alone."""
    config, device, splits, _, _ = prepared
    train, test = (split.images.to(device.torch_device) for split in (splits.train, splits.test))
    scored = SplitToScore(
        model, test, train, config.architecture.code_size, config.evaluation.nll_samples, prepared.device
    )
    scores = {}
    for metric in metrics().values():
        value = None if metric.per_split is None or "test" not in metric.splits else metric.per_split(scored)
        if value is not None:
            scores[metric.name] = value
    _refuse_not_finite(scores, split="test")
    return scores


def health_of(prepared: Prepared, model: AutoEncoder) -> dict[str, Any]:
    """What has gone wrong inside the model, on the test images: see `autoenc.evaluation.health`."""
    device = prepared.device
    return examine(model, prepared.splits.test.images.to(device.torch_device), device=device)


def units_of(prepared: Prepared) -> dict[str, str]:
    """The unit of each number that may be measured."""
    model, bottleneck = prepared.model, prepared.model.bottleneck
    pixels = {"none": "grey", "static": "statically binarised", "dynamic": "dynamically binarised"}
    likelihood = f"; {model.loss.unit}; pixels {pixels[prepared.config.dataset.binarization]}"
    known = [*metrics().values()]
    known += [metric.from_noisy_input() for metric in known if metric.per_image is not None]
    return {
        **{metric.name: metric.unit + (likelihood if "loss" in metric.depends_on else "") for metric in known},
        **bottleneck.diagnostic_units,
        **model.loss.diagnostic_units,
        "loss": bottleneck.objective_unit(model.loss.unit),
        "reconstruction": model.loss.unit,
        "penalty": bottleneck.penalty_unit,
    }
