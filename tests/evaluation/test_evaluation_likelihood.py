"""Evidence lower bounds and likelihoods: against a linear Gaussian model, whose numbers are known exactly."""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from autoenc.data.noise import Noise
from autoenc.data.noise.pixels import Masking, NoNoise
from autoenc.evaluation.batches import fetch
from autoenc.evaluation.likelihood import negative_log_likelihoods
from autoenc.evaluation.metrics import METRICS
from autoenc.evaluation.scores import measure
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks import BOTTLENECKS, Bottleneck
from autoenc.models.losses.likelihoods import GaussianLikelihood
from tests.devices import cpu

STD = 0.1
CODE_SIZE = 2
LIMIT = 15.0  # features become log variances by LIMIT * tanh(feature / LIMIT)


def gaussian(*, code_size: int = CODE_SIZE, **fields: float) -> Bottleneck:
    values = {"beta": 1.0, "warmup_epochs": 0.0, "free_bits": 0.0, "samples": 1, **fields}
    return BOTTLENECKS.parse({"name": "gaussian", **values}).build(code_size=code_size)


def importance_weighted(*, samples: int) -> Bottleneck:
    return BOTTLENECKS.parse({"name": "importance_weighted", "samples": samples}).build(code_size=CODE_SIZE)


class LinearGaussian(NamedTuple):
    """x = weights z + offset + STD * noise, with z and noise from N(0, I)."""

    weights: Tensor
    """(6, 2), with orthogonal columns, so that the codes' posterior has a diagonal covariance."""
    offset: Tensor
    """(6,)."""

    def log_likelihood(self, images: Tensor) -> Tensor:
        """log p(x) of images (N, 1, 2, 3), (N,)."""
        covariance = self.weights @ self.weights.T + STD**2 * torch.eye(6).double()
        distribution = MultivariateNormal(self.offset, covariance)
        return distribution.log_prob(images.flatten(1).double() / 255)  # type: ignore[no-any-return]

    def posterior_precision(self) -> Tensor:
        """(2,)."""
        return 1 + self.weights.square().sum(0) / STD**2

    def model(
        self, *, bottleneck: Bottleneck | None = None, shift: float = 0.0, widening: float = 1.0, std: float = STD
    ) -> AutoEncoder:
        """With an encoder whose means are off by `shift` posterior deviations, and its deviations by a factor.

        Then the divergence from the posterior is 2 * (widening^2 + shift^2 - 1 - 2 log(widening)) / 2.
        """
        precision = self.posterior_precision()
        log_variance = -precision.log() + 2 * math.log(widening)
        to_mean = (self.weights / STD**2 / precision).T  # (2, 6)
        encoder, decoder = nn.Linear(6, 4), nn.Linear(2, 6)
        with torch.no_grad():
            encoder.weight.copy_(torch.cat([to_mean, torch.zeros(2, 6)]))
            means = shift * precision.rsqrt() - to_mean @ self.offset
            encoder.bias.copy_(torch.cat([means, LIMIT * torch.atanh(log_variance / LIMIT)]))
            decoder.weight.copy_(self.weights)
            decoder.bias.copy_(self.offset)
        return AutoEncoder(
            nn.Sequential(nn.Flatten(), encoder),
            nn.Sequential(decoder, nn.Unflatten(1, (1, 2, 3))),
            bottleneck=gaussian() if bottleneck is None else bottleneck,
            loss=GaussianLikelihood(std=std),
        )


def divergence(*, shift: float, widening: float) -> float:
    """Of the encoder's distribution from the exact posterior, in nats."""
    return 2 * (widening**2 + shift**2 - 1 - 2 * math.log(widening)) / 2


@pytest.fixture
def truth() -> LinearGaussian:
    generator = torch.Generator().manual_seed(0)
    columns = torch.linalg.qr(torch.randn(6, 2, generator=generator, dtype=torch.float64)).Q
    return LinearGaussian(columns * torch.tensor([0.3, 0.15]), 0.3 + 0.4 * torch.rand(6, generator=generator).double())


