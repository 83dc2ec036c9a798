"""Noise on each pixel separately, the same everywhere in the image.

With `by=channel`, every colour channel of a pixel has its own draw, so a pixel may lose only its red. With `by=pixel`,
one draw is for all channels of a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from autoenc.data.noise.corruption import By, Corruption, ScaledNoise, all_or_none, drawn
from autoenc.registry import Choice
from autoenc.settings import NonNegativeFloat, Probability, ProperFraction


@dataclass(frozen=True, kw_only=True)
class NoNoise(Choice):
    """`noise=none`: the images unchanged; no pixel is corrupted, and nothing is drawn."""

    corrupts: ClassVar[bool] = False

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Corruption:  # noqa: ARG002
        """The same tensor."""
        return Corruption(images, all_or_none(images, corrupted=False))

    def at(self, severity: float) -> NoNoise:  # noqa: ARG002
        """The noise itself."""
        return self


@dataclass(frozen=True, kw_only=True)
class NormalNoise(ScaledNoise):
    """The base of the noises with normal numbers. Every pixel is corrupted, unless `std` is 0."""

    strength: ClassVar[str] = "std"
    std: NonNegativeFloat
    by: By
    clip: bool

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Corruption:
        """(B, C, H, W), in [0, 1] if clipped."""
        numbers = drawn(images, lambda numbers: numbers.normal_(generator=generator), by=self.by)
        noisy = self.added(images, numbers.mul_(self.std))
        return Corruption(noisy.clamp_(0, 1) if self.clip else noisy, all_or_none(images, corrupted=self.std > 0))

    def added(self, images: Tensor, noise: Tensor) -> Tensor:
        """Images (B, C, H, W) with noise, (B, C, H, W) or (B, 1, H, W), not clipped."""
        raise NotImplementedError


class Gaussian(NormalNoise):
    """`noise=gaussian`: x + std * n with n from N(0, 1), clipped to [0, 1] if `clip`.

    Vincent et al. 2010, JMLR 11, section 3.3 (without clipping).
    """

    def added(self, images: Tensor, noise: Tensor) -> Tensor:
        """The sum."""
        return images + noise


class Speckle(NormalNoise):
    """`noise=speckle`: x + x * std * n with n from N(0, 1), clipped to [0, 1] if `clip`.

    Multiplicative: the brighter a pixel, the stronger its noise. Black stays black, but counts as corrupted too.
    """

    def added(self, images: Tensor, noise: Tensor) -> Tensor:
        """In proportion to the brightness."""
        return torch.addcmul(images, images, noise)


@dataclass(frozen=True, kw_only=True)
class SaltAndPepper(ScaledNoise):
    """`noise=salt_and_pepper`: with `probability`, a pixel is changed: to 1 (a share `salt` of them) or 0 (the rest).

    Vincent et al. 2010, JMLR 11, section 3.3, with a draw for each pixel instead of a fixed number of pixels. A drawn
    pixel counts as corrupted even if it had its new value before.
    """

    strength: ClassVar[str] = "probability"
    probability: Probability
    salt: Probability
    by: By

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Corruption:
        """(B, C, H, W), in [0, 1]."""
        draw = drawn(images, lambda numbers: numbers.uniform_(generator=generator), by=self.by)  # in [0, 1)
        white = draw < self.probability * self.salt
        chosen = draw < self.probability
        return Corruption(torch.where(chosen, white.to(images.dtype), images), chosen)


@dataclass(frozen=True, kw_only=True)
class Masking(ScaledNoise):
    """`noise=masking`: with `probability`, a pixel becomes 0; the others keep their value.

    Vincent et al. 2010, JMLR 11, section 3.3, with a draw for each pixel instead of a fixed number of pixels. A drawn
    pixel counts as corrupted even if it was 0 before.
    """

    strength: ClassVar[str] = "probability"
    probability: Probability
    by: By

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Corruption:
        """(B, C, H, W), in [0, 1]."""
        kept = _kept(images, probability=self.probability, by=self.by, generator=generator)
        return Corruption(images * kept, kept == 0)


@dataclass(frozen=True, kw_only=True)
class Dropout(ScaledNoise):
    """`noise=dropout`: masking, with the other pixels divided by 1 - `probability`, so that the mean stays.

    Srivastava et al. 2014, JMLR 15, section 10, as in dropout layers. Pixels may exceed 1; nothing is clipped. The
    dropped pixels are corrupted, the rescaled ones are not.
    """

    strength: ClassVar[str] = "probability"
    probability: ProperFraction
    by: By

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Corruption:
        """(B, C, H, W), from 0 to 1 / (1 - `probability`)."""
        kept = _kept(images, probability=self.probability, by=self.by, generator=generator)
        dropped = kept == 0
        return Corruption(images * kept.div_(1 - self.probability), dropped)


def _kept(images: Tensor, *, probability: float, by: By, generator: torch.Generator) -> Tensor:
    """1 where a pixel is kept, 0 with `probability`; by channel (B, C, H, W), by pixel (B, 1, H, W)."""
    return drawn(images, lambda numbers: numbers.bernoulli_(1 - probability, generator=generator), by=by)
