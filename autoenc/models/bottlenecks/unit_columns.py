"""Decoders whose first layer weighs every entry of the code by a vector of length 1."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from autoenc.models.layers import code_columns
from autoenc.settings import ConfigError

TINY = 1e-12


class UnitColumns(nn.Module):
    """A parametrization: a weight divided by the norms of its slices along `dim`, so that each of them has norm 1.

    Of the trained weight only the slices' directions count. A slice of nothing but zeros stays zero.
    """

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, weight: Tensor) -> Tensor:
        """A weight of any shape, as it is shaped."""
        others = [dim for dim in range(weight.ndim) if dim != self.dim]
        norms: Tensor = torch.linalg.vector_norm(weight, dim=others, keepdim=True)
        return weight / norms.clamp_min(TINY)


def constrain_columns(decoder: nn.Module, *, code_size: int, key: str) -> None:
    """Give all weights that leave one entry of the code the norm 1, in the first layer of `decoder`.

    Where that layer's weights are tied to the encoder's, they are constrained there, for both.

    Raises:
        ConfigError: under `key`, the decoder does not begin with a layer that has such weights.
    """
    try:
        owner, dim = code_columns(decoder)
    except ValueError as error:
        raise ConfigError(key, f"it needs a decoder that begins with weights: {error}") from None
    if owner.weight.shape[dim] != code_size:
        problem = f"the decoder's first weights are {tuple(owner.weight.shape)}, not a column for each of {code_size}"
        raise ConfigError(key, f"{problem} code entries")
    parametrize.register_parametrization(owner, "weight", UnitColumns(dim=dim))
