"""Likelihoods: against torch's distributions, against integrals, and where numbers are extreme."""

from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, ContinuousBernoulli, Distribution, Laplace, Normal

from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.losses import LOSSES, Loss
from autoenc.models.losses.continuous_bernoulli import ContinuousBernoulliLikelihood, log_normalizer, mean
from autoenc.models.losses.likelihoods import LearnedGaussianLikelihood
from autoenc.models.output_ranges import OUTPUT_RANGES, OutputName
from autoenc.settings import ConfigError

OUTPUTS: tuple[OutputName, ...] = get_args(OutputName)
VARIANCES = ("fixed", "shared", "per_pixel")
SHAPE = (2, 3, 4)

FIELDS: dict[str, dict[str, Any]] = {
    "bernoulli": {},
    "continuous_bernoulli": {},
    "gaussian": {"variance": "fixed", "std": 0.3, "min_std": 0.01},
    "laplace": {"scale": 0.2},
}


def likelihood(name: str, **fields: object) -> Loss:
    return LOSSES.parse({"name": name, **FIELDS[name], **fields}).build(image_shape=SHAPE)


def predictions(raw: Tensor, *, loss: Loss, output: OutputName = "sigmoid") -> Tensor:
    """What a model with this loss and this output range gives to the loss."""
    return AutoEncoder(torch.nn.Flatten(), torch.nn.Flatten(), loss=loss, output=output).predictions(raw)


def distribution(name: str, logits: Tensor) -> Distribution:
    match name:
        case "bernoulli":
            return Bernoulli(logits=logits, validate_args=False)  # grey targets too
        case "continuous_bernoulli":
            return ContinuousBernoulli(logits=logits)
        case "gaussian":
            return Normal(logits.sigmoid(), 0.3)
        case _:
            return Laplace(logits.sigmoid(), 0.2)


CONTINUOUS: dict[str, dict[str, Any]] = {
    "mse": {"corrupted_weight": 1.0, "kept_weight": 1.0},
    "l1": {"corrupted_weight": 1.0, "kept_weight": 1.0},
    "continuous_bernoulli": {},
    "laplace": {"scale": 0.2},
    **{f"gaussian {variance}": {"variance": variance, "std": 0.3, "min_std": 0.01} for variance in VARIANCES},
}
"""Losses that are or become densities."""


@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.parametrize("logit", [-4.0, 0.0, 1.5])
def test_continuous_likelihoods_are_densities_of_the_same_pixels(name: str, logit: float) -> None:
    settings = LOSSES.parse({"name": name.partition(" ")[0], **CONTINUOUS[name]})
    loss = settings.build(image_shape=(1, 1, 1)).likelihood()
    assert (loss.in_nats, loss.likelihood_of) == (True, "density")
    low, high = (0.0, 1.0) if name == "continuous_bernoulli" else (-20.0, 21.0)  # of pixels in [0, 1], or of the line
    pixels = torch.linspace(low, high, 200_001, dtype=torch.float64).view(-1, 1, 1, 1)
    raw = torch.full_like(pixels, logit)
    with torch.no_grad():
        densities = torch.exp(-loss.per_image(predictions(raw, loss=loss), pixels))
    assert float(torch.trapezoid(densities, pixels.flatten())) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("name", ["bce", "bernoulli"])
def test_discrete_likelihoods_are_probabilities_of_black_and_white(name: str) -> None:
    weights = {"corrupted_weight": 1.0, "kept_weight": 1.0} if name == "bce" else {}
    loss = LOSSES.parse({"name": name, **weights}).build(image_shape=(1, 1, 1)).likelihood()
    assert loss.likelihood_of == "Bernoulli probability"
    pixels = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)
    raw = torch.full_like(pixels, 0.7)
    assert float(torch.exp(-loss.per_image(predictions(raw, loss=loss), pixels)).sum()) == pytest.approx(1)


