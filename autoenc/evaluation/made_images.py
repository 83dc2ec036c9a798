"""Images that a trained model makes of codes: samples, midpoints of two codes, and reconstructions.

They are compared with the images of a split, by the features of a classifier and by their pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from torch import Tensor

from autoenc.data.datasets import Split
from autoenc.evaluation.image_classifier import ImageClassifier
from autoenc.evaluation.probes import probe_indices
from autoenc.evaluation.sample_quality import (
    NEIGHBOURS,
    decoded,
    frechet_distance,
    improved_precision_recall,
    nearest_errors,
    radii,
    samples,
)
from autoenc.seeds import derived_seed

if TYPE_CHECKING:
    from autoenc.evaluation.scored_split import Trained

ImageSet = Literal["prior", "gaussian", "mixture", "midpoints", "reconstructions", "training_images", "overlays"]
"""Where images come from. The first three are decoded from random codes, and the last two are not of the model."""

MOST_BY_PIXELS = 1000
"""The most images whose nearest image is found by its pixels, and the most interpolations."""

INNER_STEPS = 5
"""Codes between the two ends of an interpolation, at even steps."""


class Similarity(NamedTuple):
    """How close images are to those of the split, by features."""

    precision: Tensor
    """Whether each of them is near an image of the split, bool (M,)."""
    recall: Tensor
    """Whether each image of the split is near one of them, bool (K,)."""
    realism: Tensor
    """Whether each of them is near an image of the split of the denser half, bool (M,)."""
    frechet_distance: float


class Pairs(NamedTuple):
    """Pairs of images of different classes, by their indices, int64 (P,)."""

    starts: Tensor
    ends: Tensor


@dataclass(kw_only=True, eq=False)
class MadeImages:
    """What a model makes of codes, and the images that it is compared with."""

    trained: Trained
    classifier: ImageClassifier
    split: Split
    """The images that are compared with, (K, C, H, W), of any device."""
    codes: Tensor
    """Their codes, (K, code_size), on the CPU; for a distribution, its mean."""
    _similarities: dict[ImageSet, Similarity | None] = field(default_factory=dict, init=False)

    def similarity(self, kind: ImageSet) -> Similarity | None:
        """Of as many images of a kind as are compared with; None without pairs, or without codes that vary."""
        if kind not in self._similarities:
            images = self._images(kind)
            self._similarities[kind] = None if images is None else self._similarity(images)
        return self._similarities[kind]

    @cached_property
    def pairs(self) -> Pairs | None:
        """Random pairs, at most as many as images, the same for every model; None if they are too few."""
        generator = torch.Generator().manual_seed(derived_seed(0, "pairs of images"))
        count, labels = len(self.split), self.split.labels
        # About a tenth of all pairs are of one of ten classes.
        starts, ends = torch.randint(count, (2, 2 * count), generator=generator)
        differ = labels[starts] != labels[ends]
        return Pairs(starts[differ][:count], ends[differ][:count]) if differ.sum() > NEIGHBOURS else None

    @cached_property
    def gaps(self) -> Tensor | None:
        """Whether each midpoint of two codes lies in no code's neighbourhood, bool (P,); None without pairs.

        A neighbourhood reaches to the code's k-th nearest neighbour, as for precision.
        """
        if self.pairs is None:
            return None
        return ~improved_precision_recall(self.codes.double(), self._between(0.5).double()).precision

    @cached_property
    def midpoint_error(self) -> float | None:
        """The error of decoded midpoints against the nearest image that is neither end, over that of reconstructions.

        The reconstructions are those of the starts, without the start itself. None without pairs, or if all images are
        equal.
        """
        if self.pairs is None:
            return None
        starts, ends = (indices[:MOST_BY_PIXELS] for indices in self.pairs)
        midpoints, reconstructions = (self._decoded(self._between(share)[:MOST_BY_PIXELS]) for share in (0.5, 0.0))
        images = self.split.images
        error = nearest_errors(midpoints, images, apart_from=torch.stack([starts, ends], dim=1)).mean()
        reference = nearest_errors(reconstructions, images, apart_from=starts[:, None]).mean()
        return _ratio(error, reference)

    @cached_property
    def interpolation_entropies(self) -> Tensor | None:
        """The classifier's entropy, averaged over inner steps from one image's code to the other's, (P,), in nats."""
        if self.pairs is None:
            return None
        shares = [step / (INNER_STEPS + 1) for step in range(1, INNER_STEPS + 1)]
        found = [self.classifier.entropies(self._decoded(self._between(share)[:MOST_BY_PIXELS])) for share in shares]
        return torch.stack(found).mean(0)

    @cached_property
    def reconstruction_entropies(self) -> Tensor:
        """The classifier's entropy for reconstructions, (K,), in nats."""
        return self.classifier.entropies(self._decoded(self.codes))

    def novelty(self, kind: Literal["samples", "copies"]) -> float | None:
        """The error of images against the nearest training image, over that of reconstructions of the split's images.

        `samples` are those from N(0, I) that are near an image of the split by their features, since any other shape
        would be new, too. `copies` are reconstructed training images. None without such samples, or if the latter error
        is 0.
        """
        if kind == "samples":
            near = self.similarity("prior")
            images = None if near is None else self._samples.cpu()[near.precision]  # synchronizes
            if images is None or not len(images):
                return None
            images = images[probe_indices(len(images), most=MOST_BY_PIXELS)]
        else:
            images = self._decoded(_some(self.trained.probed.codes))
        return _ratio(nearest_errors(images, self.trained.split.images).mean(), self._distance_from_training)

    @cached_property
    def sample_class_entropy(self) -> float:
        """The entropy of the classes that the classifier puts samples from N(0, I) into, in nats."""
        shares = self.classifier.classes(self._samples).bincount() / len(self._samples)
        return float(torch.special.entr(shares).sum())

    @cached_property
    def _samples(self) -> Tensor:
        """From N(0, I), as many as images, uint8 (K, C, H, W)."""
        trained = self.trained
        return samples(trained.model, len(self.split), code_size=self.codes.shape[1], device=trained.device)

    @cached_property
    def _distance_from_training(self) -> Tensor:
        """The mean error of reconstructions against the nearest training image."""
        return nearest_errors(self._decoded(_some(self.codes)), self.trained.split.images).mean()

    def _images(self, kind: ImageSet) -> Tensor | None:
        """As many as are compared with, or as pairs, uint8 (M, C, H, W)."""
        trained, count = self.trained, len(self.split)
        if kind == "prior":
            return self._samples
        if kind in ("gaussian", "mixture"):
            fitted = trained.fitted_codes[kind]
            generator = torch.Generator().manual_seed(derived_seed(0, "samples of fitted codes"))
            return None if fitted is None else self._decoded(fitted.sample(count, generator=generator))
        if kind in ("midpoints", "overlays"):
            if self.pairs is None:
                return None
            starts, ends = (self.split.images[indices].short() for indices in self.pairs)
            return self._decoded(self._between(0.5)) if kind == "midpoints" else ((starts + ends) // 2).byte()
        if kind == "reconstructions":
            return self._decoded(self.codes)
        return trained.split.images[probe_indices(len(trained.split), most=count)]

    def _similarity(self, images: Tensor) -> Similarity:
        made, (real, real_radii) = self.classifier.features(images), self._features
        near = improved_precision_recall(real, made, real_radii=real_radii)
        return Similarity(*near, frechet_distance(real, made))

    @cached_property
    def _features(self) -> tuple[Tensor, Tensor]:
        """Of the images that are compared with, (K, FEATURES), and their radii, (K,)."""
        features = self.classifier.features(self.split.images)
        return features, radii(features)

    def _between(self, share: float) -> Tensor:
        """Codes at a share of the way from one end of each pair to the other, (P, code_size)."""
        assert self.pairs is not None
        return torch.lerp(self.codes[self.pairs.starts], self.codes[self.pairs.ends], share)

    def _decoded(self, codes: Tensor) -> Tensor:
        return decoded(self.trained.model, codes, device=self.trained.device)


def _some(codes: Tensor) -> Tensor:
    """At most `MOST_BY_PIXELS` of codes, which may be sorted by class."""
    return codes[probe_indices(len(codes), most=MOST_BY_PIXELS)]


def _ratio(error: Tensor, reference: Tensor) -> float | None:
    return float(error / reference) if reference > 0 else None
