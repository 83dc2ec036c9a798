"""Collapsed and duplicate kernels of a layer."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from autoenc.models.layers import WeightedLayer

COLLAPSED = 0.01
"""A kernel has collapsed if its norm is under this share of the median norm."""

ALIKE = 0.99
"""The absolute cosine over which two kernels are near-duplicates."""


class KernelCounts(NamedTuple):
    """The numbers of useless kernels in a layer."""

    total: int
    collapsed: int
    """Kernels with a norm under `COLLAPSED` times the median. Zero kernels do not count for the median."""
    duplicate: int
    """Kernels that repeat an earlier one except for length and sign: n - 1 of n similar ones. Zero kernels and kernels
    of a single weight do not count."""


def count_kernels(layer: WeightedLayer) -> KernelCounts:
    """Count the kernels of an encoder's layer, whose weights are (units, inputs) or (units, inputs, height, width)."""
    kernels = layer.weight.detach().flatten(1).float().cpu()  # (units, weights); synchronizes
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
    earlier = torch.tril(cosines, diagonal=-1)  # the entries with earlier kernels
    return int((earlier > ALIKE).any(dim=1).sum())
