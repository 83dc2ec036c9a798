"""Black-and-white images drawn from grey ones, whose values are the probabilities of white.

A Bernoulli likelihood is one of zeros and ones. *Static*: each image is drawn once and for all (Salakhutdinov and
Murray 2008, On the Quantitative Analysis of Deep Belief Networks, ICML, section 5). *Dynamic*: training images are
drawn anew each time they are used, the others once (Burda, Grosse and Salakhutdinov 2016, Importance Weighted
Autoencoders, ICLR, section 5). Likelihoods of the two are not comparable.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from autoenc.seeds import derived_seed

Binarization = Literal["none", "static", "dynamic"]

_CHUNK = 1024


def draw(images: Tensor, *, generator: torch.Generator) -> Tensor:
    """1 where a pixel is white, with its value as the probability, and 0 elsewhere; never a 1 for 0 or a 0 for 1.

    Every colour channel of every pixel is drawn by itself.

    Args:
        images: (B, C, H, W) in [0, 1].
        generator: on the images' device.

    Returns:
        (B, C, H, W), new, in the dtype and memory format of `images`.
    """
    # Filled while contiguous, because numbers are drawn by their place in memory, and the draw must not depend on the
    # memory format; and in float32, where the smallest probabilities still count.
    numbers = torch.empty(images.shape, dtype=torch.float32, device=images.device).uniform_(generator=generator)
    white = torch.empty_like(images)
    return white.copy_(numbers < images)  # [0, 1) < p


def frozen(images: Tensor, *, seed: int, split: str) -> Tensor:
    """The draw of a whole split, always the same for the same seed, split and images.

    Args:
        images: uint8 (N, C, H, W).
        seed: of the dataset, `split_seed`.
        split: the split's name; each has a draw of its own.

    Returns:
        uint8 (N, C, H, W) of 0 and 255, new.
    """
    generator = torch.Generator().manual_seed(derived_seed(seed, f"binarization of the {split} split"))
    drawn = torch.empty_like(images)
    for chunk, into in zip(images.split(_CHUNK), drawn.split(_CHUNK), strict=True):  # floats are four times as large
        into.copy_(draw(chunk.float().div_(255), generator=generator).mul_(255))
    return drawn
