"""The scores of a trained model on the three splits."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from autoenc.config import ExperimentConfig
from autoenc.data.datasets import DatasetError, Split
from autoenc.data.datasets.outlier_images import outlier_images
from autoenc.evaluation.batches import fetch
from autoenc.evaluation.evaluation_settings import Full
from autoenc.evaluation.frozen_noise import inputs
from autoenc.evaluation.health.examination import examine
from autoenc.evaluation.metrics import DENOISING, SPLITS, metrics
from autoenc.evaluation.probes import probe_indices
from autoenc.evaluation.scored_split import ScoredSplit, Trained
from autoenc.evaluation.scores import measure
from autoenc.experiment.preparation import Prepared
from autoenc.models.bottlenecks import Bottleneck
from autoenc.models.losses import Loss
from autoenc.progress import steps
from autoenc.training.step import NotFiniteError

log = logging.getLogger(__name__)

STORED_ERRORS = ("mse", f"{DENOISING}mse")
"""Metrics whose values of each test image are stored."""


SPEED = ("seconds", "images_per_second")


class Evaluation(NamedTuple):
    """What was measured of a trained model."""

    scores: dict[str, dict[str, float] | None]
    """By split and metric; None for an empty split. Counts are integers."""
    standard_errors: dict[str, dict[str, float]]
    """Of the mean over images, by split and metric; only of metrics that are such means."""
    details: dict[str, Any]
    """With `evaluation=full`, lists of numbers behind the scores of the test split."""
    health: dict[str, Any]
    units: dict[str, str]
    """By the name of each score, and of the speed of the training."""
    test_errors: dict[str, npt.NDArray[np.float16]]
    """`STORED_ERRORS` of each test image, (N,)."""

    @property
    def summary(self) -> dict[str, Any]:
        """Its part of `summary.json`."""
        return {
            **self.scores,
            "standard_errors": self.standard_errors,
            **({"details": self.details} if self.details else {}),
            "health": self.health,
            "units": self.units,
        }


def evaluate(prepared: Prepared) -> Evaluation:
    """Score a trained model on its three splits.

    Raises:
        NotFiniteError: a score is not finite.
    """
    config, device, splits, model, *_ = prepared
    trained = Trained(
        model=model,
        split=splits.train,
        noise=config.noise,
        code_size=config.architecture.code_size,
        device=device,
        settings=config.evaluation,
        other=_other_split(prepared),
    )
    images = {"train": _drawn(splits.train, most=config.evaluation.train_images)}
    images |= {"validation": splits.validation, "test": splits.test}
    scored = {name: ScoredSplit(name=name, split=images[name], trained=trained) for name in SPLITS}
    measured = {
        name: _measure(scored[name]) for name in steps(SPLITS, name="Evaluating", item_name="the {} split".format)
    }
    units = units_of(config, loss=model.loss, bottleneck=model.bottleneck)
    names = dict.fromkeys([*(name for each in measured.values() for name in each.scores), *SPEED])
    test = inputs(splits.test.images, noise=config.noise, split="test", device=device)
    given = (batch.given for batch in test)
    stored = {name: values for name, values in measured["test"].per_image.items() if name in STORED_ERRORS}
    return Evaluation(
        scores={name: each.scores or None for name, each in measured.items()},
        standard_errors={name: _standard_errors(each.per_image) for name, each in measured.items() if each.scores},
        details=_details(scored["test"]),
        health=examine(model, given, statistics=measured["test"].scores),
        units={name: units[name] for name in names if name in units},
        test_errors={name: values.cpu().numpy().astype(np.float16) for name, values in stored.items()},  # synchronizes
    )


def _drawn(split: Split, *, most: int | None) -> Split:
    """At most so many images of the training split."""
    return split if most is None or len(split) <= most else split.take(probe_indices(len(split), most=most))


def _details(test: ScoredSplit) -> dict[str, Any]:
    """`kl_nats_by_entry`: of a variational model, the KL divergence of each code entry, averaged over clean images."""
    if test.trained.settings.level != "full" or test.posterior is None:
        return {}
    return {"kl_nats_by_entry": test.posterior.divergences().mean(0).tolist()}


def _other_split(prepared: Prepared) -> Split | None:
    """The images to tell from the test images; None if none are asked for, or they are not available."""
    config, device, splits, *_ = prepared
    if not isinstance(config.evaluation, Full):
        return None
    choice = config.evaluation.other_dataset
    try:
        found = outlier_images(config.dataset, choice=choice, image_shape=splits.image_shape, data_dir=config.data_dir)
    except DatasetError as error:
        log.warning("outlier_auroc_mse and outlier_auroc_elbo are not measured: %s", error)
        return None
    if found is None:
        return None
    log.info("Telling the test images of %s from those of %s by their errors.", found.name, config.dataset.name)
    return found.test.to(device.torch_device)


def units_of(config: ExperimentConfig, *, loss: Loss, bottleneck: Bottleneck) -> dict[str, str]:
    """The unit of each number that a run may report, by name."""
    kinds = {"none": "grey", "static": "statically binarized", "dynamic": "dynamically binarized"}
    pixels = f"{kinds[config.dataset.binarization]} pixels"
    likelihood = f"; {loss.likelihood_of or loss.unit} of {pixels}"
    binarized = "" if config.dataset.binarization == "none" else f"; of {pixels}"
    known = [*metrics().values()]
    known += [metric.denoising() for metric in known if metric.per_image is not None]
    return {
        **{
            metric.name: metric.unit_in(config.evaluation)
            + (likelihood if "loss" in metric.depends_on else "")
            + (binarized if metric.per_image is not None else "")
            for metric in known
        },
        **bottleneck.diagnostic_units,
        **{f"batch_{name}": f"{unit}; of a batch" for name, unit in bottleneck.diagnostic_units.items()},
        **loss.diagnostic_units,
        "loss": bottleneck.objective_unit(loss.unit),
        "reconstruction": loss.unit,
        "penalty": bottleneck.penalty_unit,
    }


class _MeasuredSplit(NamedTuple):
    scores: dict[str, float]
    per_image: dict[str, Tensor]
    """(N,) each."""


def _measure(scored: ScoredSplit) -> _MeasuredSplit:
    trained, images = scored.trained, scored.split.images
    if len(images) == 0:
        return _MeasuredSplit({}, {})
    known = [metric for metric in metrics().values() if scored.name in metric.splits]
    averages, per_image = measure(
        trained.model, images, device=trained.device, noise=trained.noise, split=scored.name, metrics=known
    )
    _finite(averages, split=scored.name)  # other libraries refuse codes that are not finite in words of their own
    for metric in known:
        if metric.per_split is None or (metric.level == "full" and trained.settings.level != "full"):
            continue
        value = metric.per_split(scored)
        if isinstance(value, Tensor):
            per_image[metric.name], averages[metric.name] = value, value.mean()
        elif value is not None:
            averages[metric.name] = torch.as_tensor(value, device=trained.device.torch_device)
    return _MeasuredSplit(_finite(averages, split=scored.name), per_image)


def _finite(averages: Mapping[str, Tensor], *, split: str) -> dict[str, float]:
    """The scores from the device. Raises NotFiniteError if one is not finite."""
    scores = fetch(averages)
    odd = [name for name, value in scores.items() if not math.isfinite(value)]
    if odd:
        raise NotFiniteError(f"on the {split} split {' and '.join(odd)} is not finite")
    return scores


def _standard_errors(per_image: Mapping[str, Tensor]) -> dict[str, float]:
    """The standard error of the mean over images of each metric; none of a single image."""
    return fetch(
        {name: values.float().std() / math.sqrt(len(values)) for name, values in per_image.items() if len(values) > 1}
    )
