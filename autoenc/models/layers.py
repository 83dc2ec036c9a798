"""Layers that torch does not have, and functions that find or constrain the weights of an encoder or a decoder."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrize

from autoenc.settings import ConfigError

LEAST_NORM = 1e-12
"""The lower bound of the norm by which a weight column is divided."""


class TiedLinear(nn.Module):
    """An affine map by the transposed weights of another layer, with a bias of its own.

    The weights belong to `source`: only there are they listed, moved, saved and trained. Gradients reach them through
    both uses. A deep copy of a model with both layers is tied in the same way.

    Args:
        source: the layer whose weights are used transposed.
        inputs: the number of inputs; only so many rows of the weights are used. A bottleneck may need means and
            variances, and decode one number for both.
        bias: whether there is a bias.
    """

    def __init__(self, source: nn.Linear, *, inputs: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features = inputs
        self.out_features = source.in_features
        self._source = (source,)  # in a tuple, so that torch does not register it as a submodule
        self.bias = nn.Parameter(source.weight.new_zeros(self.out_features)) if bias else None

    @property
    def source(self) -> nn.Linear:
        """The layer that has the weights."""
        return self._source[0]

    @property
    def weight(self) -> Tensor:
        """(out_features, in_features): a view of the source's weights. In-place changes reach the source."""
        return self.source.weight[: self.in_features].T

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, in_features) to (B, out_features)."""
        return F.linear(inputs, self.weight, self.bias)

    def extra_repr(self) -> str:
        """For `print`."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class _TrainsOnOneValue(_BatchNorm):
    """Batch normalisation (Ioffe and Szegedy 2015) that can also train on a single image.

    One value for each channel has no variance, and torch refuses such a batch, which an epoch may end with. Here it is
    normalised with the running statistics, as in eval mode, without updating them.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name for it
        if input.numel() > input.shape[1]:
            return super().forward(input)
        statistics = self.running_mean, self.running_var
        return F.batch_norm(input, *statistics, self.weight, self.bias, training=False, eps=self.eps)


class BatchNorm1d(_TrainsOnOneValue, nn.BatchNorm1d):
    """Of (B, C), same shape."""


class BatchNorm2d(_TrainsOnOneValue, nn.BatchNorm2d):
    """Of maps (B, C, H, W), same shape."""


def at_least_float32(values: Tensor) -> Tensor:
    """The values in float32, or unchanged if they are wider. For arithmetic that bfloat16 is too coarse for."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


WeightedLayer = nn.Linear | nn.Conv2d | nn.ConvTranspose2d | TiedLinear
"""A layer whose outputs are weighted sums of its inputs. `.weight` may be parametrized or tied."""


def weighted_layers(module: nn.Module, *, prefix: str = "") -> list[tuple[str, WeightedLayer]]:
    """The layers with a weight matrix or kernels, with their names in `module`, in the order of the forward pass.

    This is the order of registration, which our models follow in their forward pass.
    """
    if isinstance(module, WeightedLayer):
        return [(prefix, module)]  # without its children: a parametrization may have layers of its own
    return [
        layer
        for name, child in module.named_children()
        for layer in weighted_layers(child, prefix=f"{prefix}.{name}" if prefix else name)
    ]


def constrain_columns(decoder: nn.Module, *, code_size: int, key: str) -> None:
    """Give the weights by which the decoder's first layer reads a code entry norm 1, for each entry.

    If these weights are tied to the encoder's, they are constrained there, for both.

    Raises:
        ConfigError: at `key`, if the decoder's first layer has no such weights.
    """
    for _, first in weighted_layers(decoder)[:1]:
        # The dimension of the code entries: matrices are (out, in) and kernels (out, in, height, width); those of a
        # transposed convolution are (in, out, ...), and tied ones are stored as the encoder's.
        owner = first.source if isinstance(first, TiedLinear) else first
        dim = 0 if isinstance(first, (TiedLinear, nn.ConvTranspose2d)) else 1
        if owner.weight.shape[dim] == code_size:
            parametrize.register_parametrization(owner, "weight", UnitColumns(dim=dim))
            return
    problem = f"{type(decoder).__name__}'s first weights do not have a column for each of {code_size} code entries"
    raise ConfigError(key, problem)


class UnitColumns(nn.Module):
    """A parametrization that divides a weight by the norms of its slices along `dim`.

    Only the directions of the trained weight's slices matter. A slice of zeros stays zero.
    """

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, weight: Tensor) -> Tensor:
        """A weight of any shape, same shape."""
        others = [dim for dim in range(weight.ndim) if dim != self.dim]
        norms: Tensor = torch.linalg.vector_norm(weight, dim=others, keepdim=True)
        return weight / norms.clamp_min(LEAST_NORM)
