"""`architecture=fully_connected`: narrowing layers to the code, and the same back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from autoenc.models.architectures.architecture import EncoderDecoder, ImageShape
from autoenc.models.architectures.initialization import InitializedArchitecture
from autoenc.settings import PositiveInt


@dataclass(frozen=True, kw_only=True)
class FullyConnected(InitializedArchitecture):
    """Affine layers with a ReLU between them; the decoder mirrors the encoder.

    With widths 128, 64, 12 and a code of 3 on 28 x 28 images it has 219,891 parameters. The first weights are drawn by
    `initialization`.
    """

    hidden_sizes: tuple[PositiveInt, ...]
    """The widths of the layers between the image and the code, from the image inwards."""

    def assemble(self, image_shape: ImageShape, *, feature_size: int) -> EncoderDecoder:
        """An encoder (B, C, H, W) to (B, feature_size), a decoder (B, code_size) to (B, C, H, W)."""
        pixels = math.prod(image_shape)
        encoder = nn.Sequential(
            nn.Flatten(),  # (B, C, H, W) -> (B, C*H*W)
            *_affine_layers([pixels, *self.hidden_sizes, feature_size]),
            *self.code_layers(),
        )
        decoder = nn.Sequential(
            *_affine_layers([self.code_size, *reversed(self.hidden_sizes), pixels]),
            nn.Unflatten(1, image_shape),  # (B, C*H*W) -> (B, C, H, W)
        )
        return EncoderDecoder(encoder, decoder)


def _affine_layers(sizes: Sequence[int]) -> list[nn.Module]:
    """Affine maps from each size to the next, with a ReLU between two of them but not after the last."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return layers[:-1]
