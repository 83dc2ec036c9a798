"""Metrics that depend on no trained model: baselines, and the lowest possible bce."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING

from autoenc.evaluation.metric import HELD_OUT, Metric

if TYPE_CHECKING:
    from torch import Tensor

    from autoenc.evaluation.scored_split import ScoredSplit

log = logging.getLogger(__name__)


def mean_image_error(scored: ScoredSplit) -> Tensor:
    """The squared error of the mean training image, (N,)."""
    return scored.errors(lambda _: scored.trained.mean_image, noisy=False)


def pca_error(scored: ScoredSplit) -> Tensor | None:
    """The squared error of PCA, (N,)."""
    if (pca := scored.trained.pca) is None:
        log.info("pca_mse is not measured: the images are too large for PCA.")
        return None
    return scored.errors(pca.reconstruct, noisy=False)


def noise_error(scored: ScoredSplit) -> Tensor | None:
    """The squared error of the noisy image itself, (N,); None without noise."""
    return scored.errors(lambda noisy: noisy, noisy=True) if scored.trained.noise.corrupts else None


def median_error(scored: ScoredSplit) -> Tensor | None:
    """The squared error of a median filter, (N,); None without noise."""
    from autoenc.evaluation.baselines import median_filter

    return scored.errors(median_filter, noisy=True) if scored.trained.noise.corrupts else None


def pca_denoising_error(scored: ScoredSplit) -> Tensor | None:
    """The squared error of the PCA of clean images, from the noisy to the clean image, (N,); None without noise."""
    trained = scored.trained
    if not trained.noise.corrupts or trained.pca is None:
        return None
    return scored.errors(trained.pca.reconstruct, noisy=True)


def linear_denoising_error(scored: ScoredSplit) -> Tensor | None:
    """The squared error of the best linear denoiser, (N,); None without noise."""
    trained = scored.trained
    if not trained.noise.corrupts or trained.linear_denoiser is None:
        return None
    return scored.errors(trained.linear_denoiser.reconstruct, noisy=True)


def lowest_cross_entropy(scored: ScoredSplit) -> Tensor | None:
    """The entropy of the pixels of each image, (N,); None for other losses, and for black and white pixels: it is 0."""
    import torch

    from autoenc.models.losses.likelihoods import BernoulliLikelihood
    from autoenc.models.losses.pixel_means import BinaryCrossEntropy

    if not isinstance(scored.trained.model.loss, BernoulliLikelihood | BinaryCrossEntropy):
        return None
    entropy = torch.special.entr
    found = torch.cat([(entropy(clean) + entropy(1 - clean)).flatten(1).mean(1) for clean in scored.batches()])
    return found if found.any() else None  # synchronizes


_baseline = functools.partial(Metric, splits=HELD_OUT, scale="log")
_fitted_baseline = functools.partial(_baseline, depends_on=("dataset.split_seed",))
"""A baseline that is fitted to the training images."""

BASELINE_METRICS: tuple[Metric, ...] = (
    _fitted_baseline(
        name="mean_image_mse",
        short_name="mean image",
        long_name="the mean image",
        unit="the mse of the mean training image: the baseline of a code without information",
        per_split=mean_image_error,
        input="clean",
    ),
    _fitted_baseline(
        name="pca_mse",
        short_name="PCA",
        long_name="PCA with {numbers}",
        unit="the mse of PCA with as many components as the code has numbers: the linear baseline",
        per_split=pca_error,
        input="clean",
    ),
    _baseline(
        name="noise_mse",
        short_name="doing nothing",
        long_name="doing nothing",
        unit="the error of the noise itself: the mse of the noisy image",
        per_split=noise_error,
    ),
    _baseline(
        name="median_mse",
        short_name="3x3 median filter",
        long_name="a 3x3 median filter",
        unit="the denoising_mse of a median filter of 3 x 3 pixels",
        per_split=median_error,
    ),
    _fitted_baseline(
        name="pca_denoising_mse",
        short_name="PCA of clean images",
        long_name="the PCA of clean images with {numbers}",
        unit="the denoising_mse of the PCA of clean images with as many components as the code has numbers",
        per_split=pca_denoising_error,
    ),
    _fitted_baseline(
        name="linear_denoising_mse",
        short_name="best linear denoiser",
        long_name="the best linear denoiser with {numbers}",
        unit="the denoising_mse of the best linear map whose rank is the code size (reduced-rank regression)",
        per_split=linear_denoising_error,
    ),
    _baseline(
        name="lowest_bce",
        unit="nats per pixel, the lower bound of bce: the entropy of grey pixels",
        per_split=lowest_cross_entropy,
        input="clean",
    ),
)
