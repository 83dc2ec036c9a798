"""Reconstruction losses: how far a reconstruction is from the clean image."""

from __future__ import annotations

from autoenc.models.losses.bernoulli import BernoulliLikelihood, BernoulliSettings
from autoenc.models.losses.continuous_bernoulli import ContinuousBernoulliLikelihood, ContinuousBernoulliSettings
from autoenc.models.losses.gaussian import GaussianLikelihood, GaussianSettings, LearnedGaussianLikelihood
from autoenc.models.losses.laplace import LaplaceLikelihood, LaplaceSettings
from autoenc.models.losses.loss import EVEN, Emphasis, EmphasisSettings, Loss, LossSettings
from autoenc.models.losses.pixel_means import (
    BceSettings,
    BinaryCrossEntropy,
    L1Settings,
    MeanAbsoluteError,
    MeanSquaredError,
    MseSettings,
)
from autoenc.registry import Registry

__all__ = [
    "EVEN",
    "LOSSES",
    "BernoulliLikelihood",
    "BinaryCrossEntropy",
    "ContinuousBernoulliLikelihood",
    "Emphasis",
    "EmphasisSettings",
    "GaussianLikelihood",
    "LaplaceLikelihood",
    "LearnedGaussianLikelihood",
    "Loss",
    "LossSettings",
    "MeanAbsoluteError",
    "MeanSquaredError",
]

LOSSES: Registry[LossSettings] = Registry(
    "loss",
    {
        "mse": MseSettings,
        "l1": L1Settings,
        "bce": BceSettings,
        "bernoulli": BernoulliSettings,
        "gaussian": GaussianSettings,
        "continuous_bernoulli": ContinuousBernoulliSettings,
        "laplace": LaplaceSettings,
    },
)
