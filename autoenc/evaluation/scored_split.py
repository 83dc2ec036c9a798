"""What a metric of a whole split is given: a trained model, the split, and what was fitted to the training split."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from autoenc.data.datasets import Split
from autoenc.data.noise import Noise
from autoenc.devices import Device
from autoenc.evaluation.baselines import LinearAutoencoder, linear_denoiser, mean_image, principal_components
from autoenc.evaluation.batches import batches
from autoenc.evaluation.evaluation_settings import EvaluationSettings
from autoenc.evaluation.frozen_noise import frozen_generator
from autoenc.models.autoencoder import AutoEncoder


class Pair(NamedTuple):
    """A batch of images (B, C, H, W) in [0, 1]."""

    clean: Tensor
    given: Tensor
    """The input of the model, with noise if there is any."""


@dataclass(kw_only=True, eq=False)
class Trained:
    """A trained model, its training split, and what is fitted to that: once, when it is first needed."""

    model: AutoEncoder
    """On the device."""
    split: Split
    """The training split; its images are on the device."""
    noise: Noise
    code_size: int
    device: Device
    settings: EvaluationSettings

    @cached_property
    def mean_image(self) -> Tensor:
        """(C, H, W) in [0, 1]."""
        return mean_image(self.split.images)

    @cached_property
    def pca(self) -> LinearAutoencoder | None:
        """Of the clean images, with as many components as the code has numbers; None if it would take too long."""
        return principal_components(self.split.images, components=self.code_size, device=self.device)

    @cached_property
    def linear_denoiser(self) -> LinearAutoencoder | None:
        """Of the rank of the code; None if it would take too long."""
        return linear_denoiser(self.split.images, noise=self.noise, components=self.code_size, device=self.device)


@dataclass(kw_only=True, eq=False)
class ScoredSplit:
    """A split to score, and the model that is scored."""

    name: str
    split: Split
    """Its images are on the device."""
    trained: Trained

    def pairs(self) -> Iterator[Pair]:
        """The images in batches, with the frozen noise of the split."""
        device, noise = self.trained.device, self.trained.noise
        generator = frozen_generator(device, split=self.name)
        for clean in batches(self.split.images, device=device):
            yield Pair(clean, noise(clean, generator=generator).images if noise.corrupts else clean)

    def errors(self, reconstruct: Callable[[Tensor], Tensor], *, noisy: bool) -> Tensor:
        """The mean squared error over pixels of each image, (N,), from the clean or the noisy to the clean images."""
        with torch.no_grad():
            found = [
                (reconstruct(pair.given if noisy else pair.clean) - pair.clean).square().flatten(1).mean(1)
                for pair in self.pairs()
            ]
        return torch.cat(found)
