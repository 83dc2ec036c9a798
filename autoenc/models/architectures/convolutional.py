"""`architecture=conv`, `conv_linear` and `denoising_conv`: strided convolutions to the code and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from autoenc.models.architectures.architecture import EncoderDecoder, ImageShape
from autoenc.models.architectures.initialization import InitializedArchitecture
from autoenc.models.architectures.matrix_products import WholeMapConv2d, WholeMapConvTranspose2d
from autoenc.models.architectures.upsampling import Upsampling, halved_sizes, step_down, step_up
from autoenc.models.layers import BatchNorm2d
from autoenc.settings import PositiveInt


@dataclass(frozen=True, kw_only=True)
class StridedConvolutions(InitializedArchitecture):
    """Convolutions 3 x 3 of stride 2, then one whose kernel covers the rest. The decoder mirrors the encoder.

    The step from the code to the smallest map is a transposed convolution, whatever the `upsampling`: its kernel is
    used once and overlaps with nothing.
    """

    channels: tuple[PositiveInt, ...]
    """The channels after each strided convolution, from the image inwards."""
    upsampling: Upsampling

    def units(self, channels: int) -> list[nn.Module]:
        """The layers after each step down to this many channels, and before each step up from them."""
        raise NotImplementedError

    def assemble(self, image_shape: ImageShape, *, feature_size: int) -> EncoderDecoder:
        """See `InitializedArchitecture`."""
        down, up, (channels, height, width) = self.steps(image_shape)
        encoder = nn.Sequential(
            *down,  # (B, C, H, W) -> (B, channels, height, width)
            WholeMapConv2d(channels, feature_size, (height, width)),  # -> (B, feature_size, 1, 1)
            nn.Flatten(),  # -> (B, feature_size)
            *self.code_layers(),
        )
        decoder = nn.Sequential(
            nn.Unflatten(1, (self.code_size, 1, 1)),  # (B, code_size) -> (B, code_size, 1, 1)
            WholeMapConvTranspose2d(self.code_size, channels, (height, width)),  # -> (B, channels, height, width)
            *up,  # -> (B, C, H, W)
        )
        return EncoderDecoder(encoder, decoder)

    def steps(self, image_shape: ImageShape) -> tuple[list[nn.Module], list[nn.Module], ImageShape]:
        """The layers from the image down to the smallest map, the layers back up, and the shape of that map."""
        channels = [image_shape[0], *self.channels]
        sizes = halved_sizes(image_shape[1:], times=len(self.channels))
        down: list[nn.Module] = []
        for inputs, outputs in pairwise(channels):
            down += [step_down(inputs, outputs), *self.units(outputs)]
        up: list[nn.Module] = []
        for (inputs, outputs), (small, large) in zip(pairwise(channels[::-1]), pairwise(sizes[::-1]), strict=True):
            step = step_up(inputs, outputs, small=small, large=large, upsampling=self.upsampling)
            up += [*self.units(inputs), *step]
        return down, up, (channels[-1], *sizes[-1])


@dataclass(frozen=True, kw_only=True)
class Conv(StridedConvolutions):
    """With a ReLU after each convolution but the last.

    With 16 and 32 channels and a code of 64, images of 1 x 28 x 28 become 16 x 14 x 14, 32 x 7 x 7 and 64 x 1 x 1, with
    210,369 parameters if `upsampling` is `transposed`.
    """

    upsampling: Upsampling = "transposed"
    """The default is for runs from before this setting existed."""

    def units(self, channels: int) -> list[nn.Module]:  # noqa: ARG002
        """A ReLU."""
        return [nn.ReLU()]


@dataclass(frozen=True, kw_only=True)
class DenoisingConv(StridedConvolutions):
    """The convolutional autoencoder of a lecture on denoising: with batch normalisation, and wider than `conv`.

    Normalisation follows the ReLU, as in the lecture; Ioffe and Szegedy 2015 normalise first. Convolutions keep their
    biases, because with a ReLU in between those of the normalisation cannot replace them.
    """

    def units(self, channels: int) -> list[nn.Module]:
        """A ReLU, then batch normalisation."""
        return [nn.ReLU(), BatchNorm2d(channels)]


@dataclass(frozen=True, kw_only=True)
class ConvLinear(StridedConvolutions):
    """Without nonlinearities, and with a linear layer between the smallest map and the code.

    Without activations on the code and at the end this is one affine map, and a constrained one. PCA's error is its
    lower bound, as for `linear`.
    """

    def units(self, channels: int) -> list[nn.Module]:  # noqa: ARG002
        """None."""
        return []

    def assemble(self, image_shape: ImageShape, *, feature_size: int) -> EncoderDecoder:
        """See `InitializedArchitecture`."""
        down, up, smallest = self.steps(image_shape)
        encoder = nn.Sequential(
            *down,  # (B, C, H, W) -> (B, *smallest)
            nn.Flatten(),
            nn.Linear(math.prod(smallest), feature_size),  # -> (B, feature_size)
            *self.code_layers(),
        )
        decoder = nn.Sequential(
            nn.Linear(self.code_size, math.prod(smallest)),
            nn.Unflatten(1, smallest),  # (B, code_size) -> (B, *smallest)
            *up,  # -> (B, C, H, W)
        )
        return EncoderDecoder(encoder, decoder)
