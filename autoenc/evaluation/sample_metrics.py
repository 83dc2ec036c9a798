"""Metrics of images that are not of the data set: those that the model makes of codes, and another data set's."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

from autoenc.evaluation.metric import Metric, full_metric

if TYPE_CHECKING:
    from torch import Tensor

    from autoenc.evaluation.made_images import ImageSet, Similarity
    from autoenc.evaluation.scored_split import ScoredSplit


def classifier_hits(scored: ScoredSplit) -> Tensor | None:
    """1 for each image that the classifier puts into its class, else 0, (N,)."""
    if scored.made_images is None:
        return None
    return _on_device(scored.made_images.classifier.correct(scored.split), scored)


def precision(scored: ScoredSplit, *, images: ImageSet) -> Tensor | None:
    """1 for each of the images among those of the split, else 0, (M,)."""
    found = _similarity(scored, images)
    return None if found is None else _on_device(found.precision, scored)


def recall(scored: ScoredSplit, *, images: ImageSet) -> Tensor | None:
    """1 for each image of the split among the images, else 0, (K,)."""
    found = _similarity(scored, images)
    return None if found is None else _on_device(found.recall, scored)


def realism(scored: ScoredSplit, *, images: ImageSet) -> Tensor | None:
    """1 for each of the images among those of the split of the denser half, else 0, (M,)."""
    found = _similarity(scored, images)
    return None if found is None else _on_device(found.realism, scored)


def frechet_distance(scored: ScoredSplit, *, images: ImageSet) -> float | None:
    """See `autoenc.evaluation.sample_quality`."""
    found = _similarity(scored, images)
    return None if found is None else found.frechet_distance


def _similarity(scored: ScoredSplit, images: ImageSet) -> Similarity | None:
    return None if scored.made_images is None else scored.made_images.similarity(images)


def novelty(scored: ScoredSplit, *, kind: Literal["samples", "copies"]) -> float | None:
    """See `autoenc.evaluation.made_images`."""
    return None if scored.made_images is None else scored.made_images.novelty(kind)


def sample_class_entropy(scored: ScoredSplit) -> float | None:
    """See `autoenc.evaluation.made_images`."""
    return None if scored.made_images is None else scored.made_images.sample_class_entropy


def midpoint_error(scored: ScoredSplit) -> float | None:
    """See `autoenc.evaluation.made_images`."""
    return None if scored.made_images is None else scored.made_images.midpoint_error


def code_gaps(scored: ScoredSplit) -> Tensor | None:
    """1 for each midpoint of two codes that no code is near, else 0, (P,)."""
    found = None if scored.made_images is None else scored.made_images.gaps
    return None if found is None else _on_device(found, scored)


def interpolation_entropies(scored: ScoredSplit) -> Tensor | None:
    """Of each interpolation, (P,)."""
    found = None if scored.made_images is None else scored.made_images.interpolation_entropies
    return None if found is None else _on_device(found, scored)


def reconstruction_entropies(scored: ScoredSplit) -> Tensor | None:
    """Of each reconstruction, (K,)."""
    if scored.made_images is None:
        return None
    return _on_device(scored.made_images.reconstruction_entropies, scored)


def _on_device(values: Tensor, scored: ScoredSplit) -> Tensor:
    return values.to(scored.trained.device.torch_device).float()


def outlier_auroc_by_error(scored: ScoredSplit) -> float | None:
    """By the squared error; None without another data set."""
    from autoenc.evaluation.outliers import auroc, squared_errors

    return auroc(scored, squared_errors)


def outlier_auroc_by_elbo(scored: ScoredSplit) -> float | None:
    """By the negative ELBO; None without another data set, and for a model that is not variational."""
    from autoenc.evaluation.outliers import auroc, negative_elbos

    return auroc(scored, negative_elbos) if scored.trained.model.bottleneck.variational else None


_FEATURES = "features of a classifier trained on the training split"
_IMAGE_SETS: dict[ImageSet, str] = {
    "prior": "samples from N(0, I)",
    "gaussian": "samples from a Gaussian fitted to training codes",
    "mixture": "samples from a mixture of 10 Gaussians fitted to training codes",
    "midpoints": "decoded midpoints of the codes of two images of different classes",
    "reconstructions": "reconstructions",
    "training_images": "training images",
    "overlays": "averages of two images of different classes",
}
_REFERENCES: tuple[ImageSet, ...] = ("training_images", "overlays")
"""What perfect samples would reach, and what images that show no class reach."""
_COUNT = "at most 10,000 of each"
_FRECHET = f"on {_FEATURES}, not Inception's, {_COUNT}"
_NEAR = f"by 3 nearest neighbours on {_FEATURES}, {_COUNT}"


def _similarity_metrics(images: ImageSet) -> Iterator[Metric]:
    """How close images are to those of the split."""
    described, is_reference = _IMAGE_SETS[images], images in _REFERENCES
    suffix = "" if images == "prior" else f"_{images}"
    measures: tuple[tuple[str, str, Callable[..., Tensor | float | None]], ...] = (
        ("frechet_distance", f"squared Fréchet distance of {described} and images: {_FRECHET}", frechet_distance),
        ("precision", f"share of {described} near an image: {_NEAR}", precision),
        (
            "realism",
            f"share of {described} near one of the half of images with the nearest neighbours: {_NEAR}",
            realism,
        ),
        ("recall", f"share of images near {described}: {_NEAR}", recall),
    )
    for name, unit, function in measures:
        is_distance = function is frechet_distance
        yield full_metric(
            name=f"classifier_{name}{suffix}",
            unit=unit,
            better=None if is_reference else "lower" if is_distance else "higher",
            per_split=functools.partial(function, images=images),
            scale="log" if is_distance else "linear",
            depends_on=("dataset.split_seed",),
        )


def _outlier_auroc(name: str, per_split: Callable[[ScoredSplit], float | None], *, score: str) -> Metric:
    return full_metric(
        name=f"outlier_auroc_{name}",
        unit=f"AUROC of detecting images of evaluation.other_dataset by their {score}: share of pairs in which the "
        f"other data set's image has the larger {score}, ties count half",
        better="higher",
        per_split=per_split,
        depends_on=("evaluation.other_dataset",),
    )


SAMPLE_METRICS: tuple[Metric, ...] = (
    full_metric(
        name="classifier_accuracy",
        unit="accuracy of the classifier whose features measure the samples: trained on the training split",
        per_split=classifier_hits,
    ),
    *(metric for images in _IMAGE_SETS for metric in _similarity_metrics(images)),
    full_metric(
        name="sample_class_entropy_nats",
        unit="nats of entropy of the classes of samples from N(0, I): as a classifier sees them",
        better="higher",
        per_split=sample_class_entropy,
        depends_on=("dataset.split_seed",),
    ),
    full_metric(
        name="sample_novelty",
        unit="error of samples from N(0, I) against the nearest training image: relative to that of reconstructions of "
        "held-out images",
        per_split=functools.partial(novelty, kind="samples"),
        depends_on=("dataset.split_seed",),
    ),
    full_metric(
        name="copy_novelty",
        unit="error of reconstructed training images against the nearest training image: relative to that of "
        "reconstructions of held-out images, what sample_novelty would be of copies",
        per_split=functools.partial(novelty, kind="copies"),
        depends_on=("dataset.split_seed", "evaluation.probe_images"),
    ),
    full_metric(
        name="code_gap_share",
        unit="share of midpoints of the codes of two images of different classes that no code is near: by 3 nearest "
        "neighbours, as for precision",
        better="lower",
        per_split=code_gaps,
    ),
    full_metric(
        name="midpoint_error",
        unit="mse of decoded midpoints against the nearest image: of the codes of two images of different classes, "
        "relative to reconstructions against the nearest other image",
        better="lower",
        per_split=midpoint_error,
    ),
    full_metric(
        name="interpolation_entropy_nats",
        unit="nats of entropy of a classifier along interpolations: between the codes of two images of different "
        "classes, averaged over 5 inner steps",
        better="lower",
        per_split=interpolation_entropies,
        depends_on=("dataset.split_seed",),
    ),
    full_metric(
        name="reconstruction_entropy_nats",
        unit="nats of entropy of a classifier for reconstructions: the ends of interpolations",
        better="lower",
        per_split=reconstruction_entropies,
        depends_on=("dataset.split_seed",),
    ),
    _outlier_auroc("mse", outlier_auroc_by_error, score="mse"),
    _outlier_auroc("elbo", outlier_auroc_by_elbo, score="negative ELBO"),
)
