"""`architecture=linear`: one affine map each way."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import nn

from autoenc.models.architectures.architecture import EncoderDecoder, ImageShape
from autoenc.models.architectures.initialization import InitializedArchitecture


@dataclass(frozen=True, kw_only=True)
class Linear(InitializedArchitecture):
    """An affine encoder and an affine decoder; the first weights are drawn by `initialization`.

    With `output: identity` and a squared error its best code spans the same space as the first `code_size` principal
    components (Baldi and Hornik 1989, Neural Networks 2, fact 4), so that PCA's error is its lower bound.
    """

    def assemble(self, image_shape: ImageShape, *, feature_size: int) -> EncoderDecoder:
        """An encoder (B, C, H, W) to (B, feature_size), a decoder (B, code_size) to (B, C, H, W)."""
        pixels = math.prod(image_shape)
        encoder = nn.Sequential(
            nn.Flatten(),  # (B, C, H, W) -> (B, C*H*W)
            nn.Linear(pixels, feature_size),
            *self.code_layers(),
        )
        decoder = nn.Sequential(
            nn.Linear(self.code_size, pixels),
            nn.Unflatten(1, image_shape),  # (B, C*H*W) -> (B, C, H, W)
        )
        return EncoderDecoder(encoder, decoder)
