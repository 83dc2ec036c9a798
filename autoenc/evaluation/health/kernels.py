"""Kernels of a layer that do nothing, or the same as another."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from autoenc.models.layers import WeightedLayer

COLLAPSED = 0.01
"""Of the median kernel's norm: a kernel with less has collapsed."""

ALIKE = 0.99
"""The absolute cosine over which two kernels are near-duplicates."""


class KernelCounts(NamedTuple):
    """How many kernels of a layer are of no use."""

    total: int
    collapsed: int
    """With a norm under `COLLAPSED` of the median one's; the zero ones have no part in the median."""
    duplicate: int
    """That nearly repeat an earlier one, but for their length and sign: of n that are alike, n - 1. Zero kernels are
    not like one another; nor are kernels of a single weight, which always would be."""


def count_kernels(layer: WeightedLayer) -> KernelCounts:
    """Count the kernels of an encoder's layer, whose weights are (units, inputs) or (units, inputs, height, width)."""
    kernels = layer.weight.detach().flatten(1).float().cpu()  # (units, weights); synchronises
    norms = kernels.norm(dim=1)
    above_zero = norms[norms > 0]
    least = COLLAPSED * float(above_zero.median()) if len(above_zero) else 0.0
    collapsed = int((norms <= least).sum()) if least else int((norms == 0).sum())
    return KernelCounts(len(kernels), collapsed, _duplicates(kernels[norms > 0]))


def _duplicates(kernels: Tensor) -> int:
    if kernels.shape[1] < 2:
        return 0
    directions = F.normalize(kernels, dim=1)
    cosines = (directions @ directions.T).abs()
    earlier = torch.tril(cosines, diagonal=-1)  # of each row, those before it
    return int((earlier > ALIKE).any(dim=1).sum())
