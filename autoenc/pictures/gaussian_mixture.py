"""A mixture of Gaussians that is fitted to codes.

It is that of scikit-learn's `GaussianMixture` for the same seed, up to rounding errors. Importing scikit-learn takes
longer than the fit.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_ROUNDS = 100
TOLERANCE = 1e-3
"""The fit ends when a round improves the mean log-likelihood by less."""

MOST_CLUSTERINGS = 300
CLUSTER_TOLERANCE = 1e-4
"""k-means ends when its centres move by less, as the sum of squares relative to the mean variance of the entries."""

LEAST_VARIANCE = 1e-4
"""Added to the variances of each component: they are 0 along entries in which its codes are equal."""


class GaussianMixture(NamedTuple):
    """K Gaussians of D dimensions, and their weights."""

    weights: Floats
    """(K,), with the sum 1."""
    means: Floats
    """(K, D)."""
    covariances: Floats
    """Full, (K, D, D), or the diagonals, (K, D)."""

    @classmethod
    def fit(cls, codes: Floats, *, components: int, full: bool, seed: int) -> Self:
        """Fit a mixture with full or diagonal covariances to codes (N, D), from the clusters of k-means.

        Expectation maximization: Dempster, Laird and Rubin 1977, Journal of the Royal Statistical Society B 39.
        """
        clusters = _clusters(codes, count=components, random=np.random.RandomState(seed))
        mixture, likelihood = cls._of(codes, np.eye(components)[clusters], full=full), -math.inf
        for _ in range(MOST_ROUNDS):
            densities = mixture._log_densities(codes)
            totals = np.logaddexp.reduce(densities, axis=1)
            mixture = cls._of(codes, np.exp(densities - totals[:, None]), full=full)
            before, likelihood = likelihood, float(totals.mean())
            if abs(likelihood - before) < TOLERANCE:
                break
        return mixture

    @classmethod
    def _of(cls, codes: Floats, shares: Floats, *, full: bool) -> Self:
        """The most likely mixture if the components produced these shares (N, K) of each code."""
        sums = shares.sum(0) + 10 * np.finfo(float).eps  # of no code if the codes are repeated
        means = shares.T @ codes / sums[:, None]
        covariances = []
        for share, total, mean in zip(shares.T, sums, means, strict=True):
            centred = codes - mean
            if full:
                covariances.append((share * centred.T) @ centred / total + LEAST_VARIANCE * np.eye(len(mean)))
            else:
                covariances.append(share @ np.square(centred) / total + LEAST_VARIANCE)
        return cls(sums / sums.sum(), means, np.stack(covariances))

    def _log_densities(self, codes: Floats) -> Floats:
        """Of each code and component, weighted, (N, K)."""
        found = []
        for weight, mean, covariance in zip(*self, strict=True):
            if covariance.ndim == 2:
                root = np.linalg.cholesky(covariance)
                standardized, deviations = (codes - mean) @ np.linalg.inv(root).T, root.diagonal()
            else:
                deviations = np.sqrt(covariance)
                standardized = (codes - mean) / deviations
            normalization = np.log(deviations).sum() + len(mean) * math.log(2 * math.pi) / 2
            found.append(np.log(weight) - normalization - np.square(standardized).sum(1) / 2)
        return np.stack(found, axis=1)

    def mean_log_likelihood(self, codes: Floats) -> float:
        """Of codes (N, D), in nats per code."""
        return float(np.logaddexp.reduce(self._log_densities(codes), axis=1).mean())

    def sample(self, count: int, *, seed: int) -> Floats:
        """Random codes (count, D), one component after the other."""
        random = np.random.RandomState(seed)
        counts = random.multinomial(count, self.weights)
        drawn = []
        for mean, covariance, number in zip(self.means, self.covariances, counts, strict=True):
            if covariance.ndim == 2:
                drawn.append(random.multivariate_normal(mean, covariance, number))
            else:
                drawn.append(mean + random.standard_normal((number, len(mean))) * np.sqrt(covariance))
        return np.concatenate(drawn)


def _clusters(codes: Floats, *, count: int, random: np.random.RandomState) -> NDArray[np.intp]:
    """The cluster of each code (N, D) by k-means, (N,).

    Lloyd 1982, IEEE Transactions on Information Theory 28, from the centres of `_spread_centres`.
    """
    codes = codes - codes.mean(0)
    centres = _spread_centres(codes, count=count, random=random)
    tolerance = CLUSTER_TOLERANCE * codes.var(0).mean()
    clusters = _nearest(codes, centres)
    for _ in range(MOST_CLUSTERINGS):
        sizes = np.bincount(clusters, minlength=count)[:, None]
        sums = np.eye(count)[clusters].T @ codes
        moved = np.where(sizes > 0, sums / np.maximum(sizes, 1), centres)
        shift, centres = np.square(moved - centres).sum(), moved
        before, clusters = clusters, _nearest(codes, centres)
        if shift <= tolerance or np.array_equal(before, clusters):
            break
    return clusters


def _nearest(codes: Floats, centres: Floats) -> NDArray[np.intp]:
    nearest: NDArray[np.intp] = (np.square(centres).sum(1) - 2 * codes @ centres.T).argmin(1)
    return nearest


def _spread_centres(codes: Floats, *, count: int, random: np.random.RandomState) -> Floats:
    """Centres (count, D): random codes, drawn in proportion to the squared distance to the nearest centre so far.

    Of a few draws, that with the lowest remaining sum of squared distances counts. Arthur and Vassilvitskii 2007,
    k-means++: The Advantages of Careful Seeding, SODA, section 6.
    """
    centres = [codes[random.choice(len(codes), p=np.full(len(codes), 1 / len(codes)))]]
    distances = np.square(codes - centres[0]).sum(1)
    for _ in range(1, count):
        drawn = random.uniform(size=2 + int(math.log(count))) * distances.sum()
        candidates = codes[np.searchsorted(distances.cumsum(), drawn).clip(max=len(codes) - 1)]
        remaining = [np.minimum(distances, np.square(codes - candidate).sum(1)) for candidate in candidates]
        best = int(np.argmin([each.sum() for each in remaining]))
        centres.append(candidates[best])
        distances = remaining[best]
    return np.stack(centres)
