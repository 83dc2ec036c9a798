"""The squared error of every test image, as it is measured for `summary.json`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from autoenc.evaluation.batches import batches, frozen_generator
from autoenc.portraits.subject import Subject


class Reconstructed(NamedTuple):
    """A batch of test images and what the model made of them, on the CPU."""

    clean: Tensor
    """(B, C, H, W) in [0, 1]."""
    given: Tensor
    """(B, C, H, W): with noise, where the model is trained against noise."""
    made: Tensor
    """(B, C, H, W) in [0, 1] scale."""
    errors: Tensor
    """(B,): the mean over pixels of the squared difference of what was made and the clean image."""


def reconstructed(subject: Subject) -> Iterator[Reconstructed]:
    """The test images batch by batch. With noise, their errors' mean is `noisy_mse`; without, `mse`."""
    device, noise = subject.device, subject.config.noise
    generator = frozen_generator(device, split="test")
    subject.model.eval()
    for clean in batches(subject.splits.test.images.to(device.torch_device), device=device):
        given = noise(clean, generator=generator).images if noise.corrupts else clean
        with torch.no_grad(), device.autocast():
            made = subject.model(given).reconstruction.float()
        errors = (made - clean).square().flatten(1).mean(1)
        yield Reconstructed(clean.cpu(), given.cpu(), made.cpu(), errors.cpu())
