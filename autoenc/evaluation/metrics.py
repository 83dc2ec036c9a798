"""Metrics: functions that score a model, their units, and which direction is better.

The table of runs, their ranking, the pictures, the report and the search all read it from here. Importing this module
does not import torch. A package adds a metric by an entry point `metric.<name>` in the entry-point group
`autoenc.plugins`, whose value is a `Metric`.
"""

from __future__ import annotations

import functools
import logging
import re
from typing import TYPE_CHECKING

from autoenc.evaluation.baseline_metrics import BASELINE_METRICS
from autoenc.evaluation.code_metrics import CODE_METRICS
from autoenc.evaluation.metric import DENOISING, HELD_OUT, SPLITS, Metric
from autoenc.evaluation.sample_metrics import SAMPLE_METRICS
from autoenc.evaluation.spectral_metrics import SPECTRAL_METRICS
from autoenc.registry import load_plugin, plugins
from autoenc.settings import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from autoenc.evaluation.scored_split import ScoredSplit
    from autoenc.models.autoencoder import AutoEncoder, AutoEncoderOutput

__all__ = ["DENOISING", "METRICS", "SPLITS", "Metric", "current_key", "find_metric", "metric_names", "metrics"]

log = logging.getLogger(__name__)

OLD_DENOISING = "noisy_"
"""What `DENOISING` was in the first runs."""

LEAST_SQUARED_ERROR = 1e-10
"""The PSNR of a perfect image is infinite; it counts as 100 dB."""


def metrics() -> dict[str, Metric]:
    """Every metric by name, our own and those of installed packages."""
    return {**METRICS, **_of_plugins()}


def find_metric(key: str) -> Metric | None:
    """The metric of `mse`, `test.denoising_mse`, `validation/loss` or `seconds.training`; None of an unknown name."""
    first, _, rest = key.replace("/", ".").partition(".")
    name = rest if first in SPLITS and rest else first
    known = metrics()
    if name in known:
        return known[name]
    clean = known.get(name.removeprefix(OLD_DENOISING).removeprefix(DENOISING))
    return None if clean is None or clean.per_image is None else clean.denoising()


def current_key(key: str) -> str:
    """Rename a key of the first runs: `test.noisy_mse` becomes `test.denoising_mse`, in patterns too."""
    return re.sub(rf"\b{OLD_DENOISING}", DENOISING, key)


def metric_names(*, split: str) -> list[str]:
    """The names that a metric of this split can have, `denoising_mse` among them."""
    there = [metric for metric in metrics().values() if split in metric.splits]
    return [*(metric.name for metric in there), *(DENOISING + metric.name for metric in there if metric.per_image)]


def mean_squared_error(model: AutoEncoder, output: AutoEncoderOutput, clean: Tensor) -> Tensor:  # noqa: ARG001
    """The mean over pixels of the squared difference, (B,)."""
    return (output.reconstruction - clean).square().flatten(1).mean(1)


def mean_absolute_error(model: AutoEncoder, output: AutoEncoderOutput, clean: Tensor) -> Tensor:  # noqa: ARG001
    """The mean over pixels of the absolute difference, (B,)."""
    return (output.reconstruction - clean).abs().flatten(1).mean(1)


def peak_signal_to_noise_ratio(model: AutoEncoder, output: AutoEncoderOutput, clean: Tensor) -> Tensor:
    """-10 log10 of the mean squared error, in decibels, for a peak of 1; (B,)."""
    return -10 * mean_squared_error(model, output, clean).clamp(min=LEAST_SQUARED_ERROR).log10()


def binary_cross_entropy(model: AutoEncoder, output: AutoEncoderOutput, clean: Tensor) -> Tensor:
    """The mean over pixels of -t log x - (1 - t) log(1 - x), in nats, (B,); from logits."""
    import torch.nn.functional as F

    logits = model.output_range.to_logits(output.raw)
    return F.binary_cross_entropy_with_logits(logits, clean, reduction="none").flatten(1).mean(1)


def structural_similarity(model: AutoEncoder, output: AutoEncoderOutput, clean: Tensor) -> Tensor:  # noqa: ARG001
    """The mean structural similarity, (B,)."""
    from autoenc.evaluation.structural_similarity import similarity

    return similarity(output.reconstruction, clean)


