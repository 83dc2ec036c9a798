"""Structural similarity of images: Wang, Bovik, Sheikh and Simoncelli 2004, IEEE Trans. Image Processing 13 (4)."""

from __future__ import annotations

import torch
from torch import Tensor

WINDOW = 11
"""Pixels along each side of a window."""
WINDOW_STD = 1.5
"""Standard deviation of the window's weights, in pixels."""
C1 = 0.01**2
C2 = 0.03**2
"""(K1 L)^2 and (K2 L)^2 of the paper's section III.C, for pixels from 0 to L = 1."""


def similarity(images: Tensor, others: Tensor) -> Tensor:
    """The mean structural similarity of each pair of images (B, C, H, W), (B,): 1 for the same, never more.

    Equation 13 in Gaussian windows of 11 x 11 pixels, averaged over all windows inside the image (equation 17) and over
    channels. Along a side of fewer than 11 pixels, windows have the largest odd number that fits. Pixels outside [0, 1]
    are not clipped. Computed in float32 at least: variances are differences of moments, too small for bfloat16.
    """
    dtype = torch.promote_types(torch.promote_types(images.dtype, others.dtype), torch.float32)
    with torch.autocast(images.device.type, enabled=False):
        x, y = images.to(dtype), others.to(dtype)
        # Matrices that are mostly zeros take less time than convolutions of a single channel.
        rows = _windows(x.shape[2], like=x)  # (h, H)
        columns = _windows(x.shape[3], like=x).T  # (W, w)

        def averaged(pixels: Tensor) -> Tensor:
            return rows @ (pixels @ columns)  # (B, C, H, W) -> (B, C, h, w)

        mean_x, mean_y = averaged(x), averaged(y)
        squares, product = mean_x.square() + mean_y.square(), mean_x * mean_y
        variances = averaged(x.square() + y.square()) - squares
        covariance = averaged(x * y) - product
        above = (2 * product + C1) * (2 * covariance + C2)
        below = (squares + C1) * (variances + C2)
        return (above / below).flatten(1).mean(1)


def _windows(size: int, *, like: Tensor) -> Tensor:
    """Each window along a line of `size` pixels as a row of weights that sum to one, (windows, `size`)."""
    side = min(WINDOW, size - 1 + size % 2)
    first = torch.arange(size - side + 1, dtype=like.dtype, device=like.device).unsqueeze(1)
    place = torch.arange(size, dtype=like.dtype, device=like.device) - first  # in each window, from 0
    weights = ((place - side // 2) / WINDOW_STD).square().mul_(-0.5).exp_()
    weights = torch.where((place >= 0) & (place < side), weights, 0.0)
    return weights / weights.sum(1, keepdim=True)
