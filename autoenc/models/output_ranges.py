"""What an architecture's `output` means: the way from images in [0, 1] to the model's own range, and back.

Everything outside the model is in [0, 1]. A model that ends in a tanh works in [-1, 1]; one that ends in nothing works
in [0, 1] but may leave it.
"""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor

OutputName = Literal["identity", "sigmoid", "tanh"]

# A pixel that a model without a squashing end puts at or beyond 0 or 1 would have an infinite logit.
LOGIT_MARGIN = 1e-6


class OutputRange(Protocol):
    """The maps between [0, 1], the model's own range, and logits; all elementwise, so shapes stay (B, C, H, W)."""

    def to_model(self, images: Tensor) -> Tensor:
        """Images in [0, 1] in the range that the encoder reads."""
        ...

    def to_images(self, raw: Tensor) -> Tensor:
        """The decoder's raw output in [0, 1] scale."""
        ...

    def to_logits(self, raw: Tensor) -> Tensor:
        """log(x / (1 - x)) of the reconstruction x, without going through x where that would lose digits."""
        ...


class Identity:
    """No squashing: the decoder's output is the reconstruction, and may leave [0, 1]."""

    def to_model(self, images: Tensor) -> Tensor:
        """The images as they are."""
        return images

    def to_images(self, raw: Tensor) -> Tensor:
        """The raw output as it is."""
        return raw

    def to_logits(self, raw: Tensor) -> Tensor:
        """The logit of the output clamped into (0, 1)."""
        # Not in bfloat16, which rounds 1 - LOGIT_MARGIN to 1, whose logit is infinite.
        return torch.logit(raw.to(torch.promote_types(raw.dtype, torch.float32)), eps=LOGIT_MARGIN)


class Sigmoid:
    """The decoder's output is a logit."""

    def to_model(self, images: Tensor) -> Tensor:
        """The images as they are."""
        return images

    def to_images(self, raw: Tensor) -> Tensor:
        """The sigmoid of the raw output."""
        return torch.sigmoid(raw)

    def to_logits(self, raw: Tensor) -> Tensor:
        """The raw output as it is."""
        return raw


class Tanh:
    """The model lives in [-1, 1]; mapped back to [0, 1], (tanh z + 1) / 2 = sigmoid(2 z)."""

    def to_model(self, images: Tensor) -> Tensor:
        """[0, 1] stretched to [-1, 1]."""
        return 2 * images - 1

    def to_images(self, raw: Tensor) -> Tensor:
        """The tanh of the raw output, back in [0, 1]."""
        return torch.sigmoid(2 * raw)

    def to_logits(self, raw: Tensor) -> Tensor:
        """Twice the raw output."""
        return 2 * raw


OUTPUT_RANGES: dict[OutputName, OutputRange] = {"identity": Identity(), "sigmoid": Sigmoid(), "tanh": Tanh()}
