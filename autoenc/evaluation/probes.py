"""Probes: how well simple methods recover the classes of images from vectors, such as codes, pixels or PCA's codes.

The model never sees the labels. A high accuracy shows that its codes keep the classes apart.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from autoenc.seeds import derived_seed

INVERSE_PENALTY = 0.1
"""Of the linear probe, as scikit-learn's `C`: the weight of the summed errors next to half the squared weights."""

TOLERANCE = 1e-3
"""The linear probe is fitted when no slope of its loss is larger."""

MOST_STEPS = 100
"""Of the linear probe. On Fashion-MNIST's pixels, more than these change the accuracy by 0.002."""

NEIGHBOURS = 5

STARTS = 10
"""Random starts of k-means; the one with the lowest squared distance counts."""

ROWS = 1000
"""Vectors whose distances are computed at a time. It bounds the memory."""


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
    """Multinomial logistic regression with an L2 penalty, on columns that are standardized as in `fitted_on`.

    Alain and Bengio 2016, Understanding intermediate layers using linear classifier probes, arXiv:1610.01644. The
    result is that of scikit-learn's `LogisticRegression`, whose import would take a second, on the vectors' device.
    """
    from scipy.optimize import minimize

    mean, deviation = fitted_on.vectors.mean(0), fitted_on.vectors.std(0, correction=0)
    scale = torch.where(deviation > 0, deviation, 1)
    inputs = (fitted_on.vectors - mean) / scale  # (N, D)
    classes, targets = fitted_on.labels.unique(return_inverse=True)
    one_hot = F.one_hot(targets).T.to(inputs)  # (K, N)
    count, size = inputs.shape
    penalty = 1 / (INVERSE_PENALTY * count)

    def parameters(flat: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
        """Weights (K, D) and intercepts (K, 1)."""
        weights, intercepts = torch.from_numpy(flat).to(inputs).view(len(classes), size + 1).split((size, 1), dim=1)
        return weights, intercepts

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """The cross-entropy and the penalty, and their gradient."""
        weights, intercepts = parameters(flat)
        logits = weights @ inputs.T + intercepts  # (K, N)
        errors = logits.logsumexp(0) - (logits * one_hot).sum(0)
        residuals = (logits.softmax(0) - one_hot) / count
        slopes = torch.cat([residuals @ inputs + penalty * weights, residuals.sum(1, keepdim=True)], dim=1)
        loss = errors.mean() + 0.5 * penalty * weights.square().sum()
        return loss.item(), slopes.flatten().cpu().double().numpy()  # synchronizes, after training

    options = {"maxiter": MOST_STEPS, "gtol": TOLERANCE}
    found = minimize(objective, np.zeros(one_hot.shape[0] * (size + 1)), jac=True, method="L-BFGS-B", options=options)
    weights, intercepts = parameters(found.x)
    return lambda vectors: classes[(weights @ ((vectors - mean) / scale).T + intercepts).argmax(0).cpu()]


def nearest_neighbours(fitted_on: Labelled, *, neighbours: int = NEIGHBOURS) -> Predict:
    """The class that is most frequent among the nearest neighbours by Euclidean distance.

    Of equally frequent classes the first counts. Fix and Hodges 1951, Discriminatory Analysis.
    """
    mean = fitted_on.vectors.mean(0)  # `cdist` loses digits if the vectors are far from 0
    references, count = fitted_on.vectors - mean, min(neighbours, len(fitted_on.vectors))

    def predict(vectors: Tensor) -> Tensor:
        found = [
            torch.cdist(rows - mean, references).topk(count, largest=False).indices.cpu()
            for rows in vectors.split(ROWS)
        ]
        return fitted_on.labels[torch.cat(found)].mode(dim=1).values

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
        clusters = kmeans.fit_predict(scored.vectors.cpu().numpy())
    shared = np.zeros((len(classes), len(classes)), dtype=np.int64)  # images by cluster and class
    np.add.at(shared, (clusters, labels), 1)
    matched = linear_sum_assignment(shared, maximize=True)
    return float(shared[matched].sum() / len(labels))
