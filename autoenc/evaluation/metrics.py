"""Metrics: numbers for each image, of its reconstruction."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from autoenc.evaluation.structural_similarity import similarity
from autoenc.models.autoencoder import AutoEncoder, AutoEncoderOutput

LEAST_SQUARED_ERROR = 1e-10
"""A perfect image has no PSNR; it counts as one of 100 dB."""

Metric = Callable[[AutoEncoder, AutoEncoderOutput, Tensor], Tensor]
"""From a model, its output for a batch and the clean images (B, C, H, W) to a number for each image, (B,)."""


def mean_squared_error(model: AutoEncoder, output: AutoEncoderOutput, clean: Tensor) -> Tensor:  # noqa: ARG001
    """The mean over pixels of the squared difference, (B,)."""
    return F.mse_loss(output.reconstruction, clean, reduction="none").flatten(1).mean(1)


def mean_absolute_error(model: AutoEncoder, output: AutoEncoderOutput, clean: Tensor) -> Tensor:  # noqa: ARG001
    """The mean over pixels of the absolute difference, (B,)."""
    return F.l1_loss(output.reconstruction, clean, reduction="none").flatten(1).mean(1)


def peak_signal_to_noise_ratio(model: AutoEncoder, output: AutoEncoderOutput, clean: Tensor) -> Tensor:
    """-10 log10 of the mean squared error, in decibels, for a peak of 1; (B,)."""
    error = mean_squared_error(model, output, clean)
    return -10 * torch.log10(error.clamp(min=LEAST_SQUARED_ERROR))


def binary_cross_entropy(model: AutoEncoder, output: AutoEncoderOutput, clean: Tensor) -> Tensor:
    """The mean over pixels of -t log x - (1 - t) log(1 - x), in nats, (B,); from logits."""
    logits = model.output_range.to_logits(output.raw)
    return F.binary_cross_entropy_with_logits(logits, clean, reduction="none").flatten(1).mean(1)


def structural_similarity(model: AutoEncoder, output: AutoEncoderOutput, clean: Tensor) -> Tensor:  # noqa: ARG001
    """The mean structural similarity, (B,)."""
    return similarity(output.reconstruction, clean)


METRICS: dict[str, Metric] = {
    "mse": mean_squared_error,
    "mae": mean_absolute_error,
    "psnr": peak_signal_to_noise_ratio,
    "bce": binary_cross_entropy,
    "ssim": structural_similarity,
}

UNITS = {
    "mse": "mean over pixels of the squared error, pixels in [0, 1]",
    "mae": "mean over pixels of the absolute error, pixels in [0, 1]",
    "psnr": "decibels, mean over images, peak 1",
    "bce": "nats per pixel",
    "ssim": "structural similarity, 1 at the most",
    "elbo_nats": "nats an image, higher is better: the evidence lower bound, of sampled codes, the penalty unweighted",
    "nll_nats": "nats an image, lower is better: the negative log-likelihood, estimated by importance sampling; the "
    "fewer samples, the more too high",
    "pca_mse": "the mse of PCA with as many components as the code has numbers: the linear baseline",
}
