"""Reconstruction losses: the distance of a reconstruction from the clean image."""

from __future__ import annotations

from autoenc.models.losses.continuous_bernoulli import ContinuousBernoulliLikelihood, ContinuousBernoulliSettings
from autoenc.models.losses.likelihoods import (
    BernoulliSettings,
    GaussianLikelihood,
    GaussianSettings,
    LaplaceSettings,
    LearnedGaussianLikelihood,
)
from autoenc.models.losses.loss import Emphasis, Loss, LossSettings
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
    "LOSSES",
    "BinaryCrossEntropy",
    "ContinuousBernoulliLikelihood",
    "Emphasis",
    "GaussianLikelihood",
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
