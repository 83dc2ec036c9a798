"""The mixture of Gaussians against scikit-learn's, which takes long to import."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.mixture import GaussianMixture as Reference
from torch import Tensor

from autoenc.evaluation.gaussian_mixture import LEAST_VARIANCE, GaussianMixture, fit_mixture


@pytest.fixture(scope="module")
def codes() -> Tensor:
    """The digits' 16 principal components, standardized, (1797, 16)."""
    images = torch.from_numpy(load_digits().data)
    centred = images - images.mean(0)
    projected = centred @ torch.linalg.svd(centred, full_matrices=False)[2][:16].T
    standardized: Tensor = projected / projected.std(0)
    return standardized


def reference(found: GaussianMixture) -> Reference:
    """scikit-learn's mixture with these parameters."""
    full = found.factors.ndim == 3
    inverse = torch.cholesky_inverse(found.factors) if full else found.factors**-2.0
    reference = Reference(
        len(found.weights),
        covariance_type="full" if full else "diag",
        reg_covar=LEAST_VARIANCE,
        weights_init=found.weights.numpy(),
        means_init=found.means.numpy(),
        precisions_init=inverse.numpy(),
    )
    reference.weights_, reference.means_ = found.weights.numpy(), found.means.numpy()
    reference.precisions_cholesky_ = (torch.linalg.inv(found.factors).mT if full else 1 / found.factors).numpy()
    return reference


@pytest.mark.parametrize(("components", "full"), [(10, True), (10, False), (3, True), (1, True), (1, False)])
def test_scikit_learn_finds_the_same_mixture_from_there(codes: Tensor, components: int, full: bool) -> None:
    """Further rounds of scikit-learn's, from the mixture that was found, hardly improve it."""
    found = fit_mixture(codes, components=components, full=full, seed=0)
    expected = reference(found).fit(codes.numpy())
    likelihood = found.log_density(codes).mean().item()
    assert likelihood - 1e-9 <= expected.score(codes.numpy()) < likelihood + 0.02
    np.testing.assert_allclose(found.means, expected.means_, atol=0.1)


@pytest.mark.parametrize("full", [True, False])
def test_densities_are_scikit_learns(codes: Tensor, full: bool) -> None:
    found = fit_mixture(codes, components=4, full=full, seed=0)
    expected = reference(found)
    np.testing.assert_allclose(found.log_density(codes), expected.score_samples(codes.numpy()), rtol=1e-9)
    shares = found.log_densities(codes).softmax(dim=1)
    np.testing.assert_allclose(shares, expected.predict_proba(codes.numpy()), atol=1e-9)


@pytest.mark.parametrize("full", [True, False])
def test_samples_have_the_moments_of_the_mixture(codes: Tensor, full: bool) -> None:
    found = fit_mixture(codes[:, :3], components=4, full=full, seed=0)
    drawn = found.sample(200_000, generator=torch.Generator().manual_seed(0))
    within = found.factors @ found.factors.mT if full else torch.diag_embed(found.factors**2)
    mean = found.weights @ found.means
    apart = found.means - mean
    covariance = torch.einsum("k,kij->ij", found.weights, within + apart[:, :, None] * apart[:, None])
    np.testing.assert_allclose(drawn.mean(0), mean, atol=0.02)
    np.testing.assert_allclose(drawn.T.cov(), covariance, atol=0.03)


@pytest.mark.parametrize("full", [True, False])
def test_two_clusters_are_found(full: bool) -> None:
    random = np.random.default_rng(0)
    places = np.array([[-5.0, 0.0], [5.0, 2.0]])
    codes = torch.from_numpy(places[np.arange(2000) % 2] + random.normal(size=(2000, 2)) * [0.5, 1.0])
    found = fit_mixture(codes, components=2, full=full, seed=0)
    order = found.means[:, 0].argsort()
    variances = (found.factors @ found.factors.mT).diagonal(dim1=1, dim2=2) if full else found.factors**2
    np.testing.assert_allclose(found.weights, [0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(found.means[order], places, atol=0.1)
    np.testing.assert_allclose(variances[order], [[0.25, 1.0]] * 2, rtol=0.1)


def test_the_seed_decides(codes: Tensor) -> None:
    first, again, other = (fit_mixture(codes, components=5, full=True, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.means, again.means)
    assert not torch.equal(first.means, other.means)


@pytest.mark.parametrize("full", [True, False])
def test_more_components_than_different_codes_are_no_error(full: bool) -> None:
    codes = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64).repeat(50, 1)
    found = fit_mixture(codes, components=5, full=full, seed=0)
    assert (found.log_density(codes) > 5).all()  # each different code has a component of its own
    assert found.sample(20, generator=torch.Generator()).isfinite().all()
