"""The continuous Bernoulli likelihood: a density of grey pixels, with the constant that a cross-entropy lacks.

Loaiza-Ganem and Cunningham 2019, "The continuous Bernoulli: fixing a pervasive error in variational autoencoders". Here
it is written in terms of the logit l of its parameter lambda, where lambda = 1/2 is l = 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from autoenc.models.layers import at_least_float32
from autoenc.models.losses.loss import Loss, LossSettings
from autoenc.models.output_ranges import OutputRange

NEAR_EVEN = 0.25
"""Logits smaller than this use the Taylor series, whose next term is then under 1e-11."""


class ContinuousBernoulliLikelihood(Loss):
    """-log C(lambda) - t log(lambda) - (1 - t) log(1 - lambda), a density of t in [0, 1] (section 3).

    The decoder gives the logit of lambda. The mean of the density is nearer to 1/2 than lambda (at lambda = 0.03 it is
    0.25). Reconstructions and decoded images are the mean, not lambda.

    With `output: identity`, lambda is clamped as for every loss from logits, so the mean is between 0.07 and 0.93.
    """

    unit = "nats an image, continuous Bernoulli likelihood"
    in_nats = True
    likelihood_of = "density"
    reads_logits = True

    def per_pixel(self, prediction: Tensor, target: Tensor) -> Tensor:
        """(B, C, H, W); may be negative."""
        logits = at_least_float32(prediction)
        return F.binary_cross_entropy_with_logits(logits, target, reduction="none") - log_normalizer(logits)

    def means(self, output_range: OutputRange) -> OutputRange:
        """The mean of the density whose parameter lambda has `output_range`."""
        return OutputRange(
            to_model=output_range.to_model,
            to_images=partial(_mean_images, to_logits=output_range.to_logits),
            to_logits=partial(_mean_logits, to_logits=output_range.to_logits),
        )


def _mean_images(raw: Tensor, *, to_logits: Callable[[Tensor], Tensor]) -> Tensor:
    """The mean, in (0, 1)."""
    return mean(at_least_float32(to_logits(raw)))


def _mean_logits(raw: Tensor, *, to_logits: Callable[[Tensor], Tensor]) -> Tensor:
    """The logit of the mean."""
    logits = at_least_float32(to_logits(raw))
    return torch.log(mean(logits)) - torch.log(mean(-logits))


def log_normalizer(logits: Tensor) -> Tensor:
    """The logarithm of C(lambda), elementwise, for lambda = sigmoid(`logits`): log(l / tanh(l / 2)).

    Section 3: C = 2 artanh(1 - 2 lambda) / (1 - 2 lambda), with 1 - 2 lambda = -tanh(l / 2). At l = 0, where C is 2,
    this is 0 / 0, and near it the gradient is a small difference of large numbers. There, the Taylor series is used.
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


def _near_and_far(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The logits for the series and for the closed form, each replaced by a harmless value where it is not used.

    Otherwise `torch.where` would pass on a gradient that is not finite from the unused side, as 0 times infinity.
    """
    near = _is_near(logits)
    return torch.where(near, logits, 0.0), torch.where(near, 1.0, logits)


def _is_near(logits: Tensor) -> Tensor:
    return logits.abs() < NEAR_EVEN


@dataclass(frozen=True, kw_only=True)
class ContinuousBernoulliSettings(LossSettings):
    """`loss=continuous_bernoulli`."""

    module = ContinuousBernoulliLikelihood
