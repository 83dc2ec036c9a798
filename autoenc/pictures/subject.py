"""What pictures are taken of: a trained model, its images, and what was kept of its training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoenc.data.datasets import Splits, shown_indices
from autoenc.data.noise import Noise
from autoenc.devices import Device
from autoenc.evaluation.batches import as_floats, batches
from autoenc.evaluation.fitted_codes import sampled_codes
from autoenc.evaluation.frozen_noise import Inputs, inputs
from autoenc.models.autoencoder import AutoEncoder, AutoEncoderOutput
from autoenc.models.bottlenecks.variational import active_units

MOST_FOLLOWED = 1000  # test images whose codes are kept during training


def followed_images(test_images: Tensor, *, figures: Sequence[str] | None) -> Tensor:
    """The test images (N, C, H, W) whose codes training keeps for `codes_over_epochs`: the first 1,000.

    Without that picture among the `figures` (None: every picture), none: every checkpoint stores the codes.
    """
    followed = figures is None or "codes_over_epochs" in figures
    return test_images[: MOST_FOLLOWED if followed else 0]


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A trained model and everything that its pictures may show."""

    model: AutoEncoder
    """In eval mode, on the device."""
    build_untrained: Callable[[], AutoEncoder]
    """Builds the model with the run's initial weights, on the CPU."""
    noise: Noise
    has_upsampling: bool
    """Whether the architecture has a way of upsampling to choose."""
    splits: Splits
    """Images on the device, or on the CPU if they do not fit there; labels on the CPU."""
    device: Device
    code_snapshots: Mapping[int, Tensor]
    """By epoch, the codes (M, code_size) of the `followed_images`, on the CPU; epoch 0 is before training."""
    shown_snapshots: Mapping[int, Tensor]
    """By epoch, the reconstructions (K, C, H, W) of the `shown` images, on the CPU."""
    projection: Literal["pca", "tsne"] = "pca"
    """How codes of more than two numbers are projected to a plane."""

    @cached_property
    def shown_indices(self) -> Tensor:
        """Which test images the pictures show, (K,): the same in every run on a dataset."""
        return shown_indices(self.splits.test.labels)

    @property
    def shown(self) -> Tensor:
        """The shown test images, (K, C, H, W) in [0, 1], on the device."""
        return as_floats(self.splits.test.images[self.shown_indices], device=self.device)

    @property
    def shown_names(self) -> tuple[str, ...]:
        """The names of their classes, (K,)."""
        return self.names_of(self.splits.test.labels[self.shown_indices])

    @property
    def shown_codes(self) -> Tensor:
        """Their codes, (K, code_size), on the CPU."""
        return self.codes(self.splits.test.images[self.shown_indices])

    def names_of(self, labels: Tensor) -> tuple[str, ...]:
        """The names of classes, (N,); empty texts if there is only one class, which says nothing."""
        names = self.splits.class_names if len(self.splits.class_names) > 1 else ("",)
        return tuple(names[label] for label in labels.tolist())

    @cached_property
    def finite_test_codes(self) -> Tensor:
        """The finite codes of all clean test images, (N, code_size), on the CPU."""
        return finite(self.codes(self.splits.test.images))

    @cached_property
    def collapsed_entries(self) -> Tensor:
        """Which entries of a variational model's code have collapsed, as the health report counts them.

        Bool (code_size,), on the CPU; False for other models.
        """
        if not self.model.bottleneck.variational:
            return torch.zeros(self.model.bottleneck.code_size, dtype=torch.bool)
        return ~active_units(finite(torch.cat([output.code.float().cpu() for output in self.test_outputs()])))

    @property
    def code_notes(self) -> tuple[str, ...]:
        """A sentence that says what the `codes` of a variational model are; empty for other models."""
        return ("Codes of variational models are posterior means.",) if self.model.bottleneck.variational else ()

    def codes(self, images: Tensor) -> Tensor:
        """The codes (N, code_size) of uint8 images (N, C, H, W), on the CPU.

        For a distribution, its mean.
        """
        return self._by_batches(images, self.model.encode)

    def sampled_codes(self, images: Tensor, *, split: str) -> Tensor:
        """As `codes`, but of a variational model a draw for each image. `split` freezes the draws."""
        return sampled_codes(self.model, images, split=split, device=self.device)

    def reconstructions(self, images: Tensor) -> Tensor:
        """The reconstructions (N, C, H, W), in [0, 1] scale, of uint8 images, on the CPU."""
        return self._by_batches(images, lambda batch: self.model(batch).reconstruction)

    def decode(self, codes: Tensor) -> Tensor:
        """Images (N, C, H, W) in [0, 1] scale from codes (N, code_size), on the CPU."""
        with torch.no_grad(), self.device.autocast():
            return self.model.decode(codes.to(self.device.torch_device)).float().cpu()

    def test_inputs(self) -> Iterator[Inputs]:
        """The test images as the model is given them for `summary.json`: with frozen noise if the run has noise."""
        return inputs(self.splits.test.images, noise=self.noise, split="test", device=self.device)

    def test_outputs(self) -> Iterator[AutoEncoderOutput]:
        """The model's outputs for these inputs, batch by batch."""
        for batch in self.test_inputs():
            with torch.no_grad(), self.device.autocast():
                output = self.model(batch.given)
            yield output

    def scored_test_batches(self) -> Iterator[ScoredBatch]:
        """The test images with their errors, whose mean `summary.json` has: `denoising_mse` with noise, else `mse`."""
        for clean, given, _ in self.test_inputs():
            with torch.no_grad(), self.device.autocast():
                made = self.model(given).reconstruction.float()
            errors = (made - clean).square().flatten(1).mean(1)
            yield ScoredBatch(clean.cpu(), given.cpu(), made.cpu(), errors.cpu())

    def untrained(self) -> AutoEncoder:
        """The model with its initial weights, on the device and in eval mode; the same on the same version of torch."""
        with torch.random.fork_rng():  # building draws the weights; the caller's random numbers stay untouched
            model = self.build_untrained()
        self.device.place(model)
        return model.eval()

    def _by_batches(self, images: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        with torch.no_grad(), self.device.autocast():
            return torch.cat([function(batch).float().cpu() for batch in batches(images, device=self.device)])


class ScoredBatch(NamedTuple):
    """A batch of test images and what the model made of them, on the CPU."""

    clean: Tensor  # (B, C, H, W) in [0, 1]
    given: Tensor  # (B, C, H, W): the model's input, with noise if the model was trained on noise
    made: Tensor  # (B, C, H, W) in [0, 1] scale
    errors: Tensor  # (B,): the mean squared error of each reconstruction; with noise, the denoising error


def finite(codes: Tensor) -> Tensor:
    """Those of the codes (N, code_size) whose numbers are all finite."""
    return codes[codes.isfinite().all(dim=1)]


def stored(images: Tensor) -> NDArray[np.float16]:
    """Images as a picture stores them: half precision keeps all of 256 grey levels apart."""
    return np.asarray(images.detach().cpu().half().numpy(), dtype=np.float16)
