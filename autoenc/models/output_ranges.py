"""The values of `architecture.output`: maps between images in [0, 1], the model's own range, and logits.

Everything outside the model is in [0, 1]. A model that ends in a tanh works in [-1, 1]. A model that ends in no
activation works in [0, 1], but its output may leave this range.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from autoenc.models.layers import at_least_float32

OutputName = Literal["identity", "sigmoid", "tanh"]

LOGIT_MARGIN = 1e-6
"""Pixels are clamped this far inside (0, 1) for their logit, which would be infinite at 0 and 1."""


class OutputRange(NamedTuple):
    """Elementwise maps, so that shapes stay (B, C, H, W)."""

    to_model: Callable[[Tensor], Tensor]
    """From images in [0, 1] to the range that the encoder reads."""
    to_images: Callable[[Tensor], Tensor]
    """From the decoder's raw output to [0, 1] scale."""
    to_logits: Callable[[Tensor], Tensor]
    """From the raw output to log(x / (1 - x)) of the reconstruction x, without losing digits in x."""


def _unchanged(values: Tensor) -> Tensor:
    return values


def _clamped_logits(raw: Tensor) -> Tensor:
    # Not in bfloat16, which rounds 1 - LOGIT_MARGIN to 1.
    return torch.logit(at_least_float32(raw), eps=LOGIT_MARGIN)


def _stretched(images: Tensor) -> Tensor:
    """[0, 1] to [-1, 1]."""
    return 2 * images - 1


def _doubled(raw: Tensor) -> Tensor:
    """The logits of (tanh z + 1) / 2 = sigmoid(2 z)."""
    return 2 * raw


def _squashed(raw: Tensor) -> Tensor:
    """(tanh z + 1) / 2: the tanh of the raw output, mapped back to [0, 1]."""
    return torch.sigmoid(2 * raw)


OUTPUT_RANGES: dict[OutputName, OutputRange] = {
    "identity": OutputRange(to_model=_unchanged, to_images=_unchanged, to_logits=_clamped_logits),
    "sigmoid": OutputRange(to_model=_unchanged, to_images=torch.sigmoid, to_logits=_unchanged),
    "tanh": OutputRange(to_model=_stretched, to_images=_squashed, to_logits=_doubled),
}
