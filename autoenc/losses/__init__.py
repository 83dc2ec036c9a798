"""Reconstruction losses: how far a reconstruction is from the clean image."""

from __future__ import annotations

from autoenc.losses.bernoulli import BernoulliLikelihood, BernoulliSettings
from autoenc.losses.continuous_bernoulli import ContinuousBernoulliLikelihood, ContinuousBernoulliSettings
from autoenc.losses.gaussian import GaussianLikelihood, GaussianSettings, LearnedGaussianLikelihood
from autoenc.losses.laplace import LaplaceLikelihood, LaplaceSettings
from autoenc.losses.loss import EVEN, Emphasis, EmphasisSettings, Loss, LossSettings
from autoenc.losses.pixel_means import (
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
