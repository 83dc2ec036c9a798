"""The input of a metric of a whole split: a trained model, the split, and what was fitted to the training split."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoenc.data.datasets import Split
from autoenc.data.noise import Noise
from autoenc.data.noise.pixels import NoNoise
from autoenc.devices import Device
from autoenc.evaluation.baselines import (
    MOST_DIMENSIONS,
    LinearAutoencoder,
    linear_denoiser,
    mean_image,
    principal_components,
)
from autoenc.evaluation.batches import batches
from autoenc.evaluation.code_distribution import mutual_information, posteriors
from autoenc.evaluation.evaluation_settings import EvaluationSettings
from autoenc.evaluation.fitted_codes import FittedCodes, fit_codes, sampled_codes
from autoenc.evaluation.frozen_noise import inputs
from autoenc.evaluation.image_classifier import ImageClassifier, train_classifier
from autoenc.evaluation.made_images import MadeImages
from autoenc.evaluation.power_spectrum import power_spectrum
from autoenc.evaluation.probes import Labelled, Predict, probe_indices
from autoenc.evaluation.sample_quality import NEIGHBOURS
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks.variational import DiagonalGaussian
from autoenc.seeds import derived_seed

Representation = Literal["codes", "pca", "pixels"]
"""What a probe is given: the model's codes, the codes of PCA, or the pixels."""

MOST_COMPARED = 10_000
"""The most images that are compared with those that a model makes. The time grows with the square."""

MOST_TRANSFORMED = 2000
"""The most images whose spectra are measured."""


@dataclass(kw_only=True, eq=False)
class Trained:
    """A trained model, its training split, and the baselines and probes of that split, fitted when first needed."""

    model: AutoEncoder
    """On the device."""
    split: Split
    """The training split; its images are on the device, or on the CPU if they do not fit there."""
    noise: Noise
    code_size: int
    device: Device
    settings: EvaluationSettings
    other: Split | None = None
    """Images of another data set in the same shape."""
    _probes: dict[tuple[Callable[[Labelled], Predict], Representation], Predict] = field(
        default_factory=dict, init=False
    )

    @cached_property
    def mean_image(self) -> Tensor:
        """(C, H, W) in [0, 1]."""
        return mean_image(self.split.images, device=self.device)

    @cached_property
    def pca(self) -> LinearAutoencoder | None:
        """Of the clean images, with as many components as the code has numbers; None if it would take too long."""
        return principal_components(self.split.images, components=self.code_size, device=self.device)

    @cached_property
    def linear_denoiser(self) -> LinearAutoencoder | None:
        """Of the rank of the code; None if it would take too long."""
        return linear_denoiser(self.split.images, noise=self.noise, components=self.code_size, device=self.device)

    @cached_property
    def probed(self) -> ScoredSplit:
        """The training images that probes are fitted to."""
        chosen = probe_indices(len(self.split), most=self.settings.probe_images)
        return ScoredSplit(name="train", split=self.split.take(chosen), trained=self)

    def probe(self, fit: Callable[[Labelled], Predict], *, representation: Representation) -> Predict | None:
        """A fitted probe; None if the training images have fewer than two classes, or are too large."""
        key = fit, representation
        if key not in self._probes:
            vectors, labels = self.probed.vectors(representation), self.probed.split.labels
            if vectors is None or len(labels.unique()) < 2:
                return None
            self._probes[key] = fit(Labelled(vectors, labels))
        return self._probes[key]

    @cached_property
    def fitted_codes(self) -> dict[Literal["gaussian", "mixture"], FittedCodes | None]:
        """A Gaussian and a mixture fitted to sampled codes of at most `MOST_COMPARED` training images."""
        images = self.split.images[probe_indices(len(self.split), most=MOST_COMPARED)]
        codes = sampled_codes(self.model, images, split="train", device=self.device)
        return {"gaussian": fit_codes(codes, components=1), "mixture": fit_codes(codes)}

    @cached_property
    def classifier(self) -> ImageClassifier | None:
        """A classifier of the training images; None if these have fewer than two classes."""
        if len(self.split.labels.unique()) < 2:
            return None
        return train_classifier(self.split)


