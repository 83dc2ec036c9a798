"""The contractive penalty: against the full Jacobian, and whether shrinking the code lowers it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.functional import jacobian

from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks import BOTTLENECKS
from autoenc.models.bottlenecks.bottleneck import Passage
from autoenc.models.bottlenecks.contractive import Contractive
from autoenc.models.bottlenecks.jacobian import PRODUCTS_AT_ONCE, squared_products
from autoenc.models.layers import weighted_layers
from autoenc.settings import ConfigError

SETTINGS = {
    "name": "contractive",
    "weight": 1.0,
    "at": "clean",
    "estimator": "exact",
    "probes": 1,
    "safeguard": "unit_columns",
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 6, *, seed: int = 0) -> Tensor:
    return torch.rand(count, 1, 6, 6, generator=generator(seed), dtype=torch.float64)


def build(*, code_size: int = 3, output: Any = "identity", **fields: Any) -> AutoEncoder:
    """A model with batch normalisation at the end of the encoder, and dropout."""
    torch.manual_seed(0)
    bottleneck = BOTTLENECKS.parse({**SETTINGS, **fields}).build(code_size=code_size)
    encoder = nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(36, code_size),
        nn.BatchNorm1d(code_size),
    )
    decoder = nn.Sequential(nn.Linear(code_size, 36), nn.Unflatten(1, (1, 6, 6)))
    model = AutoEncoder(encoder, decoder, bottleneck=bottleneck, output=output).double()
    for seed in range(3):
        model(images(seed=seed))  # running statistics that are not those of the start
    return model


def penalty(model: AutoEncoder, clean: Tensor, *, given: Tensor | None = None, seed: int = 0) -> Tensor:
    """Of each image, (B,)."""
    output = copy.deepcopy(model).eval()(clean)  # which leaves the running statistics alone
    passage = Passage(model, output, given=clean if given is None else given, clean=clean, generator=generator(seed))
    result = model.bottleneck.further_penalty(passage)
    assert result is not None
    return result


def full(model: AutoEncoder, at: Tensor) -> Tensor:
    """Each image's Jacobian in eval mode, (B, code_size, pixels), by torch."""
    tested = copy.deepcopy(model).eval()
    rows = [jacobian(tested.encode, image.unsqueeze(0)) for image in at]
    return torch.stack([row.reshape(row.shape[1], -1) for row in rows])


@pytest.mark.parametrize("output", ["identity", "tanh"])
def test_it_is_the_squared_norm_of_the_full_jacobian(output: str) -> None:
    """By pixels in [0, 1], whatever range the encoder reads."""
    model = build(output=output, weight=0.3)
    expected = 0.3 * full(model, images()).square().sum((1, 2))
    torch.testing.assert_close(penalty(model, images()), expected)


def test_relative_to_the_codes_variance_it_is_each_rows_norm_over_it() -> None:
    model = build(safeguard="code_variance")
    code = copy.deepcopy(model).eval().encode(images())
    deviations = (code - code.mean(0)).square().sum(0)  # (3,)
    rows = full(model, images()).square().sum(2)  # (B, 3)
    torch.testing.assert_close(penalty(model, images()), (rows * (6 - 3) / deviations).sum(1))


def test_its_gradient_is_that_of_finite_differences() -> None:
    model = build(safeguard="code_variance")
    weight = model.get_parameter("encoder.5.weight")
    (gradient,) = torch.autograd.grad(penalty(model, images()).sum(), weight)
    direction = torch.randn(weight.shape, generator=generator(), dtype=torch.float64)
    step = 1e-6
    values = []
    for sign in (1, -1):
        nudged = copy.deepcopy(model)
        with torch.no_grad():
            nudged.get_parameter("encoder.5.weight").add_(direction, alpha=sign * step)
        values.append(penalty(nudged, images()).sum().item())
    expected = (values[0] - values[1]) / (2 * step)
    assert (gradient * direction).sum().item() == pytest.approx(expected, rel=1e-5)
    assert abs(expected) > 1e-3


def test_at_the_clean_or_at_the_given_image() -> None:
    noisy = images(seed=5)
    for place, at in (("clean", images()), ("given", noisy)):
        model = build(at=place)
        expected = full(model, at).square().sum((1, 2))
        torch.testing.assert_close(penalty(model, images(), given=noisy), expected)


