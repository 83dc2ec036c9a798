"""`architecture=denoising_conv`: the convolutional autoencoder of a lecture on denoising."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from autoenc.models.architectures.architecture import EncoderDecoder, ImageShape
from autoenc.models.architectures.initialization import InitializedArchitecture
from autoenc.models.architectures.upsampling import Upsampling, halved_sizes, step_down, step_up
from autoenc.models.layers import BatchNorm2d
from autoenc.settings import PositiveInt


@dataclass(frozen=True, kw_only=True)
class DenoisingConv(InitializedArchitecture):
    """`conv` with batch normalisation, wider; the decoder mirrors the encoder layer by layer.

    Every layer but the encoder's last and the decoder's last is followed by a ReLU and then by batch normalisation,
    in the lecture's order and not in that of Ioffe and Szegedy 2015, who normalise first. Convolutions and
    normalisation both have their biases: with a ReLU between, neither can stand for the other. On 1 x 28 x 28 with 32
    and 64 channels: 32 x 14 x 14, 64 x 7 x 7, and a kernel 7 x 7 to the code. The first weights are drawn by
    `initialization`.
    """

    channels: tuple[PositiveInt, ...]
    """The channels after each strided convolution, from the image inwards."""
    upsampling: Upsampling

    def assemble(self, image_shape: ImageShape, *, feature_size: int) -> EncoderDecoder:
        """An encoder (B, C, H, W) to (B, feature_size), a decoder (B, code_size) to (B, C, H, W)."""
        channels = [image_shape[0], *self.channels]
        sizes = halved_sizes(image_shape[1:], times=len(self.channels))
        down: list[nn.Module] = []
        for inputs, outputs in pairwise(channels):
            down += [step_down(inputs, outputs), nn.ReLU(), BatchNorm2d(outputs)]
        encoder = nn.Sequential(
            *down,  # (B, C, H, W) -> (B, channels[-1], *sizes[-1])
            nn.Conv2d(channels[-1], feature_size, sizes[-1]),  # -> (B, feature_size, 1, 1)
            nn.Flatten(),  # -> (B, feature_size)
            *self.code_layers(),
        )
        up: list[nn.Module] = []
        for (inputs, outputs), (small, large) in zip(pairwise(channels[::-1]), pairwise(sizes[::-1]), strict=True):
            up += [nn.ReLU(), BatchNorm2d(inputs)]
            up += step_up(inputs, outputs, small=small, large=large, upsampling=self.upsampling)
        decoder = nn.Sequential(
            nn.Unflatten(1, (self.code_size, 1, 1)),  # (B, code_size) -> (B, code_size, 1, 1)
            nn.ConvTranspose2d(self.code_size, channels[-1], sizes[-1]),  # -> (B, channels[-1], *sizes[-1])
            *up,  # -> (B, C, H, W)
        )
        return EncoderDecoder(encoder, decoder)
