"""Noise on the input. The target of a denoising autoencoder is always the clean image.

A noise takes images (B, C, H, W) in [0, 1] and a generator on their device. It returns new images of that shape and a
mask of the pixels that count as corrupted. The same generator state gives the same noise in every memory format. With a
strength (`std`, `probability` or `size`) of 0 no pixel changes, and none counts as corrupted.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from autoenc.data.noise.corruption import Corruption, Noise
from autoenc.data.noise.pixels import Dropout, Gaussian, Masking, NoNoise, SaltAndPepper, Speckle
from autoenc.data.noise.regions import Blur, Occlusion
from autoenc.registry import Choice, Registry
from autoenc.settings import ConfigError, join, listed

__all__ = ["NOISES", "Compose", "Noise"]


@dataclass(frozen=True, kw_only=True)
class Compose(Choice):
    """`noise=compose`: several noises, one after the other, in the order of the config.

    `noises` maps any label to a noise, or to its settings as in YAML: its `name` and its fields. A pixel is corrupted
    if one of the noises corrupts it.

    Raises:
        ConfigError: there is no noise, or settings do not fit; the message has the full key.
    """

    noises: Mapping[str, Any]

    def __post_init__(self) -> None:
        if not self.noises:
            problem = "it needs at least one noise; for no noise use noise=none"
            raise ConfigError(_key(), problem, value=dict(self.noises))
        # The instance is frozen for everyone else.
        object.__setattr__(self, "noises", {label: _noise(given, label=label) for label, given in self.noises.items()})

    @property
    def corrupts(self) -> bool:
        """Whether one of the noises does."""
        return any(noise.corrupts for noise in self.noises.values())

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Corruption:
        """(B, C, H, W); in [0, 1] if each noise stays there."""
        masks = []
        for noise in self.noises.values():
            images, corrupted = noise(images, generator=generator)
            masks.append(corrupted)
        return Corruption(images, functools.reduce(torch.logical_or, masks))

    def at(self, severity: float) -> Compose:
        """Each noise at `severity`."""
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
    if isinstance(given, Mapping):
        return NOISES.parse(given, key=_key(label))
    if callable(given):  # no value from YAML is callable
        return cast("Noise", given)
    raise ConfigError(_key(label), f"it must be a group of keys, with a name: {listed(NOISES.names())}", value=given)


def _key(*label: str) -> str:
    return join(NOISES.group, "noises", *label)
