"""Reconstruction losses: the distance of a reconstruction from the clean image."""

from __future__ import annotations

from autoenc.models.losses.continuous_bernoulli import ContinuousBernoulliSettings
from autoenc.models.losses.likelihoods import BernoulliSettings, GaussianSettings, LaplaceSettings
from autoenc.models.losses.loss import Emphasis, Loss, LossSettings
from autoenc.models.losses.pixel_means import BceSettings, L1Settings, MseSettings
from autoenc.registry import Registry

__all__ = ["LOSSES", "Emphasis", "Loss", "LossSettings"]

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
