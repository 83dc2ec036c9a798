"""What the decoder makes of codes that no image had."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from matplotlib.figure import Figure
from numpy.typing import NDArray

from autoenc.pictures.axis_ticks import number
from autoenc.pictures.image_pixels import as_pixels, check_images, remark
from autoenc.pictures.image_strips import Block, Strip, image_strips
from autoenc.pictures.picture import Panel, Picture

MOST_ABOVE = 5  # so many panels have their two blocks above one another; more have them side by side
ACROSS = 8  # images in a row

OF_ITSELF = -0.5 * math.log(2 * math.pi * math.e)
"""The mean log-density of numbers from N(0, 1) under N(0, 1), in nats."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples(Picture):
    """Images decoded from random codes: from N(0, I), and from a mixture of Gaussians fitted to training codes."""

    kind: ClassVar[str] = "samples"

    prior_images: NDArray[Any]
    """(K, C, H, W) in [0, 1] scale."""
    mixture_images: NDArray[Any]
    """(K, C, H, W) in [0, 1] scale."""
    prior_log_likelihood: float
    """The mean log-density of the test images' codes under N(0, I), in nats per dimension."""
    mixture_log_likelihood: float
    """The same under the mixture."""
    mixture: str
    """What the mixture is: "10 Gaussians with full covariances, fitted to 10,000 training codes"."""

    def __post_init__(self) -> None:
        check_images(self.prior_images, name="prior_images", dimensions=4)
        check_images(self.mixture_images, name="mixture_images", dimensions=4)

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """Two blocks of images for each panel, with a line over each that says where their codes come from."""
        pairs = [_pair(panel.label, panel.picture) for panel in panels]
        above = 1 < len(panels) <= MOST_ABOVE
        blocks = (
            [pair[row] for row in (0, 1) for pair in pairs] if above else [block for pair in pairs for block in pair]
        )
        images = [part for panel in panels for part in (panel.picture.prior_images, panel.picture.mixture_images)]
        line = (
            "Images decoded from random codes. The numbers are mean log-likelihoods of the test images' codes, in nats "
            f"per dimension. Under N(0, I), codes that are spread like it have {number(OF_ITSELF)}; a higher number "
            f"says that they are crowded near the origin, a lower one that they lie elsewhere. {remark(*images)}"
        )
        return image_strips(
            blocks,
            columns=len(panels) if above else 2 * min(len(panels), 3),
            title=title,
            line=line.strip(),
        )


def _pair(label: str, picture: Samples) -> tuple[Block, Block]:
    start = f"{label}\n" if label else ""
    return (
        _block(f"{start}from N(0, I): {_nats(picture.prior_log_likelihood)}", picture.prior_images),
        _block(f"{start}from {picture.mixture}: {_nats(picture.mixture_log_likelihood)}", picture.mixture_images),
    )


def _block(heading: str, images: NDArray[Any]) -> Block:
    pixels = as_pixels(images)
    return Block(heading, tuple(Strip((pixels[start : start + ACROSS],)) for start in range(0, len(pixels), ACROSS)))


def _nats(log_likelihood: float) -> str:
    return f"{number(log_likelihood)} nats" if math.isfinite(log_likelihood) else "not finite"