def some_logits(*, seed: int = 1) -> Tensor:
    return 3 * torch.randn(5, *SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def some_target(*, seed: int = 2) -> Tensor:
    return torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def raw_output(logits: Tensor, *, output: OutputName) -> Tensor:
    """What the decoder gives for these logits."""
    return {"identity": logits.sigmoid(), "sigmoid": logits, "tanh": logits / 2}[output]


def test_the_choices() -> None:
    assert LOSSES.names() == sorted(["mse", "l1", "bce", *FIELDS])


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("name", FIELDS)
def test_against_torchs_distributions(name: str, output: OutputName) -> None:
    logits, target = some_logits(), some_target()
    raw = raw_output(logits, output=output)
    loss = likelihood(name)
    wanted = -distribution(name, logits).log_prob(target)
    given = (predictions(raw, loss=loss, output=output), target)
    torch.testing.assert_close(loss.per_pixel(*given), wanted)
    torch.testing.assert_close(loss.per_image(*given), wanted.sum((1, 2, 3)))
    torch.testing.assert_close(loss(*given), wanted.sum((1, 2, 3)).mean())


@pytest.mark.parametrize("name", FIELDS)
def test_it_is_in_nats_even_and_its_own_likelihood(name: str) -> None:
    settings = LOSSES.parse({"name": name, **FIELDS[name]})
    loss = likelihood(name)
    assert settings.emphasis.even
    assert loss.emphasis.even
    assert loss.in_nats
    assert loss.likelihood() is loss
    assert loss.unit.startswith("nats an image, ")
    assert name.replace("_", " ") in loss.unit.lower()
    assert set(loss.diagnostics()) <= set(loss.diagnostic_units)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [0.0, 1e-30, 100.0, 1e4])
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("name", FIELDS)
def test_values_and_gradients_are_finite_at_extreme_outputs(
    name: str, output: OutputName, size: float, dtype: torch.dtype
) -> None:
    raw = torch.tensor([-size, size, -size, size], dtype=dtype).reshape(1, 1, 2, 2).requires_grad_()
    target = torch.tensor([0.0, 0.0, 1.0, 1.0]).reshape(1, 1, 2, 2)
    loss = likelihood(name)
    value = loss(predictions(raw, loss=loss, output=output), target)
    value.backward()
    assert value.isfinite()
    assert raw.grad is not None
    assert raw.grad.isfinite().all()


@pytest.mark.parametrize("name", ["bernoulli", "continuous_bernoulli"])
def test_extreme_logits_keep_their_digits(name: str) -> None:
    raw = torch.tensor([-200.0, 200.0]).reshape(1, 1, 1, 2)
    loss = likelihood(name)
    constant = math.log(200) if name == "continuous_bernoulli" else 0
    wrong = loss.per_pixel(raw, torch.tensor([1.0, 0.0]).reshape(1, 1, 1, 2))
    assert wrong.flatten().tolist() == pytest.approx([200 - constant] * 2)
    right = loss.per_pixel(raw, torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 2))
    assert right.flatten().tolist() == pytest.approx([-constant] * 2)


# --- continuous Bernoulli ---


def exact(logits: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], ...]:
    """log C, its derivative and the mean, from long doubles."""
    wide = logits.astype(np.longdouble)
    log_c = np.log(wide / np.tanh(wide / 2))
    return log_c, 1 / wide - 1 / np.sinh(wide), 1 / (-np.expm1(-wide)) - 1 / wide


@pytest.mark.parametrize(("dtype", "relative", "absolute"), [(torch.float32, 1e-5, 1e-6), (torch.float64, 1e-8, 1e-12)])
def test_the_normalizer_and_the_mean_near_one_half_and_far_from_it(
    dtype: torch.dtype, relative: float, absolute: float
) -> None:
    # Close to where the series takes over, on both sides, and far from it.
    sizes = np.concatenate([np.logspace(-2, 1.5, 200), [0.2499, 0.2501]])
    logits = torch.tensor(np.concatenate([-sizes, sizes]), dtype=dtype).requires_grad_()
    log_c, slope, centre = exact(logits.detach().double().numpy())
    found = log_normalizer(logits)
    (gradient,) = torch.autograd.grad(found.sum(), logits)
    np.testing.assert_allclose(found.detach().double(), log_c.astype(float), rtol=relative)
    np.testing.assert_allclose(gradient.double(), slope.astype(float), rtol=relative)
    np.testing.assert_allclose(mean(logits).detach().double(), centre.astype(float), rtol=0, atol=absolute)


def test_the_normalizer_and_the_mean_at_one_half() -> None:
    zero = torch.zeros((), requires_grad=True)
    value, centre = log_normalizer(zero), mean(zero)
    assert value.item() == pytest.approx(math.log(2))
    assert centre.item() == 0.5
    assert torch.autograd.grad(value, zero)[0].item() == 0
    assert torch.autograd.grad(centre, zero)[0].item() == pytest.approx(1 / 12)  # the variance of a uniform density


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_model_reconstructs_the_mean(output: OutputName) -> None:
    loss = ContinuousBernoulliLikelihood()
    model = AutoEncoder(torch.nn.Flatten(), torch.nn.Unflatten(1, SHAPE), loss=loss, output=output)
    images = some_target()
    result = model(images)
    logits = OUTPUT_RANGES[output].to_logits(result.raw)
    centre = ContinuousBernoulli(logits=logits).mean
    torch.testing.assert_close(result.reconstruction, centre)
    torch.testing.assert_close(model.decode(result.code), centre)
    torch.testing.assert_close(model.output_range.to_logits(result.raw), torch.logit(centre))
    torch.testing.assert_close(model.output_range.to_model(images), OUTPUT_RANGES[output].to_model(images))


