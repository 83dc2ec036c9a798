"""Noise on the input. The target of a denoising autoencoder is always the clean image.

A noise takes images (B, C, H, W) in [0, 1] and a generator on their device, and returns new images of that shape; the
same generator state gives the same noise. Every colour channel of every pixel is corrupted by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from autoenc.registry import Registry
from autoenc.settings import NonNegativeFloat, Probability, ProperFraction


class Noise(Protocol):
    """A kind of corruption."""

    corrupts: ClassVar[bool]
    """False where the images come back as they were, so that nobody measures the same thing twice."""

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Tensor:
        """The images, corrupted; (B, C, H, W)."""
        ...


@dataclass(frozen=True, kw_only=True)
class NoNoise:
    """`noise=none`: the images as they are."""

    corrupts: ClassVar[bool] = False

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Tensor:  # noqa: ARG002
        """The same tensor."""
        return images


@dataclass(frozen=True, kw_only=True)
class Gaussian:
    """`noise=gaussian`: x + std * n with n from N(0, 1), brought back into [0, 1] where `clip` says so."""

    corrupts: ClassVar[bool] = True
    std: NonNegativeFloat
    clip: bool

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Tensor:
        """(B, C, H, W)."""
        noise = _drawn(images, lambda numbers: numbers.normal_(generator=generator))
        noisy = noise.mul_(self.std).add_(images)
        return noisy.clamp_(0, 1) if self.clip else noisy


@dataclass(frozen=True, kw_only=True)
class SaltAndPepper:
    """`noise=salt_and_pepper`: with `probability` in all, a pixel becomes 1 (a share `salt` of them) or 0 (the rest).

    A corrupted pixel may by chance get the value it had.
    """

    corrupts: ClassVar[bool] = True
    probability: Probability
    salt: Probability

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Tensor:
        """(B, C, H, W)."""
        draw = _drawn(images, lambda numbers: numbers.uniform_(generator=generator))  # in [0, 1)
        white = draw < self.probability * self.salt
        changed = draw < self.probability
        return torch.where(changed, white.to(images.dtype), images)


@dataclass(frozen=True, kw_only=True)
class Masking:
    """`noise=masking`: with `probability`, a pixel becomes 0; the others keep their value.

    Vincent et al. 2010, JMLR 11, section 3.3, with each pixel drawn by itself instead of a fixed number of them.
    """

    corrupts: ClassVar[bool] = True
    probability: Probability

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Tensor:
        """(B, C, H, W)."""
        return images * _kept(images, probability=self.probability, generator=generator)


@dataclass(frozen=True, kw_only=True)
class Dropout:
    """`noise=dropout`: masking, with the pixels that are left divided by 1 - `probability`, so that means stay.

    Srivastava et al. 2014, JMLR 15, section 10, as dropout layers have it. Pixels may so exceed 1; nothing is clipped.
    """

    corrupts: ClassVar[bool] = True
    probability: ProperFraction

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Tensor:
        """(B, C, H, W)."""
        kept = _kept(images, probability=self.probability, generator=generator)
        return images * kept.div_(1 - self.probability)


def _kept(images: Tensor, *, probability: float, generator: torch.Generator) -> Tensor:
    """1 where a pixel is kept, 0 with `probability`; (B, C, H, W)."""
    return _drawn(images, lambda numbers: numbers.bernoulli_(1 - probability, generator=generator))


def _drawn(images: Tensor, fill: Callable[[Tensor], Tensor]) -> Tensor:
    """A random number for each pixel, (B, C, H, W), in the memory format of the images.

    Filled while contiguous, because numbers are drawn by their place in memory, and the noise must not depend on the
    memory format.
    """
    numbers = fill(torch.empty_like(images, memory_format=torch.contiguous_format))
    return numbers if images.is_contiguous() else torch.empty_like(images).copy_(numbers)


NOISES: Registry[Noise] = Registry(
    "noise",
    {
        "none": NoNoise,
        "gaussian": Gaussian,
        "salt_and_pepper": SaltAndPepper,
        "masking": Masking,
        "dropout": Dropout,
    },
)
