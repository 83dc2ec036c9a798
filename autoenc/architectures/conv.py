"""`architecture=conv`: strided convolutions down to one pixel, transposed convolutions back up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from autoenc.architectures.architecture import Architecture, EncoderDecoder, ImageShape
from autoenc.settings import PositiveInt

Size = tuple[int, int]
"""(H, W)."""


@dataclass(frozen=True, kw_only=True)
class Conv(Architecture):
    """Convolutions 3 x 3 of stride 2, then one whose kernel covers what is left; the decoder mirrors the encoder.

    With 16 and 32 channels and a code of 64, images of 1 x 28 x 28 become 16 x 14 x 14, 32 x 7 x 7 and 64 x 1 x 1, by
    210,369 parameters both ways. On other shapes the last kernel and the output padding that makes every step up the
    exact mirror of its step down are computed.
    """

    channels: tuple[PositiveInt, ...]
    """The channels after each strided convolution, from the image inwards."""

    def build(self, image_shape: ImageShape, *, feature_size: int) -> EncoderDecoder:
        """An encoder (B, C, H, W) to (B, feature_size), a decoder (B, code_size) to (B, C, H, W)."""
        channels = [image_shape[0], *self.channels]
        sizes = _halved_sizes(image_shape[1:], times=len(self.channels))
        encoder = nn.Sequential(
            *_down_layers(channels),  # (B, C, H, W) -> (B, channels[-1], *sizes[-1])
            nn.Conv2d(channels[-1], feature_size, sizes[-1]),  # -> (B, feature_size, 1, 1)
            nn.Flatten(),  # -> (B, feature_size)
            *self.code_layers(),
        )
        decoder = nn.Sequential(
            nn.Unflatten(1, (self.code_size, 1, 1)),  # (B, code_size) -> (B, code_size, 1, 1)
            nn.ConvTranspose2d(self.code_size, channels[-1], sizes[-1]),  # -> (B, channels[-1], *sizes[-1])
            *_up_layers(channels[::-1], sizes=sizes[::-1]),  # -> (B, C, H, W)
        )
        return EncoderDecoder(encoder, decoder)


def _halved_sizes(size: Sequence[int], *, times: int) -> list[Size]:
    """The sizes that convolutions of kernel 3, stride 2 and padding 1 lead through: each half, rounded up."""
    height, width = size
    sizes = [(height, width)]
    for _ in range(times):
        height, width = (height + 1) // 2, (width + 1) // 2
        sizes.append((height, width))
    return sizes


def _down_layers(channels: Sequence[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(channels):
        layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.ReLU()]
    return layers


def _up_layers(channels: Sequence[int], *, sizes: Sequence[Size]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for (inputs, outputs), (small, large) in zip(pairwise(channels), pairwise(sizes), strict=True):
        # A transposed convolution of this kind gives 2 n - 1 pixels from n, plus the output padding.
        padding = (large[0] - (2 * small[0] - 1), large[1] - (2 * small[1] - 1))
        up = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=padding)
        layers += [nn.ReLU(), up]
    return layers
