"""`architecture=conv_linear`: convolutions and linear layers, without any nonlinearity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from autoenc.models.architectures.architecture import EncoderDecoder, ImageShape
from autoenc.models.architectures.initialization import InitializedArchitecture
from autoenc.models.architectures.upsampling import Upsampling, halved_sizes, step_down, step_up
from autoenc.settings import PositiveInt


@dataclass(frozen=True, kw_only=True)
class ConvLinear(InitializedArchitecture):
    """Convolutions 3 x 3 of stride 2 and a linear layer to the code; a linear layer and steps up back.

    With identities on the code and at the end the whole is one affine map, of which convolutions can only say less:
    PCA's error is its lower bound too, as it is that of `linear`. The first weights are drawn by `initialization`.
    """

    channels: tuple[PositiveInt, ...]
    """The channels after each strided convolution, from the image inwards."""
    upsampling: Upsampling

    def assemble(self, image_shape: ImageShape, *, feature_size: int) -> EncoderDecoder:
        """An encoder (B, C, H, W) to (B, feature_size), a decoder (B, code_size) to (B, C, H, W)."""
        channels = [image_shape[0], *self.channels]
        sizes = halved_sizes(image_shape[1:], times=len(self.channels))
        smallest = (channels[-1], *sizes[-1])
        encoder = nn.Sequential(
            *(step_down(inputs, outputs) for inputs, outputs in pairwise(channels)),  # -> (B, *smallest)
            nn.Flatten(),
            nn.Linear(math.prod(smallest), feature_size),  # -> (B, feature_size)
            *self.code_layers(),
        )
        from_code = nn.Linear(self.code_size, math.prod(smallest))
        up: list[nn.Module] = []
        for (inputs, outputs), (small, large) in zip(pairwise(channels[::-1]), pairwise(sizes[::-1]), strict=True):
            up += step_up(inputs, outputs, small=small, large=large, upsampling=self.upsampling)
        decoder = nn.Sequential(
            from_code,
            nn.Unflatten(1, smallest),  # -> (B, *smallest)
            *up,  # -> (B, C, H, W)
        )
        return EncoderDecoder(encoder, decoder)
