"""Metrics of images that are not of the data set: samples of the model, and another data set's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from autoenc.evaluation.metric import Metric, full_metric

if TYPE_CHECKING:
    from torch import Tensor

    from autoenc.evaluation.scored_split import ScoredSplit


def classifier_hits(scored: ScoredSplit) -> Tensor | None:
    """1 for each image that the classifier puts into its class, else 0, (N,)."""
    if scored.compared is None or scored.trained.classifier is None:
        return None
    correct = scored.trained.classifier.correct(scored.split)
    return correct.to(scored.trained.device.torch_device).float()


def precision(scored: ScoredSplit) -> Tensor | None:
    """1 for each sample among the real images, else 0, (K,)."""
    found = scored.precision_recall
    return None if found is None else found.precision.to(scored.trained.device.torch_device).float()


def recall(scored: ScoredSplit) -> Tensor | None:
    """1 for each real image among the samples, else 0, (K,)."""
    found = scored.precision_recall
    return None if found is None else found.recall.to(scored.trained.device.torch_device).float()


def frechet_distance(scored: ScoredSplit) -> float | None:
    """See `autoenc.evaluation.sample_quality`."""
    from autoenc.evaluation.sample_quality import frechet_distance as distance

    return None if scored.compared is None else distance(*scored.compared)


def outlier_auroc_by_error(scored: ScoredSplit) -> float | None:
    """By the squared error; None without another data set."""
    from autoenc.evaluation.outliers import auroc, squared_errors

    return auroc(scored, squared_errors)


def outlier_auroc_by_elbo(scored: ScoredSplit) -> float | None:
    """By the negative ELBO; None without another data set, and for a model that is not variational."""
    from autoenc.evaluation.outliers import auroc, negative_elbos

    return auroc(scored, negative_elbos) if scored.trained.model.bottleneck.variational else None


_FEATURES = "features of a classifier trained on the training split"
_COUNT = "with as many samples from N(0, I) as images, at most 10,000"


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
    full_metric(
        name="classifier_frechet_distance",
        unit=f"squared Fréchet distance of samples and images: on {_FEATURES}, not Inception's, {_COUNT}",
        better="lower",
        per_split=frechet_distance,
        scale="log",
        depends_on=("dataset.split_seed",),
    ),
    full_metric(
        name="classifier_precision",
        unit=f"share of samples near an image: by 3 nearest neighbours on {_FEATURES}, {_COUNT}",
        better="higher",
        per_split=precision,
        depends_on=("dataset.split_seed",),
    ),
    full_metric(
        name="classifier_recall",
        unit=f"share of images near a sample: by 3 nearest neighbours on {_FEATURES}, {_COUNT}",
        better="higher",
        per_split=recall,
        depends_on=("dataset.split_seed",),
    ),
    _outlier_auroc("mse", outlier_auroc_by_error, score="mse"),
    _outlier_auroc("elbo", outlier_auroc_by_elbo, score="negative ELBO"),
)
