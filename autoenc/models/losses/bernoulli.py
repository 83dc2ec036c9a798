"""The Bernoulli likelihood: pixels that are black or white."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from autoenc.models.losses.loss import EVEN, Emphasis, ImageShape, Loss
from autoenc.models.output_ranges import OUTPUT_RANGES, OutputName


class BernoulliLikelihood(Loss):
    """-t log x - (1 - t) log(1 - x), from logits, for a target t that is 0 or 1.

    Of grey targets it is the cross-entropy that Kingma and Welling 2014 (appendix C.1) and most after them use, and no
    probability: it does not sum to one over them. `ContinuousBernoulliLikelihood` is the density that it lacks.
    """

    unit = "nats an image, Bernoulli likelihood"
    in_nats = True
    reads_logits = True

    def __init__(self, *, output: OutputName) -> None:
        super().__init__()
        self.output_range = OUTPUT_RANGES[output]

    def per_pixel(self, raw: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:  # noqa: ARG002
        """(B, C, H, W)."""
        return F.binary_cross_entropy_with_logits(self.output_range.to_logits(raw), target, reduction="none")


@dataclass(frozen=True, kw_only=True)
class BernoulliSettings:
    """`loss=bernoulli`."""

    emphasis: ClassVar[Emphasis] = EVEN

    def build(self, *, output: OutputName, image_shape: ImageShape) -> Loss:  # noqa: ARG002
        """The loss, computed from the logits that `output` leads to."""
        return BernoulliLikelihood(output=output)
