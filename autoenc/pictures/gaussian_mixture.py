"""A mixture of Gaussians that is fitted to codes. Importing scikit-learn for it would take longer than many a run."""

from __future__ import annotations

import math
import warnings

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, MultivariateNormal, Normal

MOST_ROUNDS = 100
TOLERANCE = 1e-3
"""The fit ends when a round improves the mean log-likelihood by less, in nats."""

LEAST_VARIANCE = 1e-4
"""Added to the variances of each component: they are 0 along entries in which its codes are equal."""


def fit_mixture(codes: Tensor, *, components: int, full: bool, seed: int) -> MixtureSameFamily:
    """Fit a mixture of K `components` with full or diagonal covariances to codes (N, D), from the clusters of k-means.

    Expectation maximization: Dempster, Laird and Rubin 1977, Journal of the Royal Statistical Society B 39. The first
    centres: Arthur and Vassilvitskii 2007, k-means++: The Advantages of Careful Seeding, SODA.
    """
    from scipy.cluster.vq import kmeans2

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of empty clusters, if codes are repeated
        _, clusters = kmeans2(codes.numpy(), components, minit="++", seed=seed)
    mixture = _most_likely(codes, F.one_hot(torch.from_numpy(clusters).long(), components).double(), full=full)
    likelihood = -math.inf
    for _ in range(MOST_ROUNDS):
        before, likelihood = likelihood, mixture.log_prob(codes).mean().item()
        if likelihood - before < TOLERANCE:
            break
        mixture = _most_likely(codes, responsibilities(mixture, codes), full=full)
    return mixture


def responsibilities(mixture: MixtureSameFamily, codes: Tensor) -> Tensor:
    """The probability of each component, given the code: of codes (N, D), (N, K)."""
    joint = mixture.component_distribution.log_prob(codes[:, None]) + mixture.mixture_distribution.logits
    return joint.softmax(dim=1)


def _most_likely(codes: Tensor, shares: Tensor, *, full: bool) -> MixtureSameFamily:
    """The most likely mixture if its components produced these shares (N, K) of each code (N, D)."""
    sums = shares.sum(0) + 10 * torch.finfo(shares.dtype).eps  # a component may have no code
    means = shares.T @ codes / sums[:, None]  # (K, D)
    centred = codes - means[:, None]  # (K, N, D)
    weighted = centred * shares.T[..., None]
    if full:
        covariances = weighted.mT @ centred / sums[:, None, None]  # (K, D, D)
        regular = covariances + LEAST_VARIANCE * torch.eye(codes.shape[1], dtype=codes.dtype)
        return MixtureSameFamily(Categorical(sums), MultivariateNormal(means, regular))
    variances = (weighted * centred).sum(1) / sums[:, None] + LEAST_VARIANCE  # (K, D)
    return MixtureSameFamily(Categorical(sums), Independent(Normal(means, variances.sqrt()), 1))
