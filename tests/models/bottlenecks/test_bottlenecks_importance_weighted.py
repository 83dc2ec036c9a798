"""The importance-weighted bound between the evidence lower bound and the likelihood itself."""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, Normal

from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks.variational import (
    DiagonalGaussian,
    Gaussian,
    GaussianSettings,
    ImportanceWeighted,
    ImportanceWeightedSettings,
)
from autoenc.models.losses import LOSSES

STD = 0.6
GAUSSIAN = Gaussian(GaussianSettings(beta=1.0, warmup_epochs=0.0, free_bits=0.0, samples=1), code_size=2)


def importance_weighted(samples: int) -> ImportanceWeighted:
    return ImportanceWeighted(ImportanceWeightedSettings(samples=samples), code_size=2)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class LinearGaussian(NamedTuple):
    """p(x | z) = N(W z + b, STD^2 I): everything about it has a closed form."""

    model: AutoEncoder
    images: Tensor

    @classmethod
    def build(cls, *, samples: int) -> LinearGaussian:
        torch.manual_seed(0)
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(4, 4))
        decoder = nn.Sequential(nn.Linear(2, 4), nn.Unflatten(1, (1, 2, 2)))
        loss = LOSSES.parse({"name": "gaussian", "variance": "fixed", "std": STD, "min_std": 0.01})
        model = AutoEncoder(
            encoder,
            decoder,
            bottleneck=importance_weighted(samples),
            loss=loss.build(image_shape=(1, 2, 2)),
        ).double()
        return cls(model, torch.rand(3, 1, 2, 2, generator=generator(), dtype=torch.float64))

    def log_likelihood(self) -> Tensor:
        """(B,)."""
        weight, bias = (self.model.get_parameter(f"decoder.0.{name}") for name in ("weight", "bias"))
        noise = STD**2 * torch.eye(4, dtype=torch.float64)
        likelihood: Tensor = MultivariateNormal(bias, weight @ weight.T + noise).log_prob(self.images.flatten(1))
        return likelihood

    def bound(self, *, seed: int, samples: int | None = None) -> Tensor:
        """Of each image, (B,)."""
        draws = self.model.draw(self.images, generator=generator(seed), samples=samples)
        output = self.model(self.images, draws=draws)
        errors = self.model._errors(output, target=self.images, corrupted=None)
        return -self.model.bottleneck.combine(errors, output.penalty)


@torch.no_grad()
def test_at_one_sample_it_is_the_elbo_with_a_sampled_divergence() -> None:
    system = LinearGaussian.build(samples=1)
    model, images = system
    draws = model.draw(images, generator=generator())
    assert draws is not None
    posterior = DiagonalGaussian.from_features(model.encoder(images))
    codes = posterior.sample(draws)[0]  # (B, 2)
    reconstructed = model.decoder(codes).flatten(1)
    likelihood = Normal(reconstructed, STD).log_prob(images.flatten(1)).sum(1)
    prior = Normal(0.0, 1.0).log_prob(codes).sum(1)
    own = Normal(posterior.mean, torch.exp(posterior.log_variance / 2)).log_prob(codes).sum(1)
    torch.testing.assert_close(system.bound(seed=0), likelihood - (own - prior))
    objective = model.objective(model(images, draws=draws), target=images).loss
    torch.testing.assert_close(objective, -(likelihood - own + prior).mean())


@torch.no_grad()
def test_with_many_samples_it_is_the_likelihood() -> None:
    system = LinearGaussian.build(samples=5)
    bound = system.bound(seed=0, samples=200_000)
    torch.testing.assert_close(bound, system.log_likelihood(), atol=0.01, rtol=0)


def test_it_is_finite_where_likelihoods_are_not() -> None:
    bottleneck = importance_weighted(2)
    errors = torch.tensor([[5000.0], [5001.0]])
    expected = 5000 - math.log((1 + math.exp(-1)) / 2)
    assert bottleneck.combine(errors, torch.zeros(2, 1)).item() == pytest.approx(expected)


def test_as_many_samples_are_drawn_outside_training() -> None:
    bottleneck = importance_weighted(7).eval()
    assert bottleneck.draw(torch.zeros(3, 4), generator=generator()).shape == (7, 3, 2)


def test_its_divergence_is_the_closed_form_whatever_was_drawn() -> None:
    features = torch.randn(3, 4, generator=generator())
    bottleneck = importance_weighted(7)
    sampled = bottleneck(features, draws=bottleneck.draw(features, generator=generator()))
    expected = GAUSSIAN(features)
    assert torch.equal(sampled.divergence, expected.divergence)
    assert sampled.penalty.shape == (7, 3)
    without = bottleneck(features)
    assert torch.equal(without.penalty, expected.penalty)
    assert torch.equal(without.samples, expected.samples)
