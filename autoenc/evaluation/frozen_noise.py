"""The frozen noise of a split: every run is scored on the same noisy images, whatever its own seed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from autoenc.data.noise import Noise
from autoenc.devices import Device
from autoenc.evaluation.batches import batches
from autoenc.seeds import derived_seed


def frozen_generator(device: Device, *, split: str) -> torch.Generator:
    """A generator for the noise of a split. It is the same in every run, whatever the seed of the run."""
    return torch.Generator(device.torch_device).manual_seed(derived_seed(0, f"frozen noise on {split}"))


class Inputs(NamedTuple):
    """A batch of images and what a model is given of them, (B, C, H, W) each."""

    clean: Tensor
    """In [0, 1]."""
    given: Tensor
    """The input of the model, with noise if there is any."""
    corrupted: Tensor | None
    """The corrupted pixels, bool and broadcastable to (B, C, H, W); None without noise."""


def inputs(images: Tensor, *, noise: Noise, split: str, device: Device) -> Iterator[Inputs]:
    """uint8 images (N, C, H, W) in batches on the device, with the frozen noise of the split."""
    generator = frozen_generator(device, split=split)
    for clean in batches(images, device=device):
        yield Inputs(clean, *noise(clean, generator=generator)) if noise.corrupts else Inputs(clean, clean, None)
