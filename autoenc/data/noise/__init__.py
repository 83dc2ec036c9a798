"""Noise on the input. The target of a denoising autoencoder is always the clean image.

A noise takes images (B, C, H, W) in [0, 1] and a generator on their device, and returns new images of that shape with
a mask of the pixels that count as corrupted; the same generator state gives the same noise, whatever the memory format.
A noise that is set to nothing (`std`, `probability` or `size` 0) changes no pixel and corrupts none.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from autoenc.data.noise.corruption import By, Corruption, Noise
from autoenc.data.noise.pixels import Dropout, Gaussian, Masking, NoNoise, SaltAndPepper, Speckle
from autoenc.data.noise.regions import Blur, Occlusion
from autoenc.registry import Registry
from autoenc.settings import ConfigError, join, listed

__all__ = [
    "NOISES",
    "Blur",
    "By",
    "Compose",
    "Corruption",
    "Dropout",
    "Gaussian",
    "Masking",
    "NoNoise",
    "Noise",
    "Occlusion",
    "SaltAndPepper",
    "Speckle",
]


@dataclass(frozen=True, kw_only=True)
class Compose:
    """`noise=compose`: several noises, each on what the one before has left, in the order in which they stand.

    `noises` maps a label, which is free, to a noise, or to the settings of one as YAML has them: its `name` and its
    fields. A pixel is corrupted if it is for any of them.

    Raises:
        ConfigError: there is no noise, or settings do not fit; the message has the full key.
    """

    noises: Mapping[str, Any]

    def __post_init__(self) -> None:
        if not self.noises:
            problem = "it needs a noise, and for no noise there is noise=none"
            raise ConfigError(_key(), problem, value=dict(self.noises))
        # Frozen for everybody but here, where settings become what they describe.
        object.__setattr__(self, "noises", {label: _noise(given, label=label) for label, given in self.noises.items()})

    @property
    def corrupts(self) -> bool:
        """Whether any of them does."""
        return any(noise.corrupts for noise in self.noises.values())

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Corruption:
        """(B, C, H, W); within [0, 1] if each of them leaves them there."""
        masks = []
        for noise in self.noises.values():
            images, corrupted = noise(images, generator=generator)
            masks.append(corrupted)
        return Corruption(images, functools.reduce(torch.logical_or, masks))

    def at(self, severity: float) -> Compose:
        """With each of them weakened."""
        if severity == 1:
            return self
        return dataclasses.replace(self, noises={label: noise.at(severity) for label, noise in self.noises.items()})


NOISES: Registry[Noise] = Registry(
    "noise",
    {
        "none": NoNoise,
        "gaussian": Gaussian,
        "speckle": Speckle,
        "salt_and_pepper": SaltAndPepper,
        "masking": Masking,
        "dropout": Dropout,
        "blur": Blur,
        "occlusion": Occlusion,
        "compose": Compose,
    },
)


def _noise(given: Any, *, label: str) -> Noise:
    """The noise that stands under a label of `compose`, made from its settings where it is not one yet."""
    if isinstance(given, Mapping):
        return NOISES.parse(given, key=_key(label))
    if callable(given):  # what YAML can say never is
        return cast("Noise", given)
    raise ConfigError(_key(label), f"it must be a group of keys, with a name: {listed(NOISES.names())}", value=given)


def _key(*label: str) -> str:
    return join(NOISES.group, "noises", *label)
