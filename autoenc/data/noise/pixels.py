"""Noise that meets every pixel by itself, wherever it stands in the image.

`by` says what is drawn by itself: `channel`, every colour channel of a pixel, so that probabilities are those of a
value and a pixel may lose its red alone; `pixel`, the whole pixel, with one draw for all of its channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from autoenc.data.noise.corruption import By, Corruption, all_or_none, drawn, weakened
from autoenc.settings import NonNegativeFloat, Probability, ProperFraction


@dataclass(frozen=True, kw_only=True)
class NoNoise:
    """`noise=none`: the images as they are; no pixel is corrupted, and nothing is drawn."""

    corrupts: ClassVar[bool] = False

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Corruption:  # noqa: ARG002
        """The same tensor."""
        return Corruption(images, all_or_none(images, corrupted=False))

    def at(self, severity: float) -> NoNoise:  # noqa: ARG002
        """There is nothing to weaken."""
        return self


@dataclass(frozen=True, kw_only=True)
class Gaussian:
    """`noise=gaussian`: x + std * n with n from N(0, 1), brought back into [0, 1] where `clip` says so.

    Vincent et al. 2010, JMLR 11, section 3.3, where nothing is clipped. Every pixel is corrupted, unless `std` is 0.
    """

    corrupts: ClassVar[bool] = True
    std: NonNegativeFloat
    by: By
    clip: bool

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Corruption:
        """(B, C, H, W), in [0, 1] if clipped."""
        noise = drawn(images, lambda numbers: numbers.normal_(generator=generator), by=self.by)
        noisy = images + noise.mul_(self.std)
        return Corruption(noisy.clamp_(0, 1) if self.clip else noisy, all_or_none(images, corrupted=self.std > 0))

    def at(self, severity: float) -> Gaussian:
        """With a part of the standard deviation."""
        return weakened(self, strength="std", severity=severity)


@dataclass(frozen=True, kw_only=True)
class Speckle:
    """`noise=speckle`: x + x * std * n with n from N(0, 1), brought back into [0, 1] where `clip` says so.

    Multiplicative: the brighter a pixel, the stronger its noise, and black stays black. Every pixel is corrupted, the
    black ones too, unless `std` is 0.
    """

    corrupts: ClassVar[bool] = True
    std: NonNegativeFloat
    by: By
    clip: bool

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Corruption:
        """(B, C, H, W), in [0, 1] if clipped."""
        noise = drawn(images, lambda numbers: numbers.normal_(generator=generator), by=self.by)
        noisy = torch.addcmul(images, images, noise.mul_(self.std))
        return Corruption(noisy.clamp_(0, 1) if self.clip else noisy, all_or_none(images, corrupted=self.std > 0))

    def at(self, severity: float) -> Speckle:
        """With a part of the standard deviation."""
        return weakened(self, strength="std", severity=severity)


@dataclass(frozen=True, kw_only=True)
class SaltAndPepper:
    """`noise=salt_and_pepper`: with `probability` in all, a pixel becomes 1 (a share `salt` of them) or 0 (the rest).

    Vincent et al. 2010, JMLR 11, section 3.3, with each pixel drawn by itself instead of a fixed number of them. The
    corrupted pixels are those that were chosen, though one may by chance get the value it had.
    """

    corrupts: ClassVar[bool] = True
    probability: Probability
    salt: Probability
    by: By

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Corruption:
        """(B, C, H, W), in [0, 1]."""
        draw = drawn(images, lambda numbers: numbers.uniform_(generator=generator), by=self.by)  # in [0, 1)
        white = draw < self.probability * self.salt
        chosen = draw < self.probability
        return Corruption(torch.where(chosen, white.to(images.dtype), images), chosen)

    def at(self, severity: float) -> SaltAndPepper:
        """With a part of the probability; salt keeps its share of it."""
        return weakened(self, strength="probability", severity=severity)


@dataclass(frozen=True, kw_only=True)
class Masking:
    """`noise=masking`: with `probability`, a pixel becomes 0; the others keep their value.

    Vincent et al. 2010, JMLR 11, section 3.3, with each pixel drawn by itself instead of a fixed number of them. The
    corrupted pixels are those that were chosen, though one may have been 0 before.
    """

    corrupts: ClassVar[bool] = True
    probability: Probability
    by: By

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Corruption:
        """(B, C, H, W), in [0, 1]."""
        kept = _kept(images, probability=self.probability, by=self.by, generator=generator)
        return Corruption(images * kept, kept == 0)

    def at(self, severity: float) -> Masking:
        """With a part of the probability."""
        return weakened(self, strength="probability", severity=severity)


@dataclass(frozen=True, kw_only=True)
class Dropout:
    """`noise=dropout`: masking, with the pixels that are left divided by 1 - `probability`, so that means stay.

    Srivastava et al. 2014, JMLR 15, section 10, as dropout layers have it. Pixels may so exceed 1; nothing is clipped.
    The corrupted pixels are those that were dropped, not the rescaled rest.
    """

    corrupts: ClassVar[bool] = True
    probability: ProperFraction
    by: By

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Corruption:
        """(B, C, H, W), from 0 to 1 / (1 - `probability`)."""
        kept = _kept(images, probability=self.probability, by=self.by, generator=generator)
        dropped = kept == 0
        return Corruption(images * kept.div_(1 - self.probability), dropped)

    def at(self, severity: float) -> Dropout:
        """With a part of the probability, and what is left rescaled by as much less."""
        return weakened(self, strength="probability", severity=severity)


def _kept(images: Tensor, *, probability: float, by: By, generator: torch.Generator) -> Tensor:
    """1 where a pixel is kept, 0 with `probability`; by channel (B, C, H, W), by pixel (B, 1, H, W)."""
    return drawn(images, lambda numbers: numbers.bernoulli_(1 - probability, generator=generator), by=by)
