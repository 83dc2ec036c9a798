"""What a trained model is measured by, and in which units."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

from autoenc.evaluation.batches import fetch
from autoenc.evaluation.health import examine
from autoenc.evaluation.likelihood import negative_log_likelihood
from autoenc.evaluation.linear_baseline import pca_error
from autoenc.evaluation.metrics import METRICS, UNITS
from autoenc.evaluation.scores import measure
from autoenc.experiment.preparation import Prepared
from autoenc.models.autoencoder import AutoEncoder
from autoenc.training.loop import Trainer
from autoenc.training.step import NotFiniteError, TrainingStep

log = logging.getLogger(__name__)

_UNITS_OF_ALL = {
    **UNITS,
    **{f"noisy_{name}": f"{UNITS[name]}; from the noisy input" for name in METRICS},
    "seconds": "seconds",
    "images_per_second": "training images a second, validation and checkpoints included in the time",
}
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
        metrics=list(METRICS),
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
    baseline = pca_error(train, test, components=config.architecture.code_size, device=device)
    scores = {} if baseline is None else {"pca_mse": baseline}
    if baseline is None:
        log.info("Images of so many pixels are too large for PCA: there is no pca_mse.")
    samples = config.evaluation.nll_samples
    if samples:
        log.info("Estimating the likelihood of the test images from %d samples each.", samples)
        scores["nll_nats"] = negative_log_likelihood(model, test, device=device, samples=samples)
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
    return {
        **_UNITS_OF_ALL,
        **{name: UNITS[name] + likelihood for name in ("elbo_nats", "nll_nats")},
        **bottleneck.diagnostic_units,
        **model.loss.diagnostic_units,
        "loss": bottleneck.objective_unit(model.loss.unit),
        "reconstruction": model.loss.unit,
        "penalty": bottleneck.penalty_unit,
    }
