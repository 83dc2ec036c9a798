"""The distribution of codes, against closed forms and numerical integration."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import Tensor, nn

from autoenc.evaluation import code_distribution
from autoenc.evaluation.code_distribution import effective_rank, mutual_information, posteriors
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks import BOTTLENECKS
from autoenc.models.bottlenecks.variational import DiagonalGaussian
from autoenc.models.losses.likelihoods import GaussianLikelihood
from tests.devices import cpu


def gaussians(means: Tensor, deviations: Tensor) -> DiagonalGaussian:
    return DiagonalGaussian(means.double(), 2 * deviations.double().log())


def drawn(posterior: DiagonalGaussian, *, seed: int = 0) -> Tensor:
    """A code of each posterior, (N, d)."""
    draws = torch.randn(posterior.mean.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return posterior.sample(draws)


def information(posterior: DiagonalGaussian) -> float:
    return mutual_information(posterior, samples=drawn(posterior)).mean().item()


# --- the effective rank ---


@pytest.mark.parametrize("used", [1, 3, 8])
def test_the_effective_rank_counts_directions_of_equal_spread(used: int) -> None:
    # Plus and minus each axis, rotated and moved: `used` equal singular values.
    points = torch.cat([torch.eye(8), -torch.eye(8)])[[*range(used), *range(8, 8 + used)]]
    rotation = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(0))).Q
    assert effective_rank(points @ rotation + 5) == pytest.approx(used, abs=1e-4)


def test_the_effective_rank_is_that_of_unequal_singular_values() -> None:
    points = torch.tensor([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])  # singular values in the ratio 3 to 1
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert effective_rank(points) == pytest.approx(math.exp(entropy))
    assert effective_rank(torch.ones(5, 3)) == 0


# --- posteriors ---


def test_the_posteriors_of_a_model_are_those_of_all_its_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoenc.evaluation.batches.BATCH_SIZE", 2)
    encoder = nn.Linear(1, 2)
    with torch.no_grad():
        encoder.weight.copy_(torch.tensor([[2.0], [0.0]]))
        encoder.bias.copy_(torch.tensor([0.0, 15 * math.atanh(math.log(0.25) / 15)]))
    settings = {"name": "gaussian", "samples": 1, "beta": 1.0, "warmup_epochs": 0.0, "free_bits": 0.0}
    model = AutoEncoder(
        nn.Sequential(nn.Flatten(), encoder),
        nn.Unflatten(1, (1, 1, 1)),
        bottleneck=BOTTLENECKS.parse(settings).build(code_size=1),
        loss=GaussianLikelihood(std=1.0),
    )
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).view(3, 1, 1, 1)
    found = posteriors(model, images, device=cpu())
    assert found.mean.dtype == torch.float64
    torch.testing.assert_close(found.mean.flatten(), torch.tensor([0.0, 0.4, 2.0]).double())
    torch.testing.assert_close(found.log_variance.exp().flatten(), torch.full((3,), 0.25).double())


# --- mutual information ---


def test_codes_that_are_the_same_for_all_images_say_nothing() -> None:
    same = gaussians(torch.full((50, 3), 0.7), torch.full((50, 3), 2.0))
    torch.testing.assert_close(mutual_information(same, samples=drawn(same)), torch.zeros(50).double())


def test_codes_that_are_far_apart_name_their_image() -> None:
    apart = gaussians(10.0 * torch.arange(64)[:, None].expand(64, 2), torch.full((64, 2), 0.01))
    terms = mutual_information(apart, samples=drawn(apart))
    torch.testing.assert_close(terms, torch.full((64,), math.log(64)).double(), rtol=1e-5, atol=0)


def test_the_information_of_a_few_gaussians_is_that_of_numerical_integration() -> None:
    means, deviations, repeats = [-1.0, 0.5, 2.0], [0.5, 1.5, 0.3], 700
    grid = np.linspace(-12, 14, 100_001)
    densities = norm.pdf(grid[None], np.array(means)[:, None], np.array(deviations)[:, None])
    mixture = densities.mean(axis=0)
    ratios = np.log(np.maximum(densities, 1e-300)) - np.log(mixture)
    exact = float(np.trapezoid(densities * ratios, grid, axis=1).mean())
    # Each image many times over: the mixture is the same, and the mean is over many codes.
    posterior = gaussians(
        torch.tensor(means).repeat(repeats)[:, None], torch.tensor(deviations).repeat(repeats)[:, None]
    )
    terms = mutual_information(posterior, samples=drawn(posterior))
    error = (terms.std() / len(terms) ** 0.5).item()
    assert error < 0.02
    assert terms.mean().item() == pytest.approx(exact, abs=4 * error)
    assert 0.3 < exact < math.log(3)


def test_the_information_is_the_divergence_where_the_aggregate_posterior_is_the_prior() -> None:
    # Means from N(0, 1 - s^2) and a variance of s^2 make N(0, 1), so KL(q(z) || p(z)) is 0 up to the number of images.
    deviation, count = 0.8, 2000
    means = torch.from_numpy(norm.ppf((np.arange(count) + 0.5) / count) * (1 - deviation**2) ** 0.5)[:, None]
    posterior = gaussians(means, torch.full((count, 1), deviation))
    divergence = posterior.divergences().sum(1).mean().item()
    assert divergence == pytest.approx(-math.log(deviation), abs=0.01)
    assert information(posterior) == pytest.approx(divergence, abs=0.03)


def test_the_information_is_computed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    posterior = gaussians(torch.randn(37, 2, generator=torch.Generator().manual_seed(1)), torch.full((37, 2), 0.5))
    whole = information(posterior)
    monkeypatch.setattr(code_distribution, "MOST_PAIRS", 100)
    assert information(posterior) == pytest.approx(whole, rel=1e-12)


def test_narrow_posteriors_far_from_the_origin_keep_their_digits() -> None:
    posterior = gaussians(100 + torch.tensor([[0.0], [0.001]]).repeat(500, 1), torch.full((1000, 1), 0.001))
    near = gaussians(posterior.mean - 100, torch.full((1000, 1), 0.001))
    assert information(posterior) == pytest.approx(information(near), abs=1e-4)
