"""What the portraits are taken of: a trained model, and everything about it that a picture may show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from autoenc.config import ExperimentConfig
from autoenc.data.datasets import Split, Splits, shown_indices
from autoenc.devices import Device
from autoenc.evaluation.batches import as_floats, batches, frozen_generator
from autoenc.models.autoencoder import AutoEncoder


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A trained model in eval mode, its config, and its data."""

    model: AutoEncoder
    config: ExperimentConfig
    splits: Splits
    device: Device
    code_snapshots: Mapping[int, Tensor]
    """By epoch, the codes (M, code_size) that the `scattered` images had then, on the CPU; 0 is before training."""
    shown_snapshots: Mapping[int, Tensor]
    """By epoch, the reconstructions (K, C, H, W) that the `shown` images had then, on the CPU."""
    projection: Literal["pca", "tsne"] = "pca"
    """How codes of more than two numbers come to a plane."""

    @property
    def shown(self) -> Tensor:
        """The test images of the pictures, the same in every run of a dataset: (K, C, H, W), on the device."""
        return self.floats(self.splits.test.take(shown_indices(self.splits.test.labels)))

    @property
    def shown_names(self) -> list[str]:
        """Their classes' names."""
        labels = self.splits.test.labels[shown_indices(self.splits.test.labels)]
        return [self.splits.class_names[label] for label in labels.tolist()]

    def floats(self, split: Split) -> Tensor:
        """A split's images (N, C, H, W) in [0, 1], on the device: for few images."""
        return as_floats(split.images.to(self.device.torch_device), device=self.device)

    def corrupted(self, images: Tensor, *, split: str) -> Tensor:
        """The images as a denoising model is given them, with noise that is the same in every run."""
        return self.config.noise(images, generator=frozen_generator(self.device, split=split)).images

    def codes(self, split: Split) -> Tensor:
        """The codes of a split's clean images, (N, code_size), on the CPU."""
        self.model.eval()
        images = split.images.to(self.device.torch_device)
        with torch.no_grad(), self.device.autocast():
            coded = [self.model.encode(batch).float().cpu() for batch in batches(images, device=self.device)]
        return torch.cat(coded)

    def reconstructions(self, split: Split) -> Tensor:
        """The reconstructions of a split's clean images, (N, C, H, W) in [0, 1] scale, on the CPU."""
        self.model.eval()
        images = split.images.to(self.device.torch_device)
        with torch.no_grad(), self.device.autocast():
            made = [self.model(batch).reconstruction.float().cpu() for batch in batches(images, device=self.device)]
        return torch.cat(made)

    def decode(self, codes: Tensor) -> Tensor:
        """Images (N, C, H, W) in [0, 1] scale, on the CPU, from codes (N, code_size)."""
        self.model.eval()
        with torch.no_grad(), self.device.autocast():
            return self.model.decode(codes.to(self.device.torch_device)).float().cpu()


SCATTERED = 1000
"""How many test images' codes are kept as training goes on."""


def scattered(splits: Splits, *, figures: Sequence[str] | None) -> Split:
    """The test images whose codes are kept as training goes on: the first, in the order of the file.

    None of them where `figures`, the pictures called for, have no use for that: every checkpoint holds all that is
    kept. (None calls for all pictures.)
    """
    wanted = figures is None or "codes_over_epochs" in figures
    return splits.test.take(torch.arange(min(SCATTERED, len(splits.test)) if wanted else 0))
