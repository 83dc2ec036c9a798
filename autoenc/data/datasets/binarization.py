"""Black-and-white images, drawn with each grey value as the probability of white.

A Bernoulli likelihood needs zeros and ones. *Static*: each image is drawn once (Salakhutdinov and Murray 2008, On the
Quantitative Analysis of Deep Belief Networks, ICML, section 5). *Dynamic*: training images are drawn each time they are
used, the others once (Burda, Grosse and Salakhutdinov 2016, Importance Weighted Autoencoders, ICLR, section 5).
Likelihoods of the two are not comparable.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from autoenc.data.datasets.mapped_files import temporary_images
from autoenc.seeds import derived_seed

Binarization = Literal["none", "static", "dynamic"]

_CHUNK = 1024


def draw(images: Tensor, *, generator: torch.Generator) -> Tensor:
    """Draw 1 with a pixel's value as the probability, else 0. A pixel of 0 stays 0, and a pixel of 1 stays 1.

    Every colour channel of every pixel is drawn separately.

    Args:
        images: (B, C, H, W) in [0, 1].
        generator: on the images' device.

    Returns:
        (B, C, H, W), new, in the dtype and memory format of `images`.
    """
    # A contiguous tensor is filled in the order of the pixels, so the draw does not depend on the memory format. In
    # float32 the smallest probabilities still count.
    numbers = torch.empty(images.shape, dtype=torch.float32, device=images.device).uniform_(generator=generator)
    white = torch.empty_like(images)
    return white.copy_(numbers < images)  # [0, 1) < p


def frozen(images: Tensor, *, seed: int, split: str, folder: Path | None = None) -> Tensor:
    """The draw of a whole split, always the same for the same seed, split and images.

    Args:
        images: uint8 (N, C, H, W).
        seed: of the dataset, `split_seed`.
        split: the split's name; each split has its own draw.
        folder: of the temporary file with the result; None: the result is in memory.

    Returns:
        uint8 (N, C, H, W) of 0 and 255, new.
    """
    generator = torch.Generator().manual_seed(derived_seed(seed, f"binarization of the {split} split"))
    drawn = torch.empty_like(images) if folder is None else temporary_images(images.shape, folder=folder)
    for chunk, into in zip(images.split(_CHUNK), drawn.split(_CHUNK), strict=True):  # floats take four times the memory
        into.copy_(draw(chunk.float().div_(255), generator=generator).mul_(255))
    return drawn
