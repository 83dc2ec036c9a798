"""The contents of `summary.json`: scores of the three splits, facts of the run, and the unit of each number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from autoenc.evaluation.batches import fetch
from autoenc.evaluation.health.examination import examine
from autoenc.evaluation.metrics import SPLITS, Metric, metrics
from autoenc.evaluation.scores import SplitToScore, measure
from autoenc.experiment.preparation import Prepared
from autoenc.training.state import TrainingState
from autoenc.training.step import NotFiniteError


def summarize(prepared: Prepared, state: TrainingState, *, total_seconds: float) -> dict[str, Any]:
    """Score the trained model.

    Raises:
        NotFiniteError: a score is not finite.
    """
    splits, position, units = prepared.splits, state.position, units_of(prepared)
    scores = {split: _scores(prepared, split=split) for split in SPLITS}
    named = [*(scores["test"] or {}), "seconds", "images_per_second"]
    return {
        **scores,
        "parameters": sum(parameter.numel() for parameter in prepared.model.parameters()),
        "code_size": prepared.config.architecture.code_size,
        "best_epoch": position.best_epoch,
        "epochs": position.epoch,
        "seconds": {"total": total_seconds, "training": position.seconds},
        "images_per_second": len(splits.train) * position.epoch / position.seconds,
        "device": prepared.device.description,
        "digests": dict(splits.digests),
        "duplicates": dict(splits.duplicates),
        "health": examine(prepared.model, splits.test.images, device=prepared.device),
        "units": {name: units[name] for name in named if name in units},
    }


def units_of(prepared: Prepared) -> dict[str, str]:
    """The unit of each number that a run may report, by name."""
    loss, bottleneck = prepared.model.loss, prepared.model.bottleneck
    pixels = {"none": "grey", "static": "statically binarized", "dynamic": "dynamically binarized"}
    likelihood = f"; {loss.likelihood_of or loss.unit} of {pixels[prepared.config.dataset.binarization]} pixels"
    known = [*metrics().values()]
    known += [metric.from_noisy_input() for metric in known if metric.per_image is not None]
    return {
        **{metric.name: metric.unit + (likelihood if "loss" in metric.depends_on else "") for metric in known},
        **bottleneck.diagnostic_units,
        **loss.diagnostic_units,
        "loss": bottleneck.objective_unit(loss.unit),
        "reconstruction": loss.unit,
        "penalty": bottleneck.penalty_unit,
    }


def _scores(prepared: Prepared, *, split: str) -> dict[str, float] | None:
    config, device, splits, model, _ = prepared
    images = getattr(splits, split).images
    if len(images) == 0:
        return None
    known = [metric for metric in metrics().values() if split in metric.splits]
    found = fetch(measure(model, images, device=device, noise=config.noise, split=split, metrics=known))
    found |= _scores_of_split(prepared, images, metrics=known)
    odd = [name for name, value in found.items() if not math.isfinite(value)]
    if odd:
        raise NotFiniteError(f"on the {split} split {' and '.join(odd)} is not finite")
    return found


def _scores_of_split(prepared: Prepared, images: Tensor, *, metrics: Sequence[Metric]) -> dict[str, float]:
    config, device, splits, model, _ = prepared
    scored = SplitToScore(
        model=model,
        images=images,
        train_images=splits.train.images,
        code_size=config.architecture.code_size,
        nll_samples=config.evaluation.nll_samples,
        device=device,
    )
    values = {metric.name: metric.per_split(scored) for metric in metrics if metric.per_split is not None}
    return {name: value for name, value in values.items() if value is not None}