def negative_log_likelihood(scored: ScoredSplit) -> Tensor | None:
    """-log p(image) in nats, (N,), by importance sampling; None where no samples are asked for.

    Where the settings limit the number of images, a frozen draw is measured.
    """
    from autoenc.evaluation.likelihood import negative_log_likelihoods
    from autoenc.evaluation.probes import probe_indices

    trained, settings, images = scored.trained, scored.trained.settings, scored.split.images
    samples = settings.nll_samples
    most = settings.nll_train_images if scored.name == "train" else settings.nll_images
    images = images[probe_indices(len(images), most=most)]
    if not samples or len(images) == 0:
        return None
    log.info("Estimating the likelihood of %d %s images from %d samples each.", len(images), scored.name, samples)
    return negative_log_likelihoods(trained.model, images, device=trained.device, samples=samples)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(name="loss", better="lower", scale="log"),
        Metric(name="reconstruction", better="lower", scale="log"),
        Metric(name="penalty"),
        Metric(
            name="mse",
            unit="mean over pixels of the squared error, pixels in [0, 1]",
            better="lower",
            per_image=mean_squared_error,
            input="clean",
            scale="log",
            baselines=("mean_image_mse", "pca_mse"),
            denoising_baselines=("noise_mse", "median_mse", "pca_denoising_mse", "linear_denoising_mse"),
        ),
        Metric(
            name="mae",
            unit="mean over pixels of the absolute error, pixels in [0, 1]",
            better="lower",
            per_image=mean_absolute_error,
            input="clean",
            scale="log",
        ),
        Metric(
            name="psnr",
            unit="decibels, mean over images, pixels in [0, 1]",
            better="higher",
            per_image=peak_signal_to_noise_ratio,
            input="clean",
        ),
        Metric(
            name="bce",
            unit="nats per pixel",
            better="lower",
            per_image=binary_cross_entropy,
            input="clean",
            scale="log",
        ),
        Metric(
            name="ssim",
            unit="structural similarity, 1 at the most: averaged over Gaussian windows of 11 x 11 pixels (std 1.5) "
            "that lie inside the image, smaller windows along sides under 11 pixels",
            better="higher",
            per_image=structural_similarity,
            splits=HELD_OUT,
            input="clean",
        ),
        Metric(
            name="elbo_nats",
            unit="nats an image, higher is better: the evidence lower bound, of sampled codes, the penalty unweighted",
            better="higher",
            input="clean",
            depends_on=("loss",),
        ),
        Metric(
            name="nll_nats",
            unit="nats an image from {nll_samples} importance samples, lower is better: the negative log-likelihood, "
            "which is too high with few samples",
            better="lower",
            per_split=negative_log_likelihood,
            input="clean",
            depends_on=("loss", "evaluation.nll_samples", "evaluation.nll_images"),
        ),
        *BASELINE_METRICS,
        *CODE_METRICS,
        *SAMPLE_METRICS,
        *SPECTRAL_METRICS,
        *(
            Metric(
                name=name,
                unit=f"decibels over {baseline}: 10 log10 of the ratio of the errors, each averaged over images, "
                f"averaged over {noises} of evaluation=denoising",
                better="higher",
                splits=("test",),
                input="clean",  # the noises are those of the evaluation, not of the run
            )
            for name, baseline, noises in (
                ("denoising_gain_db", "doing nothing", "the noises"),
                ("denoising_gain_unseen_db", "doing nothing", "the noises, without that of the training,"),
                ("denoising_gain_over_median_db", "a 3x3 median filter", "the noises"),
            )
        ),
        Metric(name="seconds", unit="seconds", better="lower", splits=()),
        Metric(
            name="images_per_second",
            unit="training images a second, validation and checkpoints included in the time",
            better="higher",
            splits=(),
        ),
    )
}


@functools.cache
def _of_plugins() -> dict[str, Metric]:
    found = {name: load_plugin(point) for name, point in plugins("metric").items()}
    for name, metric in found.items():
        if not isinstance(metric, Metric) or metric.name != name:
            raise ConfigError("metric.name", "the plugin is not a Metric of this name", value=name)
    return found