def images(count: int, *, seed: int = 1) -> Tensor:
    """uint8 (N, 1, 2, 3): not drawn from the model, since what is exact holds for any."""
    return torch.randint(256, (count, 1, 2, 3), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def nll(model: AutoEncoder, given: Tensor, *, samples: int) -> float:
    return negative_log_likelihoods(model, given, device=cpu(), samples=samples).mean().item()


def scores(model: AutoEncoder, given: Tensor, *, noise: Noise | None = None, split: str = "test") -> dict[str, float]:
    return fetch(
        measure(
            model,
            given,
            device=cpu(),
            noise=NoNoise() if noise is None else noise,
            split=split,
            metrics=[METRICS["mse"]],
        ).averages
    )


# --- the evidence lower bound ---


@pytest.mark.parametrize(("shift", "widening"), [(0.0, 1.0), (1.0, 1.0), (0.5, 1.5)])
def test_the_elbo_is_the_likelihood_minus_the_divergence_from_the_posterior(
    truth: LinearGaussian, shift: float, widening: float
) -> None:
    given = images(20_000)
    found = scores(truth.model(shift=shift, widening=widening), given)["elbo_nats"]
    exact = truth.log_likelihood(given).mean().item() - divergence(shift=shift, widening=widening)
    assert found == pytest.approx(exact, abs=0.05)  # a standard error is 0.01 to 0.02
    assert exact == pytest.approx(truth.log_likelihood(given).mean().item(), abs=3)


@pytest.mark.parametrize("beta", [0.0, 0.1, 4.0])
def test_the_elbo_is_the_same_whatever_beta_was_trained_with(truth: LinearGaussian, beta: float) -> None:
    given = images(50)
    with_one = scores(truth.model(), given)
    model = truth.model(bottleneck=gaussian(beta=beta, warmup_epochs=3.0, free_bits=9.0))
    with_beta = scores(model, given)
    assert with_beta["elbo_nats"] == with_one["elbo_nats"]
    assert with_beta["loss"] != pytest.approx(with_one["loss"])
    several = truth.model(bottleneck=gaussian(beta=beta, samples=3))
    assert scores(several, given)["elbo_nats"] == with_one["elbo_nats"]
    weighted = truth.model(bottleneck=importance_weighted(samples=5))
    assert scores(weighted, given)["elbo_nats"] == with_one["elbo_nats"]


def test_the_objective_of_a_plain_vae_is_the_negative_elbo_of_other_draws(truth: LinearGaussian) -> None:
    found = scores(truth.model(), images(20_000))
    assert found["loss"] == pytest.approx(-found["elbo_nats"], abs=0.1)
    assert found["loss"] != -found["elbo_nats"]
    assert found["reconstruction"] + found["penalty"] == pytest.approx(found["loss"], rel=1e-5)


def test_the_elbo_is_of_sampled_codes_and_the_metrics_are_of_the_mean(truth: LinearGaussian) -> None:
    given, model = images(2000), truth.model(widening=4.0)
    found = scores(model, given)
    pixels = given.float() / 255
    with torch.no_grad():
        at_the_mean = model(pixels)
    assert found["mse"] == pytest.approx((at_the_mean.reconstruction - pixels).square().mean().item(), rel=1e-4)
    # 16 times the posterior variance in 2 directions costs about 15 nats of reconstruction.
    assert -found["elbo_nats"] > model.elbo(at_the_mean, target=pixels).neg().mean().item() + 5


def test_the_elbo_is_of_the_clean_input(truth: LinearGaussian) -> None:
    given = images(50)
    noisy = scores(truth.model(), given, noise=Masking(probability=0.5, by="channel"))
    clean = scores(truth.model(), given)
    assert noisy["elbo_nats"] == clean["elbo_nats"]
    assert noisy["loss"] > clean["loss"] + 1


def test_the_elbos_draws_are_frozen_and_others_on_another_split(truth: LinearGaussian) -> None:
    first, second = (scores(truth.model(), images(50)) for _ in range(2))
    assert first == second
    assert scores(truth.model(), images(50), split="validation")["elbo_nats"] != first["elbo_nats"]


# --- many sampled codes ---


@pytest.mark.parametrize("limit", [3, 7, 32, 33])
def test_the_objective_of_many_samples_is_computed_in_parts(
    truth: LinearGaussian, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []

    def found() -> dict[str, float]:
        decoded.clear()
        model = truth.model(bottleneck=importance_weighted(samples=3), shift=1.0)
        model.decoder.register_forward_hook(lambda decoder, given, output: decoded.append(len(output)))
        return scores(model, images(11), noise=Masking(probability=0.5, by="channel"))

    whole = found()
    monkeypatch.setattr("autoenc.evaluation.scores.MOST_DECODED", limit)
    in_parts = found()
    assert max(decoded) <= max(limit, 11)  # of the clean and of the noisy images, and one code of each for the ELBO
    del whole["active_units"], in_parts["active_units"]  # counted within whatever is a batch
    assert in_parts == pytest.approx(whole, rel=1e-5)


# --- the likelihood ---


@pytest.mark.parametrize("samples", [1, 7])
@pytest.mark.parametrize("weighted", [True, False])
def test_with_the_exact_posterior_the_likelihood_is_exact(truth: LinearGaussian, samples: int, weighted: bool) -> None:
    # p(x | z) p(z) / p(z | x) is p(x) for every z.
    bottleneck = importance_weighted(samples=2) if weighted else None
    model, given = truth.model(bottleneck=bottleneck), images(40)
    found = nll(model, given, samples=samples)
    assert found == pytest.approx(-truth.log_likelihood(given).mean().item(), rel=1e-5)


def test_with_a_wrong_posterior_the_estimate_comes_down_to_the_exact_likelihood(truth: LinearGaussian) -> None:
    model, given = truth.model(shift=1.0, widening=1.5), images(300)
    exact = -truth.log_likelihood(given).mean().item()
    found = [nll(model, given, samples=samples) for samples in (1, 10, 3000)]
    assert found[0] > found[1] > found[2] - 0.01
    assert found[0] == pytest.approx(exact + divergence(shift=1.0, widening=1.5), abs=0.5)
    assert found[2] == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("limit", [1, 3, 8, 10_000])
def test_the_batches_bounds_leave_the_estimate(
    truth: LinearGaussian, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    model, given = truth.model(), images(10)
    model.decoder.register_forward_hook(lambda decoder, given, output: decoded.append(len(output)))
    monkeypatch.setattr("autoenc.evaluation.likelihood.MOST_DECODED", limit)
    found = nll(model, given, samples=7)
    assert found == pytest.approx(-truth.log_likelihood(given).mean().item(), rel=1e-5)
    assert sum(decoded) == 70
    assert max(decoded) <= limit


def test_in_parts_the_mean_is_over_all_samples(truth: LinearGaussian, monkeypatch: pytest.MonkeyPatch) -> None:
    model, given = truth.model(shift=1.0, widening=1.5), images(100)
    monkeypatch.setattr("autoenc.evaluation.likelihood.MOST_DECODED", 40)
    found = nll(model, given, samples=500)
    assert found == pytest.approx(-truth.log_likelihood(given).mean().item(), abs=0.1)


@pytest.mark.parametrize("training", [True, False])
def test_the_estimate_is_frozen_and_leaves_no_trace(truth: LinearGaussian, training: bool) -> None:
    model, given = truth.model(shift=1.0).train(training), images(5)
    before = torch.get_rng_state()
    first = nll(model, given, samples=3)
    torch.rand(1)
    assert nll(model, given, samples=3) == first
    torch.set_rng_state(before)
    nll(model, given, samples=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert model.training == training


def test_likelihoods_too_small_for_a_float_are_no_trouble(truth: LinearGaussian) -> None:
    # 6 pixels that are off by hundreds of standard deviations: exp(-1e5) is 0 in float32.
    model, given = truth.model(std=0.001), images(3)
    found = nll(model, given, samples=4)
    assert 1e4 < found < 1e8


def test_other_bottlenecks_have_no_likelihood() -> None:
    plain = AutoEncoder(nn.Flatten(), nn.Unflatten(1, (1, 2, 3)))
    with pytest.raises(AssertionError):
        nll(plain, images(3), samples=1)
