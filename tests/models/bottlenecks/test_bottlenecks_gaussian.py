"""The variational bottleneck against closed forms, finite differences and its plain twin."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks.variational import LOG_VARIANCE_LIMIT, DiagonalGaussian, Gaussian, GaussianSettings
from autoenc.models.losses.likelihoods import GaussianLikelihood


def gaussian(*, code_size: int = 3, **fields: Any) -> Gaussian:
    settings: dict[str, Any] = {"beta": 1.0, "warmup_epochs": 0.0, "free_bits": 0.0, "samples": 1, **fields}
    return Gaussian(GaussianSettings(**settings), code_size=code_size)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def features(count: int = 5, code_size: int = 3, *, seed: int = 0) -> Tensor:
    return torch.randn(count, 2 * code_size, generator=generator(seed), dtype=torch.float64)


def posterior_of(values: Tensor) -> Normal:
    mean, log_variance = DiagonalGaussian.from_features(values)
    return Normal(mean, torch.exp(log_variance / 2))


def prior_of(values: Tensor) -> Normal:
    half = values[:, : values.shape[1] // 2]
    return Normal(torch.zeros_like(half), torch.ones_like(half))


# --- the distribution ---


def test_the_means_come_first_and_the_log_variances_are_nearly_themselves() -> None:
    values = torch.tensor([[1.0, -2.0, 0.5, -1.0]])
    posterior = DiagonalGaussian.from_features(values)
    assert posterior.mean.tolist() == [[1, -2]]
    torch.testing.assert_close(posterior.log_variance, torch.tensor([[0.5, -1.0]]), rtol=2e-3, atol=0)


def test_the_log_variance_is_bounded_and_finite_however_large_the_feature() -> None:
    values = torch.tensor([[0.0, 0.0, 1e30, -1e30]], requires_grad=True)
    bottleneck = gaussian(code_size=2)
    output = bottleneck(values, draws=torch.ones(1, 1, 2))
    assert DiagonalGaussian.from_features(values).log_variance.tolist() == [[LOG_VARIANCE_LIMIT, -LOG_VARIANCE_LIMIT]]
    assert output.penalty.isfinite()
    output.penalty.sum().backward()
    assert values.grad is not None
    assert values.grad.isfinite().all()


def test_the_divergence_is_that_of_torch() -> None:
    values = features()
    expected = kl_divergence(posterior_of(values), prior_of(values)).sum(1)
    output = gaussian()(values)
    torch.testing.assert_close(output.divergence, expected)
    torch.testing.assert_close(output.penalty, expected)
    torch.testing.assert_close(output.diagnostics["kl_nats"], expected.mean())


def test_the_log_ratio_is_that_of_torchs_densities_and_its_mean_the_divergence() -> None:
    values = features()
    bottleneck = gaussian()
    draws = torch.randn(20_000, 5, 3, generator=generator(1), dtype=torch.float64)
    output = bottleneck(values, draws=draws)
    ratio = bottleneck.log_ratio(values, samples=output.samples)
    posterior, prior = posterior_of(values), prior_of(values)
    expected = (posterior.log_prob(output.samples) - prior.log_prob(output.samples)).sum(2)
    torch.testing.assert_close(ratio, expected)
    error = ratio.std(0) / math.sqrt(len(draws))
    assert output.divergence is not None
    assert ((ratio.mean(0) - output.divergence).abs() < 4 * error).all()


# --- codes ---


def test_codes_are_mean_and_deviation_times_draw() -> None:
    values = features()
    draws = torch.randn(4, 5, 3, generator=generator(1), dtype=torch.float64)
    posterior = posterior_of(values)
    output = gaussian()(values, draws=draws)
    torch.testing.assert_close(output.samples, posterior.mean + posterior.stddev * draws)
    assert torch.equal(output.code, posterior.mean)


def test_draws_are_normal_as_many_as_asked_for_and_repeatable() -> None:
    bottleneck = gaussian(samples=4)
    like = torch.empty(()).expand(1000, 6)
    first, again = (bottleneck.draw(like, generator=generator()) for _ in range(2))
    assert first.shape == (4, 1000, 3)
    assert torch.equal(first, again)
    assert abs(first.mean().item()) < 4 / math.sqrt(12_000)
    assert first.var().item() == pytest.approx(1, abs=4 * math.sqrt(2 / 12_000))
    assert bottleneck.draw(like, generator=generator(), samples=2).shape == (2, 1000, 3)


# --- what the divergence costs ---


def test_without_warm_up_the_first_step_has_the_whole_divergence() -> None:
    bottleneck = gaussian()
    bottleneck.begin_step(epoch=0.0)
    assert bottleneck.strength.item() == 1
    assert bottleneck.state_dict() == {}  # what a step sets anew is not saved


def test_free_bits_are_free_for_each_entry_on_the_average_of_the_batch() -> None:
    """Kingma et al. 2016, equation 15."""
    values = features().requires_grad_()
    means = kl_divergence(posterior_of(values), prior_of(values)).mean(0).detach()  # (3,)
    free = means.sort().values[1].item() + 1e-6  # two entries are under it
    penalty = gaussian(free_bits=free)(values).penalty
    torch.testing.assert_close(penalty, means.clamp(min=free).sum())
    penalty.backward()
    assert values.grad is not None
    moved = (values.grad[:, :3] != 0).any(0)
    assert moved.tolist() == (means > free).tolist()
    assert moved.sum() == 1


def test_active_units_are_those_whose_mean_varies() -> None:
    values = torch.zeros(4, 3)
    values[:, 0] = torch.tensor([1.0, -1.0, 1.0, -1.0])  # variance 1
    values[:, 1] = torch.tensor([0.09, -0.09, 0.09, -0.09])  # variance 0.0081
    values[:, 2] = 5.0  # far from the prior, but the same for every image
    active = gaussian().statistics(values, indices=None)["active_units"]
    assert active.item() == 1
    assert not active.is_floating_point()  # a count


# --- in a model ---


def test_the_objective_is_the_negative_elbo_averaged_over_samples() -> None:
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(9, 6))
    decoder = nn.Sequential(nn.Linear(3, 9), nn.Unflatten(1, (1, 3, 3)))
    vae = AutoEncoder(encoder, decoder, bottleneck=gaussian(), loss=GaussianLikelihood(std=0.5))
    images = torch.rand(6, 1, 3, 3, generator=generator())
    draws = vae.draw(images, generator=generator(), samples=3)
    assert draws is not None
    output = vae(images, draws=draws)
    together = vae.objective(output, target=images).loss
    torch.testing.assert_close(together, -vae.elbo(output, target=images).mean())
    each = [vae.objective(vae(images, draws=draw), target=images).loss for draw in draws.split(1)]
    torch.testing.assert_close(together, torch.stack(each).mean())
