"""The continuous Bernoulli likelihood: grey pixels, with the constant that a cross-entropy leaves out.

Loaiza-Ganem and Cunningham 2019, "The continuous Bernoulli: fixing a pervasive error in variational autoencoders". Here
in terms of the logit l of its parameter lambda, where lambda = 1/2 is l = 0 and nothing needs lambda itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from autoenc.models.losses.loss import EVEN, Emphasis, ImageShape, Loss
from autoenc.models.output_ranges import OUTPUT_RANGES, OutputName, OutputRange

NEAR_EVEN = 0.25
"""Logits smaller than this are near enough to 0 for the Taylor series, whose next term is then under 1e-11."""


class ContinuousBernoulliLikelihood(Loss):
    """-log C(lambda) - t log(lambda) - (1 - t) log(1 - lambda), a density of t in [0, 1] (section 3).

    The decoder gives lambda, by its logit. The mean of the density is nearer to 1/2 than lambda is (0.25 is the mean at
    lambda = 0.03), so the images that a model reconstructs and decodes are the mean, and not lambda.

    With `output: identity`, lambda is clamped as for every loss from logits, and the mean stays within 0.07 and 0.93.
    """

    unit = "nats an image, continuous Bernoulli likelihood"
    in_nats = True
    reads_logits = True

    def __init__(self, *, output: OutputName) -> None:
        super().__init__()
        self.output_range = OUTPUT_RANGES[output]

    def per_pixel(self, raw: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:  # noqa: ARG002
        """(B, C, H, W); may be negative."""
        logits = _wide(self.output_range.to_logits(raw))
        return F.binary_cross_entropy_with_logits(logits, target, reduction="none") - log_normalizer(logits)

    def means(self, output_range: OutputRange) -> OutputRange:
        """The mean of the density whose parameter stands in `output_range`."""
        return MeanOfContinuousBernoulli(output_range)


class MeanOfContinuousBernoulli(NamedTuple):
    """An output range whose images are the mean of a continuous Bernoulli distribution."""

    parameter: OutputRange
    """That of lambda."""

    def to_model(self, images: Tensor) -> Tensor:
        """Images in [0, 1] in the range that the encoder reads."""
        return self.parameter.to_model(images)

    def to_images(self, raw: Tensor) -> Tensor:
        """The mean, in (0, 1)."""
        return mean(_wide(self.parameter.to_logits(raw)))

    def to_logits(self, raw: Tensor) -> Tensor:
        """The logit of the mean."""
        logits = _wide(self.parameter.to_logits(raw))
        return torch.log(mean(logits)) - torch.log(mean(-logits))


def log_normalizer(logits: Tensor) -> Tensor:
    """The logarithm of C(lambda), elementwise, for lambda = sigmoid(`logits`): log(l / tanh(l / 2)).

    Section 3: C = 2 artanh(1 - 2 lambda) / (1 - 2 lambda), with 1 - 2 lambda = -tanh(l / 2). At l = 0, where C is 2,
    that is 0 / 0, and near it the gradient is a small difference of large numbers: there, the Taylor series.
    """
    near, far = _near_and_far(logits)
    square = near.square() / 4
    series = square * (1 / 3 + square * (-7 / 90 + square * (62 / 2835 - square * (127 / 18900))))
    size = far.abs()
    return torch.where(_is_near(logits), math.log(2) + series, torch.log(size / torch.tanh(size / 2)))


def mean(logits: Tensor) -> Tensor:
    """The mean of the density, elementwise: 1/2 + coth(l / 2) / 2 - 1 / l; 1/2 at l = 0."""
    near, far = _near_and_far(logits)
    square = near.square() / 4
    series = near * (1 / 12 + square * (-1 / 180 + square * (1 / 1890 - square * (1 / 18900))))
    return 0.5 + torch.where(_is_near(logits), series, 0.5 / torch.tanh(far / 2) - 1 / far)


@dataclass(frozen=True, kw_only=True)
class ContinuousBernoulliSettings:
    """`loss=continuous_bernoulli`."""

    emphasis: ClassVar[Emphasis] = EVEN

    def build(self, *, output: OutputName, image_shape: ImageShape) -> Loss:  # noqa: ARG002
        """The loss, computed from the logits that `output` leads to."""
        return ContinuousBernoulliLikelihood(output=output)


class _NearAndFar(NamedTuple):
    near: Tensor
    far: Tensor


def _near_and_far(logits: Tensor) -> _NearAndFar:
    """The logits for the formula near 0 and for the other one, each harmless where the other holds.

    A gradient that is not finite would come through `torch.where` from the side that was not taken: 0 times infinity.
    """
    near = _is_near(logits)
    return _NearAndFar(torch.where(near, logits, 0.0), torch.where(near, 1.0, logits))


def _is_near(logits: Tensor) -> Tensor:
    return logits.abs() < NEAR_EVEN


def _wide(logits: Tensor) -> Tensor:
    """In float32 at least: in bfloat16 the differences would have no digits left."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
