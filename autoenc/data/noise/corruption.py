"""What every kind of noise is, and what several of them are made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol, TypeVar, cast

import torch
from torch import Tensor

By = Literal["channel", "pixel"]
"""What is drawn by itself: each colour channel of a pixel, or the pixel, with one draw for all of its channels."""

N = TypeVar("N")


class Corruption(NamedTuple):
    """What a noise has made of a batch of images."""

    images: Tensor
    """(B, C, H, W): the corrupted images."""
    corrupted: Tensor
    """bool, broadcastable to (B, C, H, W): where a pixel counts as corrupted, whether or not its value changed."""


class Noise(Protocol):
    """A kind of corruption."""

    @property
    def corrupts(self) -> bool:
        """False where the images come back as they were, so that nobody measures the same thing twice."""
        ...

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Corruption:
        """Images (B, C, H, W), corrupted."""
        ...

    def at(self, severity: float) -> Noise:
        """The same kind of noise with `severity` times its strength: from 0, where nothing changes, to 1, itself.

        It draws as many random numbers as at any other severity.
        """
        ...


def weakened(noise: N, *, strength: str, severity: float) -> N:
    """The noise with the number in its field `strength` times `severity`, which is from 0 to 1."""
    assert 0 <= severity <= 1, severity
    if severity == 1:
        return noise
    scaled = dataclasses.replace(cast("Any", noise), **{strength: getattr(noise, strength) * severity})
    return cast("N", scaled)


def all_or_none(images: Tensor, *, corrupted: bool) -> Tensor:
    """The same answer for every pixel, (1, 1, 1, 1)."""
    return torch.full((1, 1, 1, 1), corrupted, dtype=torch.bool, device=images.device)


def drawn(images: Tensor, fill: Callable[[Tensor], Tensor], *, by: By) -> Tensor:
    """Random numbers: by channel (B, C, H, W), in the memory format of the images; by pixel (B, 1, H, W).

    Filled while contiguous, because numbers are drawn by their place in memory, and the noise must not depend on the
    memory format.
    """
    alike = images if by == "channel" else images[:, :1]
    numbers = fill(torch.empty_like(alike, memory_format=torch.contiguous_format))
    return numbers if alike.is_contiguous() else torch.empty_like(alike).copy_(numbers)
