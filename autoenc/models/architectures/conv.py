"""`architecture=conv`: strided convolutions down to one pixel, and convolutions back up."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from autoenc.models.architectures.architecture import EncoderDecoder, ImageShape
from autoenc.models.architectures.initialization import InitializedArchitecture
from autoenc.models.architectures.upsampling import Upsampling, halved_sizes, step_down, step_up
from autoenc.settings import PositiveInt


@dataclass(frozen=True, kw_only=True)
class Conv(InitializedArchitecture):
    """Convolutions 3 x 3 of stride 2, then one whose kernel covers what is left; the decoder mirrors the encoder.

    With 16 and 32 channels and a code of 64, images of 1 x 28 x 28 become 16 x 14 x 14, 32 x 7 x 7 and 64 x 1 x 1, by
    210,369 parameters both ways where upsampling is `transposed`. On other shapes the last kernel and what makes every
    step up the exact mirror of its step down are computed. The step from the code to the smallest map is a transposed
    convolution whatever the `upsampling`: its kernel is put down once and overlaps with nothing. The first weights are
    drawn by `initialization`.
    """

    channels: tuple[PositiveInt, ...]
    """The channels after each strided convolution, from the image inwards."""
    upsampling: Upsampling = "transposed"
    """The default is what there was before there was a choice: runs of that time do not name it."""

    def assemble(self, image_shape: ImageShape, *, feature_size: int) -> EncoderDecoder:
        """An encoder (B, C, H, W) to (B, feature_size), a decoder (B, code_size) to (B, C, H, W)."""
        channels = [image_shape[0], *self.channels]
        sizes = halved_sizes(image_shape[1:], times=len(self.channels))
        down: list[nn.Module] = []
        for inputs, outputs in pairwise(channels):
            down += [step_down(inputs, outputs), nn.ReLU()]
        encoder = nn.Sequential(
            *down,  # (B, C, H, W) -> (B, channels[-1], *sizes[-1])
            nn.Conv2d(channels[-1], feature_size, sizes[-1]),  # -> (B, feature_size, 1, 1)
            nn.Flatten(),  # -> (B, feature_size)
            *self.code_layers(),
        )
        from_code = nn.ConvTranspose2d(self.code_size, channels[-1], sizes[-1])
        up: list[nn.Module] = []
        for (inputs, outputs), (small, large) in zip(pairwise(channels[::-1]), pairwise(sizes[::-1]), strict=True):
            up += [nn.ReLU(), *step_up(inputs, outputs, small=small, large=large, upsampling=self.upsampling)]
        decoder = nn.Sequential(
            nn.Unflatten(1, (self.code_size, 1, 1)),  # (B, code_size) -> (B, code_size, 1, 1)
            from_code,  # -> (B, channels[-1], *sizes[-1])
            *up,  # -> (B, C, H, W)
        )
        return EncoderDecoder(encoder, decoder)
