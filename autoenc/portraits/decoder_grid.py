"""The decoder over a grid of codes."""

from __future__ import annotations

import torch
from torch import Tensor

from autoenc.pictures.decoder_grid import DecoderGrid
from autoenc.portraits.code_space import central_range, finite, stored
from autoenc.portraits.subject import Subject

STEPS = 20
MOST_PIXELS = 1600
"""Along a side of the grid; of large images there are fewer."""


def decoder_grid(subject: Subject) -> DecoderGrid | None:
    """20 x 20 decoded codes over the central 95 % of the test codes' two numbers; of one number, 20 in a row.

    Returns:
        None where a code has more than two numbers, or no code is finite.
    """
    coded = finite(subject.codes(subject.splits.test))
    size = coded.shape[1]
    if size > 2 or not len(coded):
        return None
    steps = max(2, min(STEPS, MOST_PIXELS // max(subject.splits.image_shape[1:])))
    low, high = central_range(coded)  # (code_size,) each
    across = _even(low[0], high[0], steps=steps)
    up = _even(low[1], high[1], steps=steps).flip(0) if size == 2 else torch.zeros(1)
    grid = torch.cartesian_prod(up, across).flip(1)  # (R * S, 2), row by row: the second number falls, the first rises
    images = subject.decode(grid[:, :size].contiguous())
    return DecoderGrid(
        images=stored(images).reshape(len(up), len(across), *images.shape[1:]),
        across=across.numpy(),
        up=up.numpy(),
        code_size=size,
    )


def _even(low: Tensor, high: Tensor, *, steps: int) -> Tensor:
    """Even steps from low to high, (steps,); around a number that never varies, from 0.5 below to 0.5 above."""
    if high <= low:
        low, high = low - 0.5, high + 0.5
    return torch.linspace(float(low), float(high), steps)
