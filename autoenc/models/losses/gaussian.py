"""The Gaussian likelihood, of a given variance or of a learned one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autoenc.models.losses.loss import EVEN, Emphasis, ImageShape, Loss
from autoenc.models.output_ranges import OutputName
from autoenc.settings import ConfigError, PositiveFloat

HALF_LOG_TWO_PI = math.log(2 * math.pi) / 2


class GaussianLikelihood(Loss):
    """-log N(target; reconstruction, `std`^2), its constant included, so that it is a density and may be negative."""

    in_nats = True

    def __init__(self, *, std: float) -> None:
        super().__init__()
        self.std = std
        self.unit = f"nats an image, Gaussian likelihood of standard deviation {std:.4g}"

    def per_pixel(self, raw: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:  # noqa: ARG002
        """(B, C, H, W)."""
        squares = F.mse_loss(reconstruction, target, reduction="none")
        return squares * (0.5 / self.std**2) + (math.log(self.std) + HALF_LOG_TWO_PI)


class LearnedGaussianLikelihood(Loss):
    """-log N(target; reconstruction, std^2), where std is learned with the weights.

    Rybkin, Daniilidis and Levine 2021, "Simple and effective VAE training with calibrated decoders": one std for all
    pixels is best where its square is the mean squared error, and so weighs reconstruction against penalty by itself.
    Here std = `min_std` + (`std` - `min_std`) exp(r), with r learned from 0. The smooth floor is theirs too: where a
    pixel is the same in every image, nothing else would keep its density from growing without bound. Weight decay
    pulls r to 0, so std to where it began.
    """

    in_nats = True
    diagnostic_units: ClassVar[dict[str, str]] = {
        "likelihood_std": "standard deviation of the Gaussian likelihood, pixels in [0, 1]; mean over pixels if each "
        "has its own",
        "least_likelihood_std": "the least of the pixels' standard deviations, pixels in [0, 1]",
    }

    def __init__(self, *, std: float, min_std: float, shape: tuple[int, ...]) -> None:
        """`shape` is () for one std, or (C, H, W) for one for each pixel; `std` is where they begin."""
        super().__init__()
        assert std > min_std > 0, (std, min_std)
        self.initial_std = std
        self.min_std = min_std
        self.log_ratio = nn.Parameter(torch.zeros(shape))
        each = " for each pixel" if shape else ""
        self.unit = f"nats an image, Gaussian likelihood of a learned standard deviation{each}"

    @property
    def std(self) -> Tensor:
        """() or (C, H, W), above `min_std`."""
        return self.min_std + (self.initial_std - self.min_std) * self.log_ratio.exp()

    def per_pixel(self, raw: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:  # noqa: ARG002
        """(B, C, H, W)."""
        std = self.std
        squares = F.mse_loss(reconstruction, target, reduction="none")
        return torch.addcmul(std.log() + HALF_LOG_TWO_PI, squares, 0.5 / std.square())

    def diagnostics(self) -> dict[str, Tensor]:
        """The standard deviation; of several, their mean and the least."""
        std = self.std.detach()
        if std.ndim == 0:
            return {"likelihood_std": std}
        return {"likelihood_std": std.mean(), "least_likelihood_std": std.min()}


@dataclass(frozen=True, kw_only=True)
class GaussianSettings:
    """`loss=gaussian`."""

    emphasis: ClassVar[Emphasis] = EVEN
    variance: Literal["fixed", "shared", "per_pixel"]
    """Learned or not: `shared` is one for all pixels, `per_pixel` one for each place and channel, in every image."""
    std: PositiveFloat
    """The standard deviation; of a learned one, where it begins. Pixels are in [0, 1]."""
    min_std: PositiveFloat
    """No standard deviation is less."""

    def __post_init__(self) -> None:
        """Refuse to begin at the floor or under it."""
        if self.std <= self.min_std:
            raise ConfigError("loss.std", f"it must be above loss.min_std={self.min_std:g}", value=self.std)

    def build(self, *, output: OutputName, image_shape: ImageShape) -> Loss:  # noqa: ARG002
        """The loss."""
        if self.variance == "fixed":
            return GaussianLikelihood(std=self.std)
        shape = image_shape if self.variance == "per_pixel" else ()
        return LearnedGaussianLikelihood(std=self.std, min_std=self.min_std, shape=shape)
