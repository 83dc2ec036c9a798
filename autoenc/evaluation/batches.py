"""Batches of stored images on the device, and the transfer of results from the device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from autoenc.devices import Device

BATCH_SIZE = 1000
"""Fixed, because frozen noise is drawn batch by batch."""

MOST_DECODED = 5 * BATCH_SIZE
"""The most codes decoded at a time where several are sampled for an image. It bounds the memory."""


def batches(images: Tensor, *, device: Device) -> Iterator[Tensor]:
    """uint8 images (N, C, H, W) as float batches (B, C, H, W) in [0, 1]."""
    for batch in images.split(BATCH_SIZE):
        yield as_floats(batch, device=device)


def as_floats(images: Tensor, *, device: Device) -> Tensor:
    """uint8 images as floats in [0, 1] on the device, in the memory format that is fast there."""
    memory_format = torch.channels_last if device.channels_last else torch.contiguous_format
    return images.to(device.torch_device).to(torch.float32, memory_format=memory_format).div_(255)


def fetch(scalars: Mapping[str, Tensor]) -> dict[str, float]:
    """Scalars from the device, all in one transfer. Those of an integer type are counts and become integers."""
    if not scalars:
        return {}
    floats = [value.detach() if value.is_floating_point() else value.float() for value in scalars.values()]
    values = torch.stack(floats).tolist()  # synchronizes
    named = zip(scalars.items(), values, strict=True)
    return {name: value if scalar.is_floating_point() else int(value) for (name, scalar), value in named}
