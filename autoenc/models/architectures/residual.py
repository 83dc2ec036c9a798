"""`architecture=residual`: blocks down and up, with optional residual connections inside each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from autoenc.models.architectures.architecture import EncoderDecoder, ImageShape
from autoenc.models.architectures.initialization import InitializedArchitecture
from autoenc.models.architectures.matrix_products import WholeMapConv2d, WholeMapConvTranspose2d
from autoenc.models.architectures.upsampling import Size, Upsampling, halved_sizes, step_down, step_up
from autoenc.models.layers import BatchNorm2d
from autoenc.settings import PositiveInt


@dataclass(frozen=True, kw_only=True)
class Residual(InitializedArchitecture):
    """Blocks of a step down, or up, and of residual layers at the new resolution (after He et al. 2016, CVPR).

    A block is `skip = relu(step(x))` and then, `layers_per_block` times, `skip = relu(conv(skip) + skip)`. Without
    `residual` only the `+ skip` is left out: the parameters and, for one seed, the initial weights are the same. With
    `batch_norm` each convolution inside a block is normalised and has no bias. A last kernel covers the smallest map.
    The decoder mirrors the encoder, except that the full resolution has only the step to the image.
    """

    channels: tuple[PositiveInt, ...]
    """The channels of each block, from the image inwards."""
    layers_per_block: PositiveInt
    """Residual layers after each step."""
    residual: bool
    batch_norm: bool
    upsampling: Upsampling

    def assemble(self, image_shape: ImageShape, *, feature_size: int) -> EncoderDecoder:
        """See `InitializedArchitecture`."""
        channels = [image_shape[0], *self.channels]
        sizes = halved_sizes(image_shape[1:], times=len(self.channels))
        bias = not self.batch_norm  # in a block, where the normalisation has one
        down = [
            self._block([step_down(inputs, outputs, bias=bias)], channels=outputs)
            for inputs, outputs in pairwise(channels)
        ]
        encoder = nn.Sequential(
            *down,  # (B, C, H, W) -> (B, channels[-1], *sizes[-1])
            WholeMapConv2d(channels[-1], feature_size, sizes[-1]),  # -> (B, feature_size, 1, 1)
            nn.Flatten(),  # -> (B, feature_size)
            *self.code_layers(),
        )
        return EncoderDecoder(encoder, self._decoder(channels[::-1], sizes=sizes[::-1]))

    def _decoder(self, channels: Sequence[int], *, sizes: Sequence[Size]) -> nn.Sequential:
        """From the code (B, code_size) through maps of these channels and sizes; the last is the image."""
        biases = [not self.batch_norm] * len(self.channels) + [True]  # nothing follows the last step
        covering = WholeMapConvTranspose2d(self.code_size, channels[0], sizes[0], bias=biases[0])
        steps: list[list[nn.Module]] = [[covering]]  # -> (B, channels[0], *sizes[0])
        neighbours = zip(pairwise(channels), pairwise(sizes), biases[1:], strict=True)
        for (inputs, outputs), (small, large), bias in neighbours:
            step = step_up(inputs, outputs, small=small, large=large, upsampling=self.upsampling, bias=bias)
            steps.append(step)
        blocks = [self._block(step, channels=outputs) for step, outputs in zip(steps[:-1], channels[:-1], strict=True)]
        unflatten = nn.Unflatten(1, (self.code_size, 1, 1))  # (B, code_size) -> (B, code_size, 1, 1)
        return nn.Sequential(unflatten, *blocks, *steps[-1])  # -> (B, C, H, W)

    def _block(self, step: Sequence[nn.Module], *, channels: int) -> nn.Sequential:
        """A step to another resolution and to `channels`, then residual layers."""
        norm = [BatchNorm2d(channels)] if self.batch_norm else []
        layers = [
            ResidualLayer(channels, residual=self.residual, batch_norm=self.batch_norm)
            for _ in range(self.layers_per_block)
        ]
        return nn.Sequential(*step, *norm, nn.ReLU(), *layers)


class ResidualLayer(nn.Module):
    """`relu(conv(x) + x)`, with a convolution 3 x 3 that keeps channels and size. The `+ x` is optional."""

    def __init__(self, channels: int, *, residual: bool, batch_norm: bool) -> None:
        super().__init__()
        convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=not batch_norm)
        self.change = nn.Sequential(convolution, *([BatchNorm2d(channels)] if batch_norm else []))
        self.units = nn.ReLU()
        self.residual = residual

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W), same shape."""
        changed = self.change(maps)
        return self.units(changed + maps if self.residual else changed)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """For `print`."""
        return f"residual={self.residual}"
