"""Layers that torch does not have, and where to find the weights of any encoder or decoder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn


class TiedLinear(nn.Module):
    """An affine map by the transposed weights of another, with a bias of its own.

    The weights stay where they are: they belong to `source`, and are listed, moved, saved and trained with it alone,
    while gradients reach them through both uses. A copy of a model that holds both is tied as the model is.

    Args:
        source: the layer from `in_features` to `out_features` of this name whose weights are read backwards.
        inputs: how many numbers come in: as many as `source` puts out, or fewer. Only the first rows of its weights
            are used then, as where a bottleneck asks for means and variances and hands on one number for both.
        bias: whether there is one.
    """

    def __init__(self, source: nn.Linear, *, inputs: int, bias: bool = True) -> None:
        super().__init__()
        if inputs > source.out_features:
            raise ValueError(f"{inputs} inputs cannot be tied to {source.out_features} outputs")
        self.in_features = inputs
        self.out_features = source.in_features
        self._source = (source,)  # in a tuple, where torch does not take it for a layer of this one
        self.bias = nn.Parameter(source.weight.new_zeros(self.out_features)) if bias else None

    @property
    def source(self) -> nn.Linear:
        """The layer that has the weights."""
        return self._source[0]

    @property
    def weight(self) -> Tensor:
        """(out_features, in_features): a view of the source's weights, which follow where it is changed in place."""
        return self.source.weight[: self.in_features].T

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, in_features) to (B, out_features)."""
        return F.linear(inputs, self.weight, self.bias)

    def extra_repr(self) -> str:
        """What `print` tells of it."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class BatchNorm1d(nn.BatchNorm1d):
    """torch's batch normalisation (Ioffe and Szegedy 2015), that can also train on a single image.

    One value for each channel has no variance: torch refuses such a batch, and an epoch may well end in one. It is
    normalised with the running statistics, as in eval mode, and leaves them as they are.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name for it
        """(B, C) as it is shaped."""
        return _by_running_statistics(self, input) if _has_one_value(input) else super().forward(input)


class BatchNorm2d(nn.BatchNorm2d):
    """torch's batch normalisation of maps, that can also train on a single image of a single pixel.

    See `BatchNorm1d`.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """(B, C, H, W) as it is shaped."""
        return _by_running_statistics(self, input) if _has_one_value(input) else super().forward(input)


def _has_one_value(values: Tensor) -> bool:
    """Whether there is one value for each channel, (B, C, ...)."""
    return values.numel() == values.shape[1]


def _by_running_statistics(norm: nn.BatchNorm1d | nn.BatchNorm2d, values: Tensor) -> Tensor:
    return F.batch_norm(
        values, norm.running_mean, norm.running_var, norm.weight, norm.bias, training=False, eps=norm.eps
    )


WeightedLayer = nn.Linear | nn.Conv2d | nn.ConvTranspose2d | TiedLinear
"""A layer whose outputs are weighted sums of its inputs; `.weight` holds the weights, be they parametrized or tied."""


def weighted_layers(module: nn.Module) -> list[tuple[str, WeightedLayer]]:
    """The layers with a weight matrix or kernels, with their names in `module`, in the order of the forward pass.

    The order is that in which modules were registered, and ours are registered as they are run through.
    """
    return list(_weighted_layers(module, prefix=""))


def first_weighted(module: nn.Module) -> WeightedLayer:
    """The first layer of an encoder or a decoder that has a weight matrix or kernels.

    Raises:
        ValueError: there is none.
    """
    for _, layer in _weighted_layers(module, prefix=""):
        return layer
    raise ValueError(f"{type(module).__name__} has no layer with weights")


def code_columns_dim(layer: WeightedLayer) -> int:
    """The dimension of `layer.weight` that counts the inputs: a decoder's first layer has a code entry's weights there.

    A weight matrix is (out, in) and a kernel (out, in, height, width); a transposed convolution's is (in, out, ...).
    """
    return 0 if isinstance(layer, nn.ConvTranspose2d) else 1


class CodeColumns(NamedTuple):
    """Where a decoder has the weights of each code entry."""

    layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d
    """The layer whose own parameter `weight` they are, and can be parametrized: of a tied decoder, the encoder's."""
    dim: int
    """The dimension of that weight which counts the code entries."""


def code_columns(decoder: nn.Module) -> CodeColumns:
    """The weights by which a decoder's first layer reads the code.

    Raises:
        ValueError: it has no layer with weights.
    """
    first = first_weighted(decoder)
    if isinstance(first, TiedLinear):
        return CodeColumns(first.source, 0)  # transposed: the rows of the source
    return CodeColumns(first, code_columns_dim(first))


def _weighted_layers(module: nn.Module, *, prefix: str) -> Iterator[tuple[str, WeightedLayer]]:
    if isinstance(module, WeightedLayer):
        yield prefix, module  # and not what is inside: a parametrization may have layers, which are none of the model's
        return
    for name, child in module.named_children():
        yield from _weighted_layers(child, prefix=f"{prefix}.{name}" if prefix else name)
