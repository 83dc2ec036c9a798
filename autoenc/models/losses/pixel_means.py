"""Losses that are means over the pixels of an image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from autoenc.models.losses.bernoulli import BernoulliLikelihood
from autoenc.models.losses.gaussian import GaussianLikelihood
from autoenc.models.losses.laplace import LaplaceLikelihood
from autoenc.models.losses.loss import EVEN, Emphasis, EmphasisSettings, ImageShape, Loss
from autoenc.models.output_ranges import OUTPUT_RANGES, OutputName


class MeanSquaredError(Loss):
    """The squared difference."""

    unit = "mean squared error per pixel"

    def per_pixel(self, raw: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:  # noqa: ARG002
        """(B, C, H, W)."""
        return F.mse_loss(reconstruction, target, reduction="none")

    def forward(
        self, raw: Tensor, reconstruction: Tensor, target: Tensor, *, corrupted: Tensor | None = None
    ) -> Tensor:
        """()."""
        if self.emphasis.even:
            return F.mse_loss(reconstruction, target)
        return super().forward(raw, reconstruction, target, corrupted=corrupted)

    def likelihood(self) -> Loss:
        """The Gaussian of variance 1/2, whose exponent is the squared difference."""
        self.emphasis.refuse()
        return GaussianLikelihood(std=math.sqrt(0.5))


class MeanAbsoluteError(Loss):
    """The absolute difference."""

    unit = "mean absolute error per pixel"

    def per_pixel(self, raw: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:  # noqa: ARG002
        """(B, C, H, W)."""
        return F.l1_loss(reconstruction, target, reduction="none")

    def forward(
        self, raw: Tensor, reconstruction: Tensor, target: Tensor, *, corrupted: Tensor | None = None
    ) -> Tensor:
        """()."""
        if self.emphasis.even:
            return F.l1_loss(reconstruction, target)
        return super().forward(raw, reconstruction, target, corrupted=corrupted)

    def likelihood(self) -> Loss:
        """The Laplace distribution of scale 1, whose exponent is the absolute difference."""
        self.emphasis.refuse()
        return LaplaceLikelihood(scale=1.0)


class BinaryCrossEntropy(Loss):
    """-t log x - (1 - t) log(1 - x), from logits.

    On grey targets its least value is not 0 but the entropy of the target.
    """

    unit = "binary cross-entropy per pixel, in nats"
    reads_logits = True

    def __init__(self, *, output: OutputName, emphasis: Emphasis = EVEN) -> None:
        super().__init__(emphasis=emphasis)
        self.output = output
        self.output_range = OUTPUT_RANGES[output]

    def per_pixel(self, raw: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:  # noqa: ARG002
        """(B, C, H, W)."""
        return F.binary_cross_entropy_with_logits(self.output_range.to_logits(raw), target, reduction="none")

    def forward(
        self, raw: Tensor, reconstruction: Tensor, target: Tensor, *, corrupted: Tensor | None = None
    ) -> Tensor:
        """()."""
        if self.emphasis.even:
            return F.binary_cross_entropy_with_logits(self.output_range.to_logits(raw), target)
        return super().forward(raw, reconstruction, target, corrupted=corrupted)

    def likelihood(self) -> Loss:
        """The Bernoulli distribution, without a constant."""
        self.emphasis.refuse()
        return BernoulliLikelihood(output=self.output)


@dataclass(frozen=True, kw_only=True)
class MseSettings(EmphasisSettings):
    """`loss=mse`."""

    def build(self, *, output: OutputName, image_shape: ImageShape) -> Loss:  # noqa: ARG002
        """The loss."""
        return MeanSquaredError(emphasis=self.emphasis)


@dataclass(frozen=True, kw_only=True)
class L1Settings(EmphasisSettings):
    """`loss=l1`."""

    def build(self, *, output: OutputName, image_shape: ImageShape) -> Loss:  # noqa: ARG002
        """The loss."""
        return MeanAbsoluteError(emphasis=self.emphasis)


@dataclass(frozen=True, kw_only=True)
class BceSettings(EmphasisSettings):
    """`loss=bce`."""

    def build(self, *, output: OutputName, image_shape: ImageShape) -> Loss:  # noqa: ARG002
        """The loss, computed from the logits that `output` leads to."""
        return BinaryCrossEntropy(output=output, emphasis=self.emphasis)
