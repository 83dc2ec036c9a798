"""The mixture of Gaussians against scikit-learn's, which takes long to import."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.mixture import GaussianMixture as Reference
from torch import Tensor

from autoenc.pictures.gaussian_mixture import LEAST_VARIANCE, fit_mixture, responsibilities


@pytest.fixture(scope="module")
def codes() -> Tensor:
    """The digits' 16 principal components, standardized, (1797, 16)."""
    images = torch.from_numpy(load_digits().data)
    centred = images - images.mean(0)
    projected = centred @ torch.linalg.svd(centred, full_matrices=False)[2][:16].T
    return projected / projected.std(0)


@pytest.mark.parametrize(("components", "full"), [(10, True), (10, False), (3, True), (1, True), (1, False)])
def test_scikit_learn_finds_the_same_mixture_from_there(codes: Tensor, components: int, full: bool) -> None:
    """A further round of scikit-learn's, from the mixture that was found, hardly improves it."""
    found = fit_mixture(codes, components=components, full=full, seed=0)
    means = found.component_distribution.mean
    inverse = found.component_distribution.precision_matrix if full else 1 / found.component_distribution.variance
    expected = Reference(
        components,
        covariance_type="full" if full else "diag",
        reg_covar=LEAST_VARIANCE,
        weights_init=found.mixture_distribution.probs.numpy(),
        means_init=means.numpy(),
        precisions_init=inverse.numpy(),
    ).fit(codes.numpy())
    likelihood = found.log_prob(codes).mean().item()
    assert likelihood <= expected.score(codes.numpy()) < likelihood + 0.02
    np.testing.assert_allclose(means, expected.means_, atol=0.05)


@pytest.mark.parametrize("full", [True, False])
def test_responsibilities_and_densities_are_scikit_learns(codes: Tensor, full: bool) -> None:
    found = fit_mixture(codes, components=4, full=full, seed=0)
    expected = Reference(4, covariance_type="full" if full else "diag")
    inverse = found.component_distribution.precision_matrix if full else 1 / found.component_distribution.variance
    expected.weights_ = found.mixture_distribution.probs.numpy()
    expected.means_ = found.component_distribution.mean.numpy()
    expected.precisions_cholesky_ = (torch.linalg.cholesky(inverse) if full else inverse.sqrt()).numpy()
    np.testing.assert_allclose(found.log_prob(codes), expected.score_samples(codes.numpy()), rtol=1e-6)
    np.testing.assert_allclose(responsibilities(found, codes), expected.predict_proba(codes.numpy()), atol=1e-6)


@pytest.mark.parametrize("full", [True, False])
def test_two_clusters_are_found(full: bool) -> None:
    random = np.random.default_rng(0)
    places = np.array([[-5.0, 0.0], [5.0, 2.0]])
    codes = torch.from_numpy(places[np.arange(2000) % 2] + random.normal(size=(2000, 2)) * [0.5, 1.0])
    found = fit_mixture(codes, components=2, full=full, seed=0)
    order = found.component_distribution.mean[:, 0].argsort()
    np.testing.assert_allclose(found.mixture_distribution.probs, [0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(found.component_distribution.mean[order], places, atol=0.1)
    np.testing.assert_allclose(found.component_distribution.variance[order], [[0.25, 1.0]] * 2, rtol=0.1)


def test_the_seed_decides(codes: Tensor) -> None:
    first, again, other = (fit_mixture(codes, components=5, full=True, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.component_distribution.mean, again.component_distribution.mean)
    assert not torch.equal(first.component_distribution.mean, other.component_distribution.mean)


@pytest.mark.parametrize("full", [True, False])
def test_more_components_than_different_codes_are_no_error(full: bool) -> None:
    codes = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64).repeat(50, 1)
    found = fit_mixture(codes, components=5, full=full, seed=0)
    assert found.log_prob(codes).isfinite().all()
    assert found.sample((20,)).isfinite().all()
