"""The regularized autoencoder's penalties, against sums and Jacobians by torch."""

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
from autoenc.models.layers import TiedLinear

SETTINGS = {"name": "regularized", "code_weight": 0.5, "decoder_penalty": "l2", "decoder_weight": 0.1, "probes": 1}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 5) -> Tensor:
    return torch.rand(count, 1, 3, 3, generator=generator(), dtype=torch.float64)


def build(**fields: Any) -> AutoEncoder:
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(9, 2))
    decoder = nn.Sequential(
        nn.Linear(2, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Dropout(0.5), nn.Linear(6, 9), nn.Unflatten(1, (1, 3, 3))
    )
    bottleneck = BOTTLENECKS.parse({**SETTINGS, **fields}).build(code_size=2)
    model = AutoEncoder(encoder, decoder, bottleneck=bottleneck, output="sigmoid").double()
    model(images())  # running statistics that are not those of the start
    return model


def further(model: AutoEncoder, *, seed: int = 0) -> Tensor | None:
    output = copy.deepcopy(model).eval()(images())
    passage = Passage(model, output, given=images(), clean=images(), generator=generator(seed))
    return model.bottleneck.further_penalty(passage)


def test_half_the_codes_squared_length() -> None:
    output = BOTTLENECKS.parse(SETTINGS).build(code_size=2)(torch.tensor([[3.0, 4.0], [1.0, 0.0]]))
    assert output.penalty.tolist() == [0.5 * 0.5 * 25, 0.5 * 0.5 * 1]
    assert output.diagnostics["code_square"].item() == 13
    assert output.samples[0].tolist() == output.code.tolist() == [[3, 4], [1, 0]]


def test_l2_is_the_sum_of_the_decoders_squared_weights_without_biases() -> None:
    model = build()
    expected = sum(model.get_parameter(f"decoder.{index}.weight").square().sum() for index in (0, 4))
    torch.testing.assert_close(further(model), 0.1 * expected)


def test_l2_counts_tied_weights() -> None:
    source = nn.Linear(9, 2)
    decoder = nn.Sequential(TiedLinear(source, inputs=2), nn.Unflatten(1, (1, 3, 3)))
    bottleneck = BOTTLENECKS.parse(SETTINGS).build(code_size=2)
    model = AutoEncoder(nn.Sequential(nn.Flatten(), source), decoder, bottleneck=bottleneck).double()
    torch.testing.assert_close(further(model), 0.1 * source.weight.square().sum())


def test_without_a_weight_nothing_is_computed() -> None:
    assert further(build(decoder_weight=0.0)) is None
    assert further(build(decoder_weight=0.0, decoder_penalty="gradient")) is None


def test_the_gradient_penalty_is_the_squared_norm_of_the_full_jacobian_in_expectation() -> None:
    model = build(decoder_penalty="gradient")
    tested = copy.deepcopy(model).eval()
    rows = [jacobian(tested.decode, code.unsqueeze(0)).reshape(9, 2) for code in tested.encode(images())]
    exact = 0.1 * torch.stack(rows).square().sum((1, 2))
    estimates = torch.stack([further(model, seed=seed).detach() for seed in range(200)])  # type: ignore[union-attr]
    errors = estimates.std(0) / 200**0.5
    assert ((estimates.mean(0) - exact).abs() < 4 * errors).all()
    assert (errors < 0.1 * exact).all()
    many = further(build(decoder_penalty="gradient", probes=3000))
    torch.testing.assert_close(many, exact, rtol=0.1, atol=0)


def test_encoder_and_decoder_learn_from_the_gradient_penalty() -> None:
    model = build(decoder_penalty="gradient", probes=4)
    passage = Passage(model, model(images()), given=images(), clean=images(), generator=generator())
    before = copy.deepcopy(model.state_dict())
    penalty = model.bottleneck.further_penalty(passage)
    assert penalty is not None
    penalty.sum().backward()
    for name in ("encoder.1.weight", "decoder.0.weight", "decoder.4.weight"):
        gradient = model.get_parameter(name).grad
        assert gradient is not None
        assert gradient.abs().sum() > 0
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("decoder_penalty", ["l2", "gradient"])
def test_it_can_be_measured_without_gradients(decoder_penalty: str) -> None:
    model = build(decoder_penalty=decoder_penalty)
    expected = further(model)
    with torch.no_grad():
        measured = further(model)
    assert expected is not None
    assert measured is not None
    assert torch.equal(expected, measured)
    assert expected.requires_grad
    assert not measured.requires_grad