def test_the_best_reconstruction_of_a_grey_pixel_is_the_pixel() -> None:
    # The mean of an exponential family's likeliest member is the mean of the data; its parameter lambda is not.
    raw = torch.linspace(-8, 8, 3201, dtype=torch.float64).reshape(-1, 1, 1, 1)
    loss = ContinuousBernoulliLikelihood()
    best = raw[loss.per_image(raw, torch.full_like(raw, 0.25)).argmin()]
    assert loss.means(OUTPUT_RANGES["sigmoid"]).to_images(best).item() == pytest.approx(0.25, abs=1e-3)
    assert best.sigmoid().item() < 0.03


def test_in_bfloat16_the_mean_is_computed_in_float32() -> None:
    ranges = ContinuousBernoulliLikelihood().means(OUTPUT_RANGES["sigmoid"])
    raw = torch.linspace(-9, 9, 100, dtype=torch.bfloat16)
    torch.testing.assert_close(ranges.to_images(raw), ranges.to_images(raw.float()))


# --- Gaussian ---


def test_widths_that_are_too_small_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^loss.std=0.2: it must be above loss.min_std=0.2$"):
        likelihood("gaussian", std=0.2, min_std=0.2)
    with pytest.raises(ConfigError, match=r"^loss.min_std=0: it must be a number above 0"):
        likelihood("gaussian", min_std=0)
    with pytest.raises(ConfigError, match=r"^loss.scale=0: it must be a number above 0"):
        likelihood("laplace", scale=0)


def learned(*, shape: tuple[int, ...], residuals: Tensor, std: float = 0.3, min_std: float = 0.01) -> Tensor:
    """The standard deviation, of `shape`, that is learned from residuals (B, C, H, W)."""
    loss = LearnedGaussianLikelihood(std=std, min_std=min_std, shape=shape).double()
    optimizer = torch.optim.LBFGS(loss.parameters(), max_iter=500, line_search_fn="strong_wolfe", tolerance_change=0)

    def closure() -> float:
        optimizer.zero_grad()
        value = loss(residuals, torch.zeros_like(residuals))
        value.backward()
        return value.item()  # type: ignore[no-any-return]

    optimizer.step(closure)
    return loss.std.detach()


def test_a_shared_variance_learns_the_mean_squared_error() -> None:
    residuals = 0.2 * some_logits()
    found = learned(shape=(), residuals=residuals)
    torch.testing.assert_close(found, residuals.square().mean().sqrt(), rtol=1e-4, atol=0)


def test_a_constant_pixel_stays_above_the_floor() -> None:
    residuals = 0.2 * some_logits()
    residuals[:, 0, 0, 0] = 0
    found = learned(shape=SHAPE, residuals=residuals, min_std=0.05)
    assert found[0, 0, 0].item() == pytest.approx(0.05, rel=1e-2)
    assert found.min() > 0.05
    torch.testing.assert_close(found[1], residuals.square().mean(0).sqrt()[1], rtol=1e-4, atol=0)


@pytest.mark.parametrize("log_ratio", [-200.0, -20.0, 0.0, 20.0])
def test_near_the_floor_and_far_above_it_nothing_overflows(log_ratio: float) -> None:
    loss = LearnedGaussianLikelihood(std=0.1, min_std=0.01, shape=())
    torch.nn.init.constant_(loss.log_ratio, log_ratio)
    raw, target = torch.rand(2, 3, 1, 28, 28)
    value = loss(raw, target)
    value.backward()
    assert value.isfinite()
    assert loss.std.item() >= 0.01 * (1 - 1e-6)
    assert loss.log_ratio.grad is not None
    assert loss.log_ratio.grad.isfinite()


def test_what_is_learned_is_told_without_a_gradient() -> None:
    shared, each = (likelihood("gaussian", variance=variance) for variance in ("shared", "per_pixel"))
    torch.nn.init.constant_(each.log_ratio[0, 0, 0], math.log(0.5))  # type: ignore[index]
    assert set(shared.diagnostics()) == {"likelihood_std"}
    assert shared.diagnostics()["likelihood_std"].item() == pytest.approx(0.3)
    told = each.diagnostics()
    assert told["least_likelihood_std"].item() == pytest.approx(0.01 + 0.29 / 2)
    assert told["likelihood_std"].item() == pytest.approx(0.3 - 0.145 / 24)
    assert set(told) == set(each.diagnostic_units)
    assert not any(value.requires_grad for value in told.values())
    assert likelihood("gaussian").diagnostics() == {}
