"""The mixture of Gaussians against scikit-learn's, which takes long to import."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.mixture import GaussianMixture as Reference

from autoenc.pictures.gaussian_mixture import LEAST_VARIANCE, GaussianMixture


@pytest.fixture(scope="module")
def codes() -> np.ndarray:
    """The digits' 16 principal components, standardized, (1797, 16)."""
    images = load_digits().data
    centred = images - images.mean(0)
    projected = centred @ np.linalg.svd(centred, full_matrices=False)[2][:16].T
    return np.asarray(projected / projected.std(0))


@pytest.mark.parametrize(("components", "full"), [(10, True), (10, False), (3, True), (1, True), (1, False)])
@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_that_of_scikit_learn(codes: np.ndarray, components: int, full: bool, seed: int) -> None:
    shape = "full" if full else "diag"
    expected = Reference(components, covariance_type=shape, reg_covar=LEAST_VARIANCE, random_state=seed).fit(codes)
    found = GaussianMixture.fit(codes, components=components, full=full, seed=seed)
    for name in ("weights", "means", "covariances"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, f"{name}_"), rtol=1e-8, atol=1e-10)
    assert found.mean_log_likelihood(codes[:100]) == pytest.approx(expected.score(codes[:100]), rel=1e-10)
    np.testing.assert_allclose(found.sample(64, seed=seed), expected.sample(64)[0], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("full", [True, False])
def test_two_clusters_are_found(full: bool) -> None:
    random = np.random.default_rng(0)
    places = np.array([[-5.0, 0.0], [5.0, 2.0]])
    codes = places[np.arange(2000) % 2] + random.normal(size=(2000, 2)) * [0.5, 1.0]
    found = GaussianMixture.fit(codes, components=2, full=full, seed=0)
    np.testing.assert_allclose(found.weights, [0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(found.means[found.means[:, 0].argsort()], places, atol=0.1)
    variances = [np.diag(each) for each in found.covariances] if full else found.covariances
    np.testing.assert_allclose(variances, [[0.25, 1.0]] * 2, rtol=0.1)


def test_more_components_than_different_codes_are_no_error() -> None:
    codes = np.repeat([[0.0, 1.0], [1.0, 0.0]], 50, axis=0)
    found = GaussianMixture.fit(codes, components=5, full=True, seed=0)
    assert np.isfinite(found.mean_log_likelihood(codes))
    assert np.isfinite(found.sample(20, seed=0)).all()
