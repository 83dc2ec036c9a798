"""The Laplace likelihood: errors that are few and large cost less than under a Gaussian."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from autoenc.models.losses.loss import EVEN, Emphasis, ImageShape, Loss
from autoenc.models.output_ranges import OutputName
from autoenc.settings import PositiveFloat


class LaplaceLikelihood(Loss):
    """|reconstruction - target| / `scale` + log(2 `scale`): a density, which may be more than 1."""

    in_nats = True

    def __init__(self, *, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.unit = f"nats an image, Laplace likelihood of scale {scale:.4g}"

    def per_pixel(self, raw: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:  # noqa: ARG002
        """(B, C, H, W)."""
        return F.l1_loss(reconstruction, target, reduction="none") / self.scale + math.log(2 * self.scale)


@dataclass(frozen=True, kw_only=True)
class LaplaceSettings:
    """`loss=laplace`."""

    emphasis: ClassVar[Emphasis] = EVEN
    scale: PositiveFloat
    """The mean absolute error that the likelihood expects; pixels are in [0, 1]."""

    def build(self, *, output: OutputName, image_shape: ImageShape) -> Loss:  # noqa: ARG002
        """The loss."""
        return LaplaceLikelihood(scale=self.scale)