@dataclass(kw_only=True, eq=False)
class ScoredSplit:
    """A split to score, and the model that is scored."""

    name: str
    split: Split
    trained: Trained

    def batches(self) -> Iterator[Tensor]:
        """The clean images, (B, C, H, W) in [0, 1]."""
        return batches(self.split.images, device=self.trained.device)

    def errors(self, reconstruct: Callable[[Tensor], Tensor], *, noisy: bool) -> Tensor:
        """The mean squared error over pixels of each image, (N,), from the clean or the noisy to the clean images."""
        noise = self.trained.noise if noisy else NoNoise()
        found = inputs(self.split.images, noise=noise, split=self.name, device=self.trained.device)
        with torch.no_grad():
            return torch.cat([(reconstruct(given) - clean).square().flatten(1).mean(1) for clean, given, _ in found])

    @cached_property
    def codes(self) -> Tensor:
        """The codes of the clean images, (N, code_size), float32; for a distribution, its mean."""
        trained = self.trained
        with trained.model.evaluating(), trained.device.autocast():
            return torch.cat([trained.model.encode(clean).float() for clean in self.batches()])

    def vectors(self, representation: Representation) -> Tensor | None:
        """The clean images as vectors, float32 (N, D); None if the images are too large."""
        if representation == "codes":
            return self.codes
        if representation == "pixels":
            pixels = self.split.images.flatten(1)
            return pixels.float() / 255 if pixels.shape[1] <= MOST_DIMENSIONS else None
        pca = self.trained.pca
        return None if pca is None else torch.cat([pca.encode(clean) for clean in self.batches()])

    def hits(self, fit: Callable[[Labelled], Predict], *, representation: Representation) -> Tensor | None:
        """1 for each image that a probe puts into its class, else 0, (N,); None if it cannot be fitted."""
        predict = self.trained.probe(fit, representation=representation)
        if predict is None:
            return None
        vectors = None if representation == "pixels" else self.vectors(representation)
        # As floats, the pixels of all images may not fit into memory.
        parts = (clean.flatten(1) for clean in self.batches()) if vectors is None else [vectors]
        found = torch.cat([predict(part) for part in parts])
        return (found == self.split.labels).float().to(self.trained.device.torch_device)

    @cached_property
    def spectra(self) -> Spectra:
        """Of at most `MOST_TRANSFORMED` clean images."""
        images = self.split.images[probe_indices(len(self.split), most=MOST_TRANSFORMED)]
        model, device = self.trained.model, self.trained.device
        with model.evaluating(), device.autocast():
            made = torch.cat([model(clean).reconstruction.float() for clean in batches(images, device=device)])
        pixels = images.cpu().numpy() / 255  # synchronizes
        errors = made.cpu().numpy() - pixels  # synchronizes
        return Spectra(power_spectrum(pixels), power_spectrum(errors))

    @cached_property
    def posterior(self) -> DiagonalGaussian | None:
        """The distributions of the codes of the clean images, (N, code_size); None if these have none."""
        trained = self.trained
        if not trained.model.bottleneck.variational:
            return None
        return posteriors(trained.model, self.split.images, device=trained.device)

    @cached_property
    def mutual_information(self) -> Tensor:
        """Terms whose mean is that of images and codes, in nats, (N,); for a variational model."""
        assert self.posterior is not None
        generator = torch.Generator().manual_seed(derived_seed(0, f"mutual information on {self.name}"))
        draws = torch.randn(self.posterior.mean.shape, generator=generator, dtype=torch.float64)
        terms = mutual_information(self.posterior, samples=self.posterior.sample(draws))
        return terms.float().to(self.trained.device.torch_device)

    @cached_property
    def made_images(self) -> MadeImages | None:
        """What the model makes of codes, next to at most `MOST_COMPARED` images of the split.

        None for images without classes, or so few that they have too few neighbours.
        """
        trained, count = self.trained, len(self.split)
        if count <= NEIGHBOURS or len(trained.split) <= NEIGHBOURS or trained.classifier is None:
            return None
        chosen = probe_indices(count, most=MOST_COMPARED)
        codes = self.codes[chosen.to(self.codes.device)].cpu()  # synchronizes
        return MadeImages(trained=trained, classifier=trained.classifier, split=self.split.take(chosen), codes=codes)


class Spectra(NamedTuple):
    """Power spectra, (F, F) each: see `power_spectrum`."""

    images: NDArray[np.float64]
    errors: NDArray[np.float64]
    """Of the differences between the reconstructions and the images."""
