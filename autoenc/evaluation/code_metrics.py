"""Metrics of the codes: how well they separate the classes, and how they are distributed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from autoenc.evaluation.metric import HELD_OUT, Metric, full_metric

if TYPE_CHECKING:
    from torch import Tensor

    from autoenc.evaluation.scored_split import Representation, ScoredSplit


def linear_probe_hits(scored: ScoredSplit, *, representation: Representation) -> Tensor | None:
    """1 for each image whose class a linear probe predicts, else 0, (N,); None without two classes."""
    from autoenc.evaluation.probes import linear_probe

    return scored.hits(linear_probe, representation=representation)


def knn_hits(scored: ScoredSplit, *, representation: Representation) -> Tensor | None:
    """1 for each image whose class its nearest neighbours have, else 0, (N,); None without two classes."""
    from autoenc.evaluation.probes import nearest_neighbours

    return scored.hits(nearest_neighbours, representation=representation)


def kmeans_accuracy(scored: ScoredSplit) -> float | None:
    """See `autoenc.evaluation.probes`; None without two classes."""
    from autoenc.evaluation.probes import Labelled
    from autoenc.evaluation.probes import kmeans_accuracy as accuracy

    labels = scored.split.labels
    return accuracy(Labelled(scored.codes, labels)) if len(labels.unique()) > 1 else None


def effective_rank(scored: ScoredSplit) -> float:
    """See `autoenc.evaluation.code_distribution`."""
    from autoenc.evaluation.code_distribution import effective_rank as rank

    return rank(scored.codes)


def mutual_information(scored: ScoredSplit) -> Tensor | None:
    """Terms of its estimate, (N,); None for a model that is not variational."""
    return None if scored.posterior is None else scored.mutual_information


def aggregate_divergence(scored: ScoredSplit) -> Tensor | None:
    """Terms of the KL divergence of the aggregate posterior, (N,); None for a model that is not variational."""
    if scored.posterior is None:
        return None
    return scored.posterior.divergences().sum(1).to(scored.mutual_information) - scored.mutual_information


def _probe(name: str, hits: Callable[..., Tensor | None], *, of: Representation) -> Metric:
    """The accuracy of a probe of a representation."""
    prefix, short_name, given = {
        "codes": ("", "", "the codes"),
        "pca": ("pca_", "PCA codes", "PCA codes of the same size"),
        "pixels": ("pixels_", "pixels", "pixels"),
    }[of]
    probe = {"linear_probe": "logistic regression", "knn": "the majority of the 5 nearest neighbours"}[name]
    return Metric(
        name=f"{prefix}{name}_accuracy",
        short_name=short_name,
        unit=f"accuracy of {probe} on {given}: fitted to at most {{probe_images}} training images",
        better=None if prefix else "higher",
        per_split=functools.partial(hits, representation=of),
        baselines=() if prefix else (f"pixels_{name}_accuracy", f"pca_{name}_accuracy"),
        splits=("test",) if prefix else HELD_OUT,
        input="clean",
        depends_on=("dataset.split_seed", "evaluation.probe_images"),
    )


CODE_METRICS: tuple[Metric, ...] = (
    _probe("linear_probe", linear_probe_hits, of="codes"),
    _probe("linear_probe", linear_probe_hits, of="pca"),
    _probe("linear_probe", linear_probe_hits, of="pixels"),
    _probe("knn", knn_hits, of="codes"),
    _probe("knn", knn_hits, of="pca"),
    _probe("knn", knn_hits, of="pixels"),
    full_metric(
        name="kmeans_accuracy",
        unit="accuracy of k-means on the codes: share of images in the cluster that is matched to their class, with as "
        "many clusters as classes",
        better="higher",
        per_split=kmeans_accuracy,
    ),
    full_metric(
        name="effective_rank",
        unit="dimensions that the codes use: the exponential of the entropy of their singular values, centred",
        per_split=effective_rank,
    ),
    full_metric(
        name="mutual_information_nats",
        unit="nats between an image and its code: at most the logarithm of the number of images",
        per_split=mutual_information,
    ),
    full_metric(
        name="aggregate_kl_nats",
        unit="nats from the codes of all images to N(0, I): the KL divergence of the mixture of posteriors, which is "
        "their mean divergence minus mutual_information_nats",
        better="lower",
        per_split=aggregate_divergence,
    ),
)
