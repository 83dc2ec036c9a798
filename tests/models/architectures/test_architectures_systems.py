"""Architectures: the systems they reproduce, with parameters counted by hand and layers in their order."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.models.architectures.architecture_cases import (
    architecture,
    build,
    count,
    kinds_of_layers,
    shapes_after,
    shipped,
)

# --- system A ---


def test_fully_connected_has_the_parameters_of_system_a() -> None:
    model = build(shipped("fully_connected"), (1, 28, 28))
    encoder = (784 * 128 + 128) + (128 * 64 + 64) + (64 * 12 + 12) + (12 * 3 + 3)
    decoder = (3 * 12 + 12) + (12 * 64 + 64) + (64 * 128 + 128) + (128 * 784 + 784)
    assert encoder + decoder == 219_891
    assert (count(model.encoder), count(model.decoder)) == (encoder, decoder)
    assert count(model) == 219_891


def test_fully_connected_has_the_layers_of_system_a() -> None:
    model = build(shipped("fully_connected"), (1, 28, 28))
    # A ReLU between two layers, none on the code and none at the end.
    assert kinds_of_layers(model.encoder) == ["Flatten", *["Linear", "ReLU"] * 3, "Linear"]
    assert kinds_of_layers(model.decoder) == [*["Linear", "ReLU"] * 3, "Linear", "Unflatten"]
    linear = (nn.Linear,)
    assert shapes_after(model.encoder, torch.rand(2, 1, 28, 28), kinds=linear) == [(128,), (64,), (12,), (3,)]
    assert shapes_after(model.decoder, torch.rand(2, 3), kinds=linear) == [(12,), (64,), (128,), (784,)]


def test_conv_has_the_parameters_of_system_a() -> None:
    model = build(shipped("conv"), (1, 28, 28))
    encoder = (1 * 16 * 3 * 3 + 16) + (16 * 32 * 3 * 3 + 32) + (32 * 64 * 7 * 7 + 64)
    decoder = (64 * 32 * 7 * 7 + 32) + (32 * 16 * 3 * 3 + 16) + (16 * 1 * 3 * 3 + 1)
    assert encoder + decoder == 210_369
    assert (count(model.encoder), count(model.decoder)) == (encoder, decoder)
    assert count(model) == 210_369


def test_conv_has_the_layers_of_system_a() -> None:
    model = build(shipped("conv"), (1, 28, 28))
    assert kinds_of_layers(model.encoder) == [*["Conv2d", "ReLU"] * 2, "Conv2d", "Flatten"]
    assert kinds_of_layers(model.decoder) == ["Unflatten", "ConvTranspose2d", *["ReLU", "ConvTranspose2d"] * 2]
    down = shapes_after(model.encoder, torch.rand(2, 1, 28, 28), kinds=(nn.Conv2d,))
    assert down == [(16, 14, 14), (32, 7, 7), (64, 1, 1)]
    up = shapes_after(model.decoder, torch.rand(2, 64), kinds=(nn.ConvTranspose2d,))
    assert up == [(32, 7, 7), (16, 14, 14), (1, 28, 28)]
    for layer in (model.encoder[0], model.encoder[2], model.decoder[3], model.decoder[5]):  # type: ignore[index]
        assert (layer.kernel_size, layer.stride, layer.padding) == ((3, 3), (2, 2), (1, 1))
    for layer in (model.decoder[3], model.decoder[5]):  # type: ignore[index]
        assert layer.output_padding == (1, 1)


# --- system B ---


def test_denoising_conv_has_the_parameters_of_system_b() -> None:
    model = build(shipped("denoising_conv", code_size=10), (1, 28, 28))
    normalisation = 2 * 32 + 2 * 64  # a scale and a shift for each channel
    encoder = (1 * 32 * 9 + 32) + (32 * 64 * 9 + 64) + (64 * 10 * 49 + 10) + normalisation
    decoder = (10 * 64 * 49 + 64) + (64 * 32 * 9 + 32) + (32 * 1 * 9 + 1) + normalisation
    assert (count(model.encoder), count(model.decoder)) == (encoder, decoder)
    assert count(model) == encoder + decoder == 100_747


def test_denoising_conv_has_the_layers_of_system_b() -> None:
    settings = shipped("denoising_conv")
    model = build(settings, (1, 28, 28))
    assert settings.output == "tanh"
    # ReLU and batch normalisation, in this order, after every layer but the last.
    assert kinds_of_layers(model.encoder) == [*["Conv2d", "ReLU", "BatchNorm2d"] * 2, "Conv2d", "Flatten"]
    up = ["ReLU", "BatchNorm2d", "ConvTranspose2d"]
    assert kinds_of_layers(model.decoder) == ["Unflatten", "ConvTranspose2d", *up * 2]
    sizes = shapes_after(model.encoder, torch.rand(2, 1, 28, 28), kinds=(nn.Conv2d,))
    assert sizes == [(32, 14, 14), (64, 7, 7), (64, 1, 1)]
    back = shapes_after(model.decoder, torch.rand(2, 64), kinds=(nn.ConvTranspose2d,))
    assert back == [(64, 7, 7), (32, 14, 14), (1, 28, 28)]  # and not the lecture's 25 x 25


# --- system C ---


def test_linear_is_one_affine_map_each_way() -> None:
    model = build(shipped("linear"), (1, 28, 28))
    assert kinds_of_layers(model.encoder) == ["Flatten", "Linear"]
    assert kinds_of_layers(model.decoder) == ["Linear", "Unflatten"]
    assert count(model) == (784 * 32 + 32) + (32 * 784 + 784) == 50_992


def test_conv_linear_has_convolutions_and_linear_layers_alone() -> None:
    settings = shipped("conv_linear")
    model = build(settings, (1, 28, 28))
    assert (settings.output, settings.code_activation) == ("identity", "identity")
    assert kinds_of_layers(model.encoder) == ["Conv2d", "Conv2d", "Flatten", "Linear"]
    assert kinds_of_layers(model.decoder) == ["Linear", "Unflatten", "ConvTranspose2d", "ConvTranspose2d"]
    strided = (1 * 16 * 9 + 16) + (16 * 32 * 9 + 32)
    encoder = strided + (32 * 49 * 64 + 64)
    decoder = (64 * 32 * 49 + 32 * 49) + (32 * 16 * 9 + 16) + (16 * 1 * 9 + 1)
    assert (count(model.encoder), count(model.decoder)) == (encoder, decoder)


# --- system D ---


def test_an_mlp_without_hidden_layers_is_the_vanilla_one_of_system_d() -> None:
    model = build(shipped("mlp", hidden=[], code_size=2), (1, 28, 28))
    assert kinds_of_layers(model.encoder) == ["Flatten", "Linear"]
    assert kinds_of_layers(model.decoder) == ["Linear", "Unflatten"]
    assert count(model) == (784 * 2 + 2) + (2 * 784 + 784) == 3_922


def test_wide_has_1024_logistic_units() -> None:
    model = build(shipped("wide"), (1, 28, 28))
    assert kinds_of_layers(model.encoder) == ["Flatten", "Linear", "Sigmoid", "Linear"]
    assert kinds_of_layers(model.decoder) == ["Linear", "Sigmoid", "Linear", "Unflatten"]
    encoder = (784 * 1024 + 1024) + (1024 * 32 + 32)
    decoder = (32 * 1024 + 1024) + (1024 * 784 + 784)
    assert (count(model.encoder), count(model.decoder)) == (encoder, decoder)
    assert count(model) == 1_674_032


def test_deep_is_that_of_hinton_and_salakhutdinov() -> None:
    settings = shipped("deep")
    model = build(settings, (1, 28, 28))
    assert (settings.output, settings.code_activation) == ("sigmoid", "identity")  # a linear code
    assert kinds_of_layers(model.encoder) == ["Flatten", *["Linear", "Sigmoid"] * 3, "Linear"]
    assert kinds_of_layers(model.decoder) == [*["Linear", "Sigmoid"] * 3, "Linear", "Unflatten"]
    encoder = (784 * 1000 + 1000) + (1000 * 500 + 500) + (500 * 250 + 250) + (250 * 30 + 30)
    decoder = (30 * 250 + 250) + (250 * 500 + 500) + (500 * 1000 + 1000) + (1000 * 784 + 784)
    assert (count(model.encoder), count(model.decoder)) == (encoder, decoder)
    assert count(model) == 2_837_314


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
