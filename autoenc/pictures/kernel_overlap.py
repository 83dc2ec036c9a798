"""How many kernel weights reach each pixel of an upsampling: the cause of checkerboards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autoenc.pictures.code_axes import Box
from autoenc.pictures.image_pixels import ColorScale
from autoenc.pictures.page import INK, SMALL, Page

if TYPE_CHECKING:
    from torch import nn

SHOWN = 6  # pixels each way
SKIPPED = 4  # pixels at the border, which fewer weights reach
LIGHT = 0.6  # of the scale, from which a cell is light and its number dark


def overlap_counts(decoder: nn.Module) -> NDArray[np.int64]:
    """The number of kernel weights that reach each of 6 x 6 pixels away from the border, (6, 6).

    Those of the last transposed convolution with a stride, or, if the decoder has none, of its last convolution, which
    follows a resizing or is rearranged into the pixels (Odena et al. 2016, Distill, "Deconvolution and checkerboard
    artifacts"). (0, 0) without convolutions.
    """
    import torch
    import torch.nn.functional as F
    from torch import nn

    layers = [layer for layer in decoder.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    strided = [layer for layer in layers if layer.transposed and max(layer.stride) > 1]
    if not layers:
        return np.zeros((0, 0), dtype=np.int64)
    layer = (strided or layers)[-1]
    ones, kernel = torch.ones(1, 1, SHOWN + 2 * SKIPPED, SHOWN + 2 * SKIPPED), torch.ones(1, 1, *layer.kernel_size)
    padding = tuple(size // 2 for size in layer.kernel_size)
    if strided:
        reached = F.conv_transpose2d(ones, kernel, stride=layer.stride, padding=padding)
    else:
        reached = F.conv2d(ones, kernel, padding=padding)
    shown = slice(SKIPPED, SKIPPED + SHOWN)
    return reached[0, 0, shown, shown].round().long().numpy()


def overlap_words(counts: NDArray[np.int64]) -> str:
    """The counts in words."""
    low, high = int(counts.min()), int(counts.max())
    return f"even, {low} everywhere" if low == high else f"uneven, {low} to {high}"


def draw_overlap(page: Page, counts: NDArray[np.int64], *, box: Box) -> None:
    """A cell with its number for each pixel."""
    scale = ColorScale("", "viridis", low=0, high=float(counts.max()))
    axes = box.axes(page)
    axes.set_axis_off()
    axes.imshow(scale.pixels(counts.astype(np.float64)), interpolation="nearest", aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        color = INK if count >= LIGHT * scale.high else "white"
        axes.text(column, row, str(count), color=color, size=SMALL, ha="center", va="center_baseline")
