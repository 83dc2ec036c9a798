"""Architectures: fully connected layers of any widths and units, tied or not."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.layers import TiedLinear, weighted_layers
from autoenc.settings import ConfigError
from tests.models.architectures.architecture_cases import architecture, build, count, kinds_of_layers


def mlp(image_shape: tuple[int, int, int] = (1, 8, 8), **fields: Any) -> AutoEncoder:
    return build(architecture("mlp", **fields), image_shape)


UNITS = {
    "relu": ([-1.0, 0.0, 2.0], [0.0, 0.0, 2.0]),
    "leaky_relu": ([-1.0, 0.0, 2.0], [-0.01, 0.0, 2.0]),
    "elu": ([-1.0, 0.0, 2.0], [-0.632121, 0.0, 2.0]),  # 1/e - 1
    "gelu": ([-1.0, 0.0, 2.0], [-0.158655, 0.0, 1.954500]),  # x times the normal distribution function
    "tanh": ([-1.0, 0.0, 2.0], [-0.761594, 0.0, 0.964028]),
    "sigmoid": ([-1.0, 0.0, 2.0], [0.268941, 0.5, 0.880797]),
    "identity": ([-1.0, 0.0, 2.0], [-1.0, 0.0, 2.0]),
}


@pytest.mark.parametrize("activation", UNITS)
def test_the_units_are_what_they_are_called(activation: str) -> None:
    # One number in, one unit, one number out: with weights of 1 and biases of 0 the code is the unit's answer.
    model = mlp((1, 1, 1), hidden=[1], activation=activation, code_size=1)
    for name, parameter in model.named_parameters():
        nn.init.constant_(parameter, 1.0 if name.endswith("weight") else 0.0)
    given, expected = UNITS[activation]
    codes = model.encode(torch.tensor(given).view(3, 1, 1, 1))
    torch.testing.assert_close(codes.flatten(), torch.tensor(expected), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ["Linear", "ReLU"]),
        ({"activation": "identity"}, ["Linear"]),
        ({"batch_norm": True}, ["Linear", "BatchNorm1d", "ReLU"]),
        ({"dropout": 0.3}, ["Linear", "ReLU", "Dropout"]),
        ({"batch_norm": True, "dropout": 0.3}, ["Linear", "BatchNorm1d", "ReLU", "Dropout"]),
    ],
)
def test_a_hidden_layer_is_made_of(fields: dict[str, Any], expected: list[str]) -> None:
    model = mlp(hidden=[9, 7], **fields)
    assert kinds_of_layers(model.encoder) == ["Flatten", *expected * 2, "Linear"]
    assert kinds_of_layers(model.decoder) == [*expected * 2, "Linear", "Unflatten"]


def test_dropout_is_of_hidden_units_in_training_alone() -> None:
    model = mlp(hidden=[1000], dropout=0.25, activation="sigmoid")
    seen: list[Tensor] = []
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.register_forward_hook(lambda layer, inputs, output: seen.append(output))
    images = torch.rand(4, 1, 8, 8)
    model.train()(images)
    assert len(seen) == 2  # one in the encoder, one in the decoder
    for units in seen:
        assert (units == 0).float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert torch.equal(model.eval()(images).raw, model(images).raw)


# --- tied weights ---


def test_tied_parameters_by_hand() -> None:
    tied, untied = (mlp(hidden=[9, 7], code_size=5, tied=tied) for tied in (True, False))
    weights = 64 * 9 + 9 * 7 + 7 * 5
    assert count(untied) == 2 * weights + (9 + 7 + 5) + (7 + 9 + 64)
    assert count(tied) == weights + (9 + 7 + 5) + (7 + 9 + 64)
    assert [name for name, _ in tied.decoder.named_parameters()] == ["0.bias", "2.bias", "4.bias"]


def test_each_decoder_layer_is_tied_to_its_mirror_image() -> None:
    model = mlp(hidden=[9, 7], code_size=5, tied=True)
    inwards, outwards = ([layer for _, layer in weighted_layers(part)] for part in (model.encoder, model.decoder))
    assert all(isinstance(layer, TiedLinear) for layer in outwards)
    for back, there in zip(outwards, reversed(inwards), strict=True):
        assert torch.equal(back.weight, there.weight.T)
    assert kinds_of_layers(model.decoder) == [*["TiedLinear", "ReLU"] * 2, "TiedLinear", "Unflatten"]


def test_tied_to_an_encoder_of_means_and_variances_it_uses_the_means() -> None:
    encoder, decoder = architecture("mlp", hidden=[], code_size=3, tied=True).build((1, 2, 2), feature_size=6)
    source = cast(nn.Linear, encoder[1])  # type: ignore[index]
    code = torch.randn(2, 3)
    nn.init.zeros_(cast(nn.Parameter, decoder[0].bias))  # type: ignore[index]
    torch.testing.assert_close(decoder(code).flatten(1), code @ source.weight[:3])


def test_a_code_with_more_entries_than_features_cannot_be_tied() -> None:
    with pytest.raises(ConfigError) as caught:
        architecture("mlp", code_size=3, tied=True).build((1, 2, 2), feature_size=2)
    problem = "codes of 3 entries cannot share the weights of 2 features"
    assert str(caught.value) == f"architecture.tied=true: {problem}"