@pytest.mark.parametrize("safeguard", ["unit_columns", "code_variance"])
def test_hutchinsons_estimate_is_right_in_expectation(safeguard: str) -> None:
    exact = penalty(build(safeguard=safeguard), images())
    model = build(safeguard=safeguard, estimator="hutchinson", probes=2000)
    few = build(safeguard=safeguard, estimator="hutchinson", probes=2)
    estimates = torch.stack([penalty(few, images(), seed=seed) for seed in range(144)])
    errors = estimates.std(0) / 12
    assert ((estimates.mean(0) - exact).abs() < 4 * errors).all()
    assert (errors > 0).all()
    torch.testing.assert_close(penalty(model, images()), exact, rtol=0.15, atol=0)


@pytest.mark.parametrize(("code_size", "exact"), [(16, True), (17, False)])
def test_auto_is_exact_for_small_codes_and_says_what_it_is(code_size: int, exact: bool) -> None:
    bottleneck = build(code_size=code_size, estimator="auto").bottleneck
    assert isinstance(bottleneck, Contractive)
    assert bottleneck.exact == exact
    assert bottleneck.penalty_unit.endswith("exact" if exact else "probes=1")


def test_a_dead_entry_has_no_penalty() -> None:
    model = build(safeguard="code_variance")
    with torch.no_grad():
        model.get_parameter("encoder.6.weight")[1] = 0
    result = penalty(model, images())
    result.sum().backward()
    code = copy.deepcopy(model).eval().encode(images())
    rows = full(model, images()).square().sum(2)
    deviations = (code - code.mean(0)).square().sum(0)
    expected = (rows * 3 / deviations)[:, [0, 2]].sum(1)
    torch.testing.assert_close(result, expected)
    assert all(p.grad.isfinite().all() for p in model.encoder.parameters() if p.grad is not None)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("estimator", ["exact", "hutchinson"])
def test_too_few_images_to_tell_a_variance_have_no_penalty(count: int, estimator: str) -> None:
    model = build(safeguard="code_variance", estimator=estimator).eval()
    result = penalty(model, images(count))
    result.sum().backward()
    assert torch.equal(result, torch.zeros(count, dtype=torch.float64))
    assert all(p.grad.isfinite().all() for p in model.encoder.parameters() if p.grad is not None)


def test_it_leaves_modes_and_running_statistics_as_they_are() -> None:
    model = build()
    model.get_submodule("encoder.3").eval()
    before = copy.deepcopy(model.state_dict())
    passage = Passage(model, model.eval()(images()), given=images(), clean=images(), generator=None)
    model.train()
    model.get_submodule("encoder.3").eval()
    model.bottleneck.further_penalty(passage)
    assert [name for name, module in model.named_modules() if not module.training] == ["encoder.3"]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_it_can_be_measured_without_gradients() -> None:
    model = build().eval()
    expected = penalty(model, images()).detach()
    with torch.no_grad():
        result = penalty(model, images())
    assert torch.equal(result, expected)
    assert not result.requires_grad


def test_products_are_taken_in_parts_where_they_are_many() -> None:
    count = PRODUCTS_AT_ONCE // 2
    inputs = torch.rand(count, 2, requires_grad=True, dtype=torch.float64)
    outputs = torch.stack([inputs[:, 0] ** 2, inputs[:, 1] * 3, inputs.sum(1)], dim=1)
    rows = torch.eye(3, dtype=torch.float64).unsqueeze(1).expand(-1, count, -1)
    norms = squared_products(outputs, inputs, cotangents=rows, differentiable=False)
    expected = torch.stack([4 * inputs[:, 0] ** 2, torch.full((count,), 9.0), torch.full((count,), 2.0)])
    torch.testing.assert_close(norms.double(), expected.double(), rtol=1e-5, atol=1e-6)


# --- safeguards ---


def test_unit_columns_are_what_they_say() -> None:
    model = build(safeguard="unit_columns")
    columns = weighted_layers(model.decoder)[0][1].weight.norm(dim=0)
    torch.testing.assert_close(columns, torch.ones(3, dtype=torch.float64))
    free = build(safeguard="code_variance")
    assert "0.weight" in dict(free.decoder.named_parameters())
    with pytest.raises(ConfigError, match=r"^bottleneck\.safeguard: "):
        AutoEncoder(nn.Flatten(), nn.Flatten(), bottleneck=model.bottleneck)


def test_the_diagnostic_tells_when_codes_shrink() -> None:
    features = torch.tensor([[1.0, 5.0], [-1.0, 5.0]])
    bottleneck = BOTTLENECKS.parse(SETTINGS).build(code_size=2)
    assert bottleneck.statistics(features, indices=None)["code_variance"].item() == 0.5
