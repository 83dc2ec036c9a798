"""A mixture of Gaussians that is fitted to codes. Importing scikit-learn for it would take longer than many a run."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

K_MEANS_ROUNDS = 10
MOST_ROUNDS = 100
TOLERANCE = 1e-3
"""The fit ends when a round improves the mean log-likelihood by less, in nats."""

LEAST_VARIANCE = 1e-4
"""Added to the variances of each component: they are 0 along entries in which its codes are equal."""


class GaussianMixture(NamedTuple):
    """K Gaussians of D dimensions."""

    weights: Tensor
    """(K,), with the sum 1."""
    means: Tensor
    """(K, D)."""
    factors: Tensor
    """The Cholesky factors of full covariances, (K, D, D), or the standard deviations of diagonal ones, (K, D)."""

    def log_densities(self, codes: Tensor) -> Tensor:
        """The log-density of codes (N, D) under each component times its weight, (N, K)."""
        centred = codes - self.means[:, None]  # (K, N, D)
        if self.factors.ndim == 3:
            standardized = torch.linalg.solve_triangular(self.factors, centred.mT, upper=False).mT
            deviations = self.factors.diagonal(dim1=1, dim2=2)
        else:
            standardized, deviations = centred / self.factors[:, None], self.factors
        normalization = deviations.log().sum(1) + codes.shape[1] * math.log(2 * math.pi) / 2 - self.weights.log()
        log_densities: Tensor = -(standardized.square().sum(2) / 2 + normalization[:, None]).T
        return log_densities

    def log_density(self, codes: Tensor) -> Tensor:
        """Of codes (N, D), (N,)."""
        return self.log_densities(codes).logsumexp(dim=1)

    def sample(self, count: int, *, generator: torch.Generator) -> Tensor:
        """Random codes, (count, D)."""
        components = self.weights.multinomial(count, replacement=True, generator=generator)
        means, factors = self.means[components], self.factors[components]
        noise = torch.randn(means.shape, dtype=means.dtype, generator=generator)
        return means + (factors * noise if factors.ndim == 2 else (factors @ noise[..., None])[..., 0])


def fit_mixture(codes: Tensor, *, components: int, full: bool, seed: int) -> GaussianMixture:
    """Fit a mixture of K `components` with full or diagonal covariances to codes (N, D), from the clusters of k-means.

    Expectation maximization: Dempster, Laird and Rubin 1977, Journal of the Royal Statistical Society B 39. The first
    centres: Arthur and Vassilvitskii 2007, k-means++: The Advantages of Careful Seeding, SODA.
    """
    shares = _k_means(codes, components, generator=torch.Generator().manual_seed(seed))
    likelihood = -math.inf
    for _ in range(MOST_ROUNDS):
        mixture = _most_likely(codes, shares, full=full)
        densities = mixture.log_densities(codes)
        before, likelihood = likelihood, densities.logsumexp(dim=1).mean().item()
        if likelihood - before < TOLERANCE:
            break
        shares = densities.softmax(dim=1)
    return mixture


def _k_means(codes: Tensor, count: int, *, generator: torch.Generator) -> Tensor:
    """For each code (N, D), 1 for its cluster and 0 for the others, (N, count)."""
    centres = codes[torch.randint(len(codes), (1,), generator=generator)]
    while len(centres) < count:
        squares = torch.cdist(codes, centres).amin(1).square() + LEAST_VARIANCE  # all are 0 if codes are repeated
        centres = torch.cat([centres, codes[squares.multinomial(1, generator=generator)]])
    for _ in range(K_MEANS_ROUNDS):
        shares = F.one_hot(torch.cdist(codes, centres).argmin(1), count).to(codes.dtype)
        sizes = shares.sum(0)[:, None]
        centres = torch.where(sizes > 0, shares.T @ codes / sizes, centres)
    return shares


def _most_likely(codes: Tensor, shares: Tensor, *, full: bool) -> GaussianMixture:
    """The most likely mixture if its components produced these shares (N, K) of each code (N, D)."""
    sums = shares.sum(0) + 10 * torch.finfo(shares.dtype).eps  # a component may have no code
    means = shares.T @ codes / sums[:, None]
    centred = codes - means[:, None]  # (K, N, D)
    weighted = centred * shares.T[..., None]
    if full:
        covariances = weighted.mT @ centred / sums[:, None, None]
        covariances += LEAST_VARIANCE * torch.eye(codes.shape[1], dtype=codes.dtype)
        return GaussianMixture(sums / sums.sum(), means, torch.linalg.cholesky(covariances))
    variances = (weighted * centred).sum(1) / sums[:, None] + LEAST_VARIANCE
    return GaussianMixture(sums / sums.sum(), means, variances.sqrt())
