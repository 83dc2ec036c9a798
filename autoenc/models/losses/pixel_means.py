"""Losses that are averages over the pixels of an image: mse, l1 and bce."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from autoenc.models.losses.likelihoods import BernoulliLikelihood, GaussianLikelihood, LaplaceLikelihood
from autoenc.models.losses.loss import Emphasis, Loss, LossSettings
from autoenc.settings import NonNegativeFloat


class PixelMean(Loss):
    """A loss that is one of torch's functions, which without emphasis averages in one kernel."""

    function: ClassVar[Callable[..., Tensor]]
    """Of the prediction and the target."""

    def per_pixel(self, prediction: Tensor, target: Tensor) -> Tensor:
        """(B, C, H, W)."""
        return self.function(prediction, target, reduction="none")

    def forward(self, prediction: Tensor, target: Tensor, *, corrupted: Tensor | None = None) -> Tensor:
        """()."""
        if self.emphasis.even:
            return self.function(prediction, target, reduction="mean")
        return super().forward(prediction, target, corrupted=corrupted)


class MeanSquaredError(PixelMean):
    """The squared difference."""

    unit = "mean squared error per pixel"
    function = staticmethod(F.mse_loss)

    def likelihood(self) -> Loss:
        """The Gaussian of variance 1/2, whose exponent is the squared difference."""
        self.emphasis.require_even()
        return GaussianLikelihood(std=math.sqrt(0.5))


class MeanAbsoluteError(PixelMean):
    """The absolute difference."""

    unit = "mean absolute error per pixel"
    function = staticmethod(F.l1_loss)

    def likelihood(self) -> Loss:
        """The Laplace distribution of scale 1, whose exponent is the absolute difference."""
        self.emphasis.require_even()
        return LaplaceLikelihood(scale=1.0)


class BinaryCrossEntropy(PixelMean):
    """-t log x - (1 - t) log(1 - x), from logits. Its minimum for a grey target is the target's entropy, not 0."""

    unit = "binary cross-entropy per pixel, in nats"
    reads_logits = True
    function = staticmethod(F.binary_cross_entropy_with_logits)

    def likelihood(self) -> Loss:
        """The Bernoulli distribution, without a constant."""
        self.emphasis.require_even()
        return BernoulliLikelihood()


@dataclass(frozen=True, kw_only=True)
class PixelMeanSettings(LossSettings):
    """The settings of each of these losses."""

    corrupted_weight: NonNegativeFloat
    """The weight of the error of a pixel that the noise corrupted."""
    kept_weight: NonNegativeFloat
    """The weight of the other pixels."""

    @property
    def emphasis(self) -> Emphasis:
        """Both weights."""
        return Emphasis(self.corrupted_weight, self.kept_weight)


@dataclass(frozen=True, kw_only=True)
class MseSettings(PixelMeanSettings):
    """`loss=mse`."""

    module = MeanSquaredError


@dataclass(frozen=True, kw_only=True)
class L1Settings(PixelMeanSettings):
    """`loss=l1`."""

    module = MeanAbsoluteError


@dataclass(frozen=True, kw_only=True)
class BceSettings(PixelMeanSettings):
    """`loss=bce`."""

    module = BinaryCrossEntropy
