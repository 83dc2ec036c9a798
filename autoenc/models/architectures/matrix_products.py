"""Convolutions that are computed as matrix products, where that is faster. Their weights are those of torch's layers.

The sums are taken in another order than in torch's layers, so results differ in the last digits.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class WholeMapConv2d(nn.Conv2d):
    """A convolution whose kernel covers the whole map: an affine layer on the flattened map."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name for it
        """(B, C, *kernel_size) to (B, out_channels, 1, 1)."""
        features = F.linear(_flattened(input), _flattened(self.weight), self.bias)  # (B, out_channels)
        return features[:, :, None, None]


class WholeMapConvTranspose2d(nn.ConvTranspose2d):
    """A transposed convolution of a single pixel: an affine layer whose output is a flattened map."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:  # noqa: A002, ARG002
        """(B, C, 1, 1) to (B, out_channels, *kernel_size)."""
        height, width = self.kernel_size
        bias = None if self.bias is None else self.bias.repeat(height * width)
        flat = F.linear(input.flatten(1), _flattened(self.weight).T, bias)  # (B, height * width * out_channels)
        maps: Tensor = flat.unflatten(1, (height, width, self.out_channels))  # (B, height, width, out_channels)
        return maps.permute(0, 3, 1, 2)


def _flattened(maps: Tensor) -> Tensor:
    """Maps (B, C, H, W) to (B, H * W * C), the order of `channels_last` in memory: there, nothing is copied."""
    return maps.permute(0, 2, 3, 1).flatten(1)


class DoublingConvTranspose2d(nn.ConvTranspose2d):
    """A transposed convolution 3 x 3 of stride 2 and padding 1, to twice the size or one pixel less."""

    def __init__(self, inputs: int, outputs: int, *, output_padding: tuple[int, int], bias: bool) -> None:
        super().__init__(inputs, outputs, 3, stride=2, padding=1, output_padding=output_padding, bias=bias)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:  # noqa: A002
        """(B, inputs, H, W) to (B, outputs, 2 H - 1 + output_padding[0], 2 W - 1 + output_padding[1])."""
        if self.out_channels > 1 or input.device.type != "cpu" or _needs_torchs_layer():
            return super().forward(input, output_size)
        images: Tensor = _ToOneChannel.apply(input, self.weight, self.output_padding)
        return images if self.bias is None else images + self.bias


def _needs_torchs_layer() -> bool:
    """Whether something looks into the operations of a layer.

    Not every format of an exported model can express the sum of what overlaps, torch's compiler stops at a function
    with its own derivatives, and autocast gives the products another type than the weights.
    """
    return torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu")


class _ToOneChannel(torch.autograd.Function):
    """A `DoublingConvTranspose2d` to one channel: kernels times pixels, then the sum of what overlaps.

    On a CPU this takes a fifth of the time of torch's forward pass, which is made for many channels. The gradients are
    torch's own.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(maps: Tensor, weight: Tensor, output_padding: tuple[int, int]) -> Tensor:
        """(B, C, H, W) and (C, 1, 3, 3) to (B, 1, H', W')."""
        height, width = (2 * size - 1 + further for size, further in zip(maps.shape[2:], output_padding, strict=True))
        kernels = weight.flatten(1).T.expand(len(maps), -1, -1)  # (B, 9, C)
        products = torch.bmm(kernels, maps.flatten(2))  # (B, 9, H * W)
        return F.fold(products, (height, width), kernel_size=3, padding=1, stride=2)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, tuple[int, int]], output: Tensor) -> None:  # noqa: ARG004
        """Keep the inputs for the gradients."""
        maps, weight, ctx.output_padding = inputs
        ctx.save_for_backward(maps, weight)
        ctx.save_for_forward(maps, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """The gradients of `maps` and `weight`."""
        for_maps, for_weight, _ = torch.ops.aten.convolution_backward(
            gradient,
            *ctx.saved_tensors,
            bias_sizes=None,
            stride=(2, 2),
            padding=(1, 1),
            dilation=(1, 1),
            transposed=True,
            output_padding=ctx.output_padding,
            groups=1,
            output_mask=(*ctx.needs_input_grad[:2], False),
        )
        return for_maps, for_weight, None

    @staticmethod
    def jvp(ctx: Any, along_maps: Tensor | None, along_weight: Tensor | None, _: None) -> Tensor:
        """The derivative along changes of `maps` and `weight`, in which the map is linear."""
        maps, weight = ctx.saved_tensors
        pairs = [(along_maps, weight), (maps, along_weight)]
        return sum(  # type: ignore[return-value]
            F.conv_transpose2d(*pair, stride=2, padding=1, output_padding=ctx.output_padding)
            for pair in pairs
            if all(tensor is not None for tensor in pair)
        )
