"""The frozen seed of a split's noise: every run is scored on the same noisy images, whatever its own seed."""

from __future__ import annotations

import torch

from autoenc.devices import Device
from autoenc.seeds import derived_seed


def frozen_generator(device: Device, *, split: str) -> torch.Generator:
    """A generator for the noise of a split. It is the same in every run, whatever the seed of the run."""
    return torch.Generator(device.torch_device).manual_seed(derived_seed(0, f"frozen noise on {split}"))
