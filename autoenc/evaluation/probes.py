"""Probes: how well simple methods recover the classes of images from vectors, such as codes, pixels or PCA's codes.

The model never sees the labels. A high accuracy shows that its codes keep the classes apart.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from threadpoolctl import threadpool_limits
from torch import Tensor

from autoenc.seeds import derived_seed
from autoenc.uncompiled import uncompiled

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

MOST_COMPARED = 1000
"""Vectors whose distances to the neighbours are in memory together."""

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
    """Which of `count` images are measured or fitted to, int64 (N,): at most so many, in rising order.

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

    It gives the classes of scikit-learn's `LogisticRegression` after `PCA(whiten=True)` or `StandardScaler`, whose
    import takes longer than many a run.
    """
    vectors = fitted_on.vectors.cpu().double()  # synchronizes
    whitens = len(vectors) >= FEWEST_TO_WHITEN * vectors.shape[1]
    normalize = _whitening(vectors) if whitens else _standardization(vectors)
    classes, targets = fitted_on.labels.unique(return_inverse=True)
    parameters = _regression(normalize(vectors), targets, tolerance=TOLERANCE if whitens else 10 * TOLERANCE)
    return lambda others: classes[_logits(normalize(others.cpu().double()), parameters).argmax(1)]  # synchronizes


def _whitening(vectors: Tensor) -> Callable[[Tensor], Tensor]:
    """From vectors (M, D) to vectors (M, K) whose covariance matrix is the identity for the given vectors (N, D)."""
    mean = vectors.mean(0)
    _, lengths, directions = torch.linalg.svd(vectors - mean, full_matrices=False)
    deviations = _not_zero(lengths / math.sqrt(len(vectors) - 1))
    return lambda others: (others - mean) @ directions.T / deviations


def _standardization(vectors: Tensor) -> Callable[[Tensor], Tensor]:
    """From vectors (M, D) to vectors (M, D) whose entries have mean 0 and variance 1 for the given vectors (N, D)."""
    mean, deviations = vectors.mean(0), _not_zero(vectors.std(0, correction=0))
    return lambda others: (others - mean) / deviations


def _not_zero(deviations: Tensor) -> Tensor:
    """Standard deviations to divide by; those of constant numbers, which are rounding errors, become 1."""
    return torch.where(deviations > torch.finfo(torch.float32).eps, deviations, 1)


def _regression(vectors: Tensor, targets: Tensor, *, tolerance: float) -> Tensor:
    """The parameters of a logistic regression, whose classes (N,) are numbered from 0.

    Returns:
        the weights and, in the last row, the bias of each logit, (D + 1, K); for two classes, K is 1.
    """
    (count, size), classes = vectors.shape, int(targets.max()) + 1
    parameters = vectors.new_zeros(size + 1, classes if classes > 2 else 1, requires_grad=True)
    penalty = 1 / (2 * INVERSE_PENALTY * count)
    optimizer = uncompiled(torch.optim.LBFGS)(
        [parameters],
        max_iter=MOST_STEPS,
        tolerance_grad=tolerance,
        tolerance_change=64 * torch.finfo(vectors.dtype).eps,
        history_size=10,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.cross_entropy(_logits(vectors, parameters), targets) + penalty * parameters[:-1].square().sum()
        value.backward()
        return value

    # Threads would wait for each other: the matrices of a step are small.
    with threadpool_limits(1):
        optimizer.step(loss)
    return parameters.detach()


def _logits(vectors: Tensor, parameters: Tensor) -> Tensor:
    """Of each class, (N, classes); of two classes, the logit of the first one is 0."""
    logits = torch.addmm(parameters[-1], vectors, parameters[:-1])
    return F.pad(logits, (1, 0)) if logits.shape[1] == 1 else logits


def nearest_neighbours(fitted_on: Labelled, *, neighbours: int = NEIGHBOURS) -> Predict:
    """The class that is most frequent among the nearest neighbours by Euclidean distance.

    Of equally frequent classes the first counts. Fix and Hodges 1951, Discriminatory Analysis.
    """
    # In float32, distances between vectors far from the origin would be coarse.
    vectors, count = fitted_on.vectors.cpu().double(), min(neighbours, len(fitted_on.vectors))  # synchronizes
    half_squares = vectors.square().sum(1) / 2
    classes, labels = fitted_on.labels.unique(return_inverse=True)

    def nearest(part: Tensor) -> Tensor:
        # Half the squared distances, without half the squared length of a vector of the part: it changes no order.
        return torch.addmm(half_squares, part, vectors.T, alpha=-1).topk(count, largest=False).indices

    def predict(others: Tensor) -> Tensor:
        parts = others.cpu().double().split(MOST_COMPARED)  # synchronizes
        found = torch.cat([nearest(part) for part in parts])
        predicted: Tensor = classes[F.one_hot(labels[found], len(classes)).sum(1).argmax(1)]
        return predicted

    return predict


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
