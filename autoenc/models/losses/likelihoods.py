"""Likelihoods in nats an image: Bernoulli, Gaussian and Laplace."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autoenc.models.losses.loss import Loss, LossSettings
from autoenc.settings import ConfigError, PositiveFloat

HALF_LOG_TWO_PI = math.log(2 * math.pi) / 2


class BernoulliLikelihood(Loss):
    """-t log x - (1 - t) log(1 - x), from logits, for a target t that is 0 or 1.

    For grey targets this is the cross-entropy of Kingma and Welling 2014 (appendix C.1) and most later work. It is not
    a density: it does not integrate to one. `ContinuousBernoulliLikelihood` does.
    """

    unit = "nats an image, Bernoulli likelihood"
    in_nats = True
    likelihood_of = "Bernoulli probability"
    reads_logits = True

    def per_pixel(self, prediction: Tensor, target: Tensor) -> Tensor:
        """(B, C, H, W)."""
        return F.binary_cross_entropy_with_logits(prediction, target, reduction="none")


class GaussianLikelihood(Loss):
    """-log N(target; reconstruction, `std`^2) with its constant: a density, so it may be negative."""

    in_nats = True
    likelihood_of = "density"

    def __init__(self, *, std: float) -> None:
        super().__init__()
        self.std = std
        self.unit = f"nats an image, Gaussian likelihood of standard deviation {std:.4g}"

    def per_pixel(self, prediction: Tensor, target: Tensor) -> Tensor:
        """(B, C, H, W)."""
        squares = F.mse_loss(prediction, target, reduction="none")
        return squares * (0.5 / self.std**2) + (math.log(self.std) + HALF_LOG_TWO_PI)


class LearnedGaussianLikelihood(Loss):
    """-log N(target; reconstruction, std^2), where std is learned with the weights.

    Rybkin, Daniilidis and Levine 2021, "Simple and effective VAE training with calibrated decoders": the best shared
    std^2 is the mean squared error, which balances reconstruction and penalty without tuning. Here
    std = `min_std` + (`std` - `min_std`) exp(r), with r learned from 0. The smooth floor is theirs too: without it, the
    density of a pixel that is the same in every image would grow without bound. Weight decay pulls std to its start.
    """

    in_nats = True
    likelihood_of = "density"
    diagnostic_units: ClassVar[dict[str, str]] = {
        "likelihood_std": "standard deviation of the Gaussian likelihood, pixels in [0, 1]; mean over pixels if each "
        "has its own",
        "least_likelihood_std": "the least of the pixels' standard deviations, pixels in [0, 1]",
    }

    def __init__(self, *, std: float, min_std: float, shape: tuple[int, ...]) -> None:
        """`std` is the start; `shape` is () for one std, or (C, H, W) for one for each pixel."""
        super().__init__()
        self.initial_std = std
        self.min_std = min_std
        self.log_ratio = nn.Parameter(torch.zeros(shape))
        each = " for each pixel" if shape else ""
        self.unit = f"nats an image, Gaussian likelihood of a learned standard deviation{each}"

    @property
    def std(self) -> Tensor:
        """() or (C, H, W), above `min_std`."""
        return self.min_std + (self.initial_std - self.min_std) * self.log_ratio.exp()

    def per_pixel(self, prediction: Tensor, target: Tensor) -> Tensor:
        """(B, C, H, W)."""
        std = self.std
        squares = F.mse_loss(prediction, target, reduction="none")
        return torch.addcmul(std.log() + HALF_LOG_TWO_PI, squares, 0.5 / std.square())

    def diagnostics(self) -> dict[str, Tensor]:
        """The standard deviation; if there are several, their mean and minimum."""
        std = self.std.detach()
        if std.ndim == 0:
            return {"likelihood_std": std}
        return {"likelihood_std": std.mean(), "least_likelihood_std": std.min()}


class LaplaceLikelihood(Loss):
    """|reconstruction - target| / `scale` + log(2 `scale`): a density, so it may be negative.

    A few large errors cost less than under a Gaussian.
    """

    in_nats = True
    likelihood_of = "density"

    def __init__(self, *, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.unit = f"nats an image, Laplace likelihood of scale {scale:.4g}"

    def per_pixel(self, prediction: Tensor, target: Tensor) -> Tensor:
        """(B, C, H, W)."""
        return F.l1_loss(prediction, target, reduction="none") / self.scale + math.log(2 * self.scale)


@dataclass(frozen=True, kw_only=True)
class BernoulliSettings(LossSettings):
    """`loss=bernoulli`."""

    module = BernoulliLikelihood


@dataclass(frozen=True, kw_only=True)
class GaussianSettings(LossSettings):
    """`loss=gaussian`."""

    module = LearnedGaussianLikelihood

    variance: Literal["fixed", "shared", "per_pixel"]
    """`shared`: one learned variance for all pixels; `per_pixel`: one for each place and channel, in every image."""
    std: PositiveFloat
    """The standard deviation; if learned, its start. Pixels are in [0, 1]."""
    min_std: PositiveFloat
    """The lower bound of the standard deviation."""

    def __post_init__(self) -> None:
        """Refuse a start at or below the lower bound."""
        if self.std <= self.min_std:
            raise ConfigError("loss.std", f"it must be above loss.min_std={self.min_std:g}", value=self.std)

    def build(self, *, image_shape: tuple[int, int, int]) -> Loss:
        """See `LossSettings`."""
        if self.variance == "fixed":
            return GaussianLikelihood(std=self.std)
        shape = image_shape if self.variance == "per_pixel" else ()
        return LearnedGaussianLikelihood(std=self.std, min_std=self.min_std, shape=shape)


@dataclass(frozen=True, kw_only=True)
class LaplaceSettings(LossSettings):
    """`loss=laplace`."""

    module = LaplaceLikelihood

    scale: PositiveFloat
    """The mean absolute error that the likelihood expects. Pixels are in [0, 1]."""

    def build(self, *, image_shape: tuple[int, int, int]) -> Loss:  # noqa: ARG002
        """See `LossSettings`."""
        return LaplaceLikelihood(scale=self.scale)
