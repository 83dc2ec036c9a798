"""Arrays as pixels: images in [0, 1] as bytes, and numbers by a colour scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from autoenc.pictures.page import SMALL, Page, wrapped

DENOISING_PROTOCOL = "from the noisy input to the clean image"
DENOISING_ERROR = f"Denoising error: {DENOISING_PROTOCOL}."
"""Explains the term in the line of a picture."""

BAR_WIDTH = 22
SIDE = 150
"""Pixels that an upright colour bar with its ticks and a label of two lines is wide."""
LEAST_HEIGHT = 200  # of a colour bar


def as_pixels(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Images (..., C, H, W) in [0, 1] with 1 or 3 channels as bytes (..., H, W, 3).

    Values outside [0, 1] are clipped; NaN becomes white.
    """
    shown = np.nan_to_num(images.astype(np.float64), nan=1).clip(0, 1)
    pixels = np.moveaxis(np.rint(255 * shown).astype(np.uint8), -3, -1)
    return np.broadcast_to(pixels, (*pixels.shape[:-1], 3))


def remark(*images: NDArray[Any]) -> str:
    """How `as_pixels` changes these images, in brackets; empty if it shows them as they are."""
    if any(np.isnan(part).any() for part in images):
        return "(not a number: white)"
    if any((part < 0).any() or (part > 1).any() for part in images):
        return "(clipped to 0…1)"
    return ""


def error_text(value: float) -> str:
    """A squared error per pixel, short enough for a place under an image."""
    if not np.isfinite(value):
        return "not finite"
    return f"{value:.4f}" if value >= 0.001 or value == 0 else f"{value:.0e}".replace("e-0", "e-")


@dataclass(frozen=True)
class ColorScale:
    """A matplotlib colour map for numbers from `low` to `high`, and what the numbers are."""

    label: str
    colors: str
    low: float
    high: float

    @classmethod
    def of_errors(cls, label: str, errors: NDArray[np.float64]) -> Self:
        """From 0 to the largest finite error, rounded up to a round number."""
        largest = max(float(errors[np.isfinite(errors)].max(initial=0)), 1 / 255)  # less than a grey level is no error
        power = 10 ** np.floor(np.log10(largest))
        high = next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= largest * (1 - 1e-9))
        return cls(label, "Reds", low=0, high=float(high))

    def pixels(self, values: NDArray[np.floating]) -> NDArray[np.uint8]:
        """The colours of values (..., W) as bytes (..., W, 3)."""
        import matplotlib as mpl

        share = np.atleast_1d((values - self.low) / (self.high - self.low))
        colors = np.asarray(mpl.colormaps[self.colors](share, bytes=True), dtype=np.uint8)
        return colors[..., :3]


def draw_color_bar(page: Page, scale: ColorScale, *, left: int, top: int, height: int = 0, width: int = 0) -> None:
    """A colour bar with ticks and label: upright with the given height, or lying with the given width."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.ticker import MaxNLocator

    length = width or max(LEAST_HEIGHT, height)
    sides = {"width": length, "height": BAR_WIDTH} if width else {"width": BAR_WIDTH, "height": length}
    axes = page.figure.add_axes(page.rectangle(left=left, top=top, **sides))
    values = ScalarMappable(Normalize(scale.low, scale.high), cmap=scale.colors)
    ticks = MaxNLocator(nbins=5, steps=[1, 2, 5, 10])
    bar = page.figure.colorbar(values, cax=axes, orientation="horizontal" if width else "vertical", ticks=ticks)
    bar.outline.set_edgecolor(axes.spines["left"].get_edgecolor())
    bar.set_label(wrapped(scale.label, width=length, size=SMALL), size=SMALL)
