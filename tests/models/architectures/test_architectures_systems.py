"""Architectures: the systems they reproduce, with parameters counted by hand and layers in their order."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from autoenc.models.architectures import Architecture
from tests.models.architectures.architecture_cases import (
    architecture,
    build,
    count,
    kinds_of_layers,
    shapes_after,
    shipped,
)

SYSTEMS: list[tuple[Architecture, str, str, int, int]] = [
    (  # system A
        shipped("fully_connected"),
        "Flatten Linear ReLU Linear ReLU Linear ReLU Linear",
        "Linear ReLU Linear ReLU Linear ReLU Linear Unflatten",
        (784 * 128 + 128) + (128 * 64 + 64) + (64 * 12 + 12) + (12 * 3 + 3),
        (3 * 12 + 12) + (12 * 64 + 64) + (64 * 128 + 128) + (128 * 784 + 784),
    ),
    (
        shipped("conv"),
        "Conv2d ReLU Conv2d ReLU Conv2d Flatten",
        "Unflatten ConvTranspose2d ReLU ConvTranspose2d ReLU ConvTranspose2d",
        (1 * 16 * 3 * 3 + 16) + (16 * 32 * 3 * 3 + 32) + (32 * 64 * 7 * 7 + 64),
        (64 * 32 * 7 * 7 + 32) + (32 * 16 * 3 * 3 + 16) + (16 * 1 * 3 * 3 + 1),
    ),
    (  # system B: ReLU and batch normalisation, in this order, with a scale and a shift for each channel
        shipped("denoising_conv", code_size=10),
        "Conv2d ReLU BatchNorm2d Conv2d ReLU BatchNorm2d Conv2d Flatten",
        "Unflatten ConvTranspose2d ReLU BatchNorm2d ConvTranspose2d ReLU BatchNorm2d ConvTranspose2d",
        (1 * 32 * 9 + 32) + (32 * 64 * 9 + 64) + (64 * 10 * 49 + 10) + (2 * 32 + 2 * 64),
        (10 * 64 * 49 + 64) + (64 * 32 * 9 + 32) + (32 * 1 * 9 + 1) + (2 * 32 + 2 * 64),
    ),
    (  # system C
        shipped("linear"),
        "Flatten Linear",
        "Linear Unflatten",
        784 * 32 + 32,
        32 * 784 + 784,
    ),
    (
        shipped("conv_linear"),
        "Conv2d Conv2d Flatten Linear",
        "Linear Unflatten ConvTranspose2d ConvTranspose2d",
        (1 * 16 * 9 + 16) + (16 * 32 * 9 + 32) + (32 * 49 * 64 + 64),
        (64 * 32 * 49 + 32 * 49) + (32 * 16 * 9 + 16) + (16 * 1 * 9 + 1),
    ),
    (  # system D: without hidden layers, with 1024 logistic units, and that of Hinton and Salakhutdinov
        shipped("mlp", hidden=[], code_size=2),
        "Flatten Linear",
        "Linear Unflatten",
        784 * 2 + 2,
        2 * 784 + 784,
    ),
    (
        shipped("wide"),
        "Flatten Linear Sigmoid Linear",
        "Linear Sigmoid Linear Unflatten",
        (784 * 1024 + 1024) + (1024 * 32 + 32),
        (32 * 1024 + 1024) + (1024 * 784 + 784),
    ),
    (
        shipped("deep"),
        "Flatten Linear Sigmoid Linear Sigmoid Linear Sigmoid Linear",
        "Linear Sigmoid Linear Sigmoid Linear Sigmoid Linear Unflatten",
        (784 * 1000 + 1000) + (1000 * 500 + 500) + (500 * 250 + 250) + (250 * 30 + 30),
        (30 * 250 + 250) + (250 * 500 + 500) + (500 * 1000 + 1000) + (1000 * 784 + 784),
    ),
]


@pytest.mark.parametrize(("settings", "inwards", "outwards", "encoder", "decoder"), SYSTEMS)
def test_a_system_has_its_layers_and_parameters(
    settings: Architecture, inwards: str, outwards: str, encoder: int, decoder: int
) -> None:
    model = build(settings, (1, 28, 28))
    assert " ".join(kinds_of_layers(model.encoder)) == inwards
    assert " ".join(kinds_of_layers(model.decoder)) == outwards
    assert (count(model.encoder), count(model.decoder)) == (encoder, decoder)


def test_the_totals_are_those_of_the_systems() -> None:
    models = [build(settings, (1, 28, 28)) for settings, *_ in SYSTEMS[:3]]
    assert [count(model) for model in models] == [219_891, 210_369, 100_747]


def test_outputs_and_codes_are_those_of_the_systems() -> None:
    settings = {name: shipped(name) for name in ("denoising_conv", "conv_linear", "deep")}
    found = {name: (choice.output, choice.code_activation) for name, choice in settings.items()}
    linear = "identity"
    assert found == {
        "denoising_conv": ("tanh", linear),
        "conv_linear": ("identity", linear),
        "deep": ("sigmoid", linear),
    }


@pytest.mark.parametrize(("name", "channels"), [("conv", (16, 32)), ("denoising_conv", (32, 64))])
def test_maps_are_halved_and_doubled(name: str, channels: tuple[int, int]) -> None:
    model = build(shipped(name), (1, 28, 28))
    first, second = channels
    down = shapes_after(model.encoder, torch.rand(2, 1, 28, 28), kinds=(nn.Conv2d,))
    assert down == [(first, 14, 14), (second, 7, 7), (64, 1, 1)]
    up = shapes_after(model.decoder, torch.rand(2, 64), kinds=(nn.ConvTranspose2d,))
    assert up == [(second, 7, 7), (first, 14, 14), (1, 28, 28)]  # and not the lecture's 25 x 25


# --- the same by other words ---


def test_an_mlp_can_be_what_fully_connected_is() -> None:
    ours = build(architecture("fully_connected", hidden_sizes=[9, 7]), (1, 8, 8))
    mlp = build(architecture("mlp", hidden=[9, 7], activation="relu"), (1, 8, 8))
    images = torch.rand(3, 1, 8, 8)
    assert torch.equal(mlp(images).reconstruction, ours(images).reconstruction)


@pytest.mark.parametrize("name", ["fully_connected", "mlp"])
def test_without_hidden_layers_it_is_linear(name: str) -> None:
    hidden = {"fully_connected": "hidden_sizes", "mlp": "hidden"}[name]
    model, linear = (
        build(settings, (1, 8, 8)) for settings in (architecture(name, **{hidden: []}), architecture("linear"))
    )
    assert kinds_of_layers(model.encoder) == ["Flatten", "Linear"]
    images = torch.rand(3, 1, 8, 8)
    assert torch.equal(model(images).reconstruction, linear(images).reconstruction)
