"""The protocol of a noise, and parts that several noises share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, Protocol, Self

import torch
from torch import Tensor

from autoenc.registry import Choice

By = Literal["channel", "pixel"]
"""One draw for each colour channel of a pixel, or one draw for all channels of a pixel."""


class Corruption(NamedTuple):
    """A batch of images with noise."""

    images: Tensor
    """(B, C, H, W): the corrupted images."""
    corrupted: Tensor
    """bool, broadcastable to (B, C, H, W): where a pixel counts as corrupted, whether or not its value changed."""


class Noise(Protocol):
    """A kind of corruption."""

    @property
    def name(self) -> str:
        """Its name in the config."""
        ...

    @property
    def corrupts(self) -> bool:
        """False if the images never change; noisy and clean scores are then the same."""
        ...

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Corruption:
        """Images (B, C, H, W), corrupted."""
        ...

    def at(self, severity: float) -> Noise:
        """The same kind of noise with `severity` times its strength; 0 changes nothing, and 1 is the noise itself.

        It draws equally many random numbers at every severity.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class ScaledNoise(Choice):
    """The base of the noises that have a strength, in the field that `strength` names."""

    corrupts: ClassVar[bool] = True
    strength: ClassVar[str]

    def at(self, severity: float) -> Self:
        """With `severity`, in [0, 1], times the strength."""
        if severity == 1:
            return self
        return dataclasses.replace(self, **{self.strength: getattr(self, self.strength) * severity})


def all_or_none(images: Tensor, *, corrupted: bool) -> Tensor:
    """One value for all pixels, (1, 1, 1, 1)."""
    return torch.full((1, 1, 1, 1), corrupted, dtype=torch.bool, device=images.device)


def drawn(images: Tensor, fill: Callable[[Tensor], Tensor], *, by: By) -> Tensor:
    """Random numbers in the memory format of the images: (B, C, H, W) by channel, (B, 1, H, W) by pixel.

    A contiguous tensor is filled in the order of the pixels, so the noise does not depend on the memory format.
    """
    alike = images if by == "channel" else images[:, :1]
    numbers = fill(torch.empty_like(alike, memory_format=torch.contiguous_format))
    return numbers if alike.is_contiguous() else torch.empty_like(alike).copy_(numbers)
