"""Probes: how well simple methods recover the classes of images from vectors, such as codes, pixels or PCA's codes.

The model never sees the labels. A high accuracy shows that its codes keep the classes apart.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from autoenc.seeds import derived_seed

INVERSE_PENALTY = 0.1
"""Of the linear probe, as scikit-learn's `C`: the weight of the summed errors next to half the squared weights."""

TOLERANCE = 1e-3
"""The linear probe is fitted when no slope of its loss is larger. A tenth of this accuracy is enough for standardized
vectors: on Fashion-MNIST's pixels it is reached five times as fast, and the accuracy is 0.005 higher."""

FEWEST_TO_WHITEN = 10
"""Images for each number of a vector."""

MOST_STEPS = 100
"""Of the linear probe."""

NEIGHBOURS = 5

STARTS = 10
"""Random starts of k-means; the one with the lowest squared distance counts."""


class Labelled(NamedTuple):
    """Vectors with their classes."""

    vectors: Tensor
    """Float, (N, D), on any device."""
    labels: Tensor
    """int64 (N,), on the CPU."""


Predict = Callable[[Tensor], Tensor]
"""From vectors (M, D) to the classes that a probe predicts, int64 (M,), on the CPU."""


def probe_indices(count: int, *, most: int | None) -> Tensor:
    """Which of `count` training images the probes are fitted to, int64 (N,): at most so many, in rising order.

    The draw is frozen, so every run on a training split uses the same images. Files are often sorted by class, so the
    first images would not do.
    """
    if most is None or count <= most:
        return torch.arange(count)
    generator = torch.Generator().manual_seed(derived_seed(0, "images for probes"))
    return torch.randperm(count, generator=generator)[:most].sort().values


def linear_probe(fitted_on: Labelled) -> Predict:
    """Multinomial logistic regression with an L2 penalty.

    Alain and Bengio 2016, Understanding intermediate layers using linear classifier probes, arXiv:1610.01644. Vectors
    are whitened as in `fitted_on`, so that the penalty does not prefer codes without correlations, such as PCA's. Too
    few images for that, as for pixels, are standardized instead.
    """
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    count, size = fitted_on.vectors.shape
    if count >= FEWEST_TO_WHITEN * size:
        regression = LogisticRegression(C=INVERSE_PENALTY, tol=TOLERANCE, max_iter=MOST_STEPS)
        return _fitted(make_pipeline(PCA(whiten=True, svd_solver="full"), regression), fitted_on)
    regression = LogisticRegression(C=INVERSE_PENALTY, tol=10 * TOLERANCE, max_iter=MOST_STEPS)
    return _fitted(make_pipeline(StandardScaler(), regression), fitted_on)


def nearest_neighbours(fitted_on: Labelled, *, neighbours: int = NEIGHBOURS) -> Predict:
    """The class that is most frequent among the nearest neighbours by Euclidean distance.

    Of equally frequent classes the first counts. Fix and Hodges 1951, Discriminatory Analysis.
    """
    from sklearn.neighbors import KNeighborsClassifier

    count = min(neighbours, len(fitted_on.vectors))
    return _fitted(KNeighborsClassifier(count, algorithm="brute"), fitted_on)


def _fitted(classifier: Any, fitted_on: Labelled) -> Predict:
    """A classifier of scikit-learn, fitted."""
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    # Threads would wait for each other: the matrices of a step are small.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # `MOST_STEPS` bounds the time
        warnings.simplefilter("ignore", RuntimeWarning)  # constant vectors have no variance to explain
        classifier.fit(fitted_on.vectors.cpu().numpy(), fitted_on.labels.numpy())  # synchronizes
    return lambda vectors: torch.from_numpy(classifier.predict(vectors.cpu().numpy()))  # synchronizes


def kmeans_accuracy(scored: Labelled) -> float:
    """The share of images whose k-means cluster is the one matched to their class.

    Xie, Girshick and Farhadi 2016, Unsupervised Deep Embedding for Clustering Analysis, ICML, equation 10. There are as
    many clusters as classes among the labels, matched one to one so that the share is the largest. The clusters are
    fitted to the scored vectors themselves.
    """
    from scipy.optimize import linear_sum_assignment
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    classes, labels = np.unique(scored.labels.numpy(), return_inverse=True)
    kmeans = KMeans(len(classes), n_init=STARTS, random_state=derived_seed(0, "k-means") % 2**32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # there may be fewer different vectors than clusters
        clusters = kmeans.fit_predict(scored.vectors.cpu().numpy())  # synchronizes
    shared = np.zeros((len(classes), len(classes)), dtype=np.int64)  # images by cluster and class
    np.add.at(shared, (clusters, labels), 1)
    matched = linear_sum_assignment(shared, maximize=True)
    return float(shared[matched].sum() / len(labels))
