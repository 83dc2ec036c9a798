"""Architectures: parameters counted by hand, shapes, and that every combination works."""

from __future__ import annotations

import itertools
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

from autoenc.architectures import ARCHITECTURES, Architecture, ImageShape
from autoenc.architectures.architecture import CodeActivation
from autoenc.autoencoder import AutoEncoder
from autoenc.losses import MeanSquaredError
from autoenc.output_ranges import OutputName
from autoenc.settings import ConfigError

OUTPUTS: tuple[OutputName, ...] = get_args(OutputName)
CODE_ACTIVATIONS: tuple[CodeActivation, ...] = get_args(CodeActivation)
SHAPES: list[ImageShape] = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (1, 29, 31), (1, 1, 1)]
OF_ITS_OWN: dict[str, dict[str, Any]] = {
    "linear": {},
    "fully_connected": {"hidden_sizes": [9, 7]},
    "conv": {"channels": [4, 6]},
}


def architecture(name: str, **fields: object) -> Architecture:
    common = {"code_size": 5, "code_activation": "identity", "output": "sigmoid"}
    return ARCHITECTURES.parse({"name": name, **OF_ITS_OWN[name], **common, **fields})


def build(settings: Architecture, image_shape: ImageShape) -> AutoEncoder:
    torch.manual_seed(0)
    parts = settings.build(image_shape, feature_size=settings.code_size)
    return AutoEncoder(parts.encoder, parts.decoder, output=settings.output)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def shapes_after(module: nn.Module, given: Tensor, *, kinds: tuple[type[nn.Module], ...]) -> list[tuple[int, ...]]:
    """The shapes, without the batch, that leave the layers of these kinds."""
    shapes: list[tuple[int, ...]] = []

    def record(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        shapes.append(tuple(output.shape[1:]))

    hooks = [layer.register_forward_hook(record) for layer in module.modules() if isinstance(layer, kinds)]
    module(given)
    for hook in hooks:
        hook.remove()
    return shapes


def kinds_of_layers(module: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in module.children()]


def test_the_choices() -> None:
    assert ARCHITECTURES.names() == sorted(OF_ITS_OWN)


# --- system A, to the letter ---


def test_fully_connected_has_the_parameters_of_system_a() -> None:
    model = build(architecture("fully_connected", hidden_sizes=[128, 64, 12], code_size=3), (1, 28, 28))
    encoder = (784 * 128 + 128) + (128 * 64 + 64) + (64 * 12 + 12) + (12 * 3 + 3)
    decoder = (3 * 12 + 12) + (12 * 64 + 64) + (64 * 128 + 128) + (128 * 784 + 784)
    assert encoder + decoder == 219_891
    assert (count(model.encoder), count(model.decoder)) == (encoder, decoder)
    assert count(model) == 219_891


def test_fully_connected_has_the_layers_of_system_a() -> None:
    model = build(architecture("fully_connected", hidden_sizes=[128, 64, 12], code_size=3), (1, 28, 28))
    # A ReLU between two layers, none on the code and none at the end.
    assert kinds_of_layers(model.encoder) == ["Flatten", *["Linear", "ReLU"] * 3, "Linear"]
    assert kinds_of_layers(model.decoder) == [*["Linear", "ReLU"] * 3, "Linear", "Unflatten"]
    linear = (nn.Linear,)
    assert shapes_after(model.encoder, torch.rand(2, 1, 28, 28), kinds=linear) == [(128,), (64,), (12,), (3,)]
    assert shapes_after(model.decoder, torch.rand(2, 3), kinds=linear) == [(12,), (64,), (128,), (784,)]


def test_conv_has_the_parameters_of_system_a() -> None:
    model = build(architecture("conv", channels=[16, 32], code_size=64), (1, 28, 28))
    encoder = (1 * 16 * 3 * 3 + 16) + (16 * 32 * 3 * 3 + 32) + (32 * 64 * 7 * 7 + 64)
    decoder = (64 * 32 * 7 * 7 + 32) + (32 * 16 * 3 * 3 + 16) + (16 * 1 * 3 * 3 + 1)
    assert encoder + decoder == 210_369
    assert (count(model.encoder), count(model.decoder)) == (encoder, decoder)
    assert count(model) == 210_369


def test_conv_has_the_layers_of_system_a() -> None:
    model = build(architecture("conv", channels=[16, 32], code_size=64), (1, 28, 28))
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


def test_linear_is_one_affine_map_each_way() -> None:
    model = build(architecture("linear", code_size=32), (1, 28, 28))
    assert kinds_of_layers(model.encoder) == ["Flatten", "Linear"]
    assert kinds_of_layers(model.decoder) == ["Linear", "Unflatten"]
    assert count(model) == (784 * 32 + 32) + (32 * 784 + 784) == 50_992


# --- any goes with any ---


@pytest.mark.parametrize("image_shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", OF_ITS_OWN)
def test_every_combination_keeps_shapes(name: str, image_shape: ImageShape) -> None:
    images = torch.rand(2, *image_shape)
    for output, activation in itertools.product(OUTPUTS, CODE_ACTIVATIONS):
        model = build(architecture(name, output=output, code_activation=activation), image_shape)
        result = model(images)
        assert result.code.shape == (2, 5)
        assert result.reconstruction.shape == images.shape
        assert result.reconstruction.isfinite().all()


@pytest.mark.parametrize("image_shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", OF_ITS_OWN)
def test_gradients_reach_every_parameter(name: str, image_shape: ImageShape) -> None:
    images = torch.rand(16, *image_shape)
    for output, activation in itertools.product(OUTPUTS, CODE_ACTIVATIONS):
        # Wide enough that not all units of a layer are dead at the start.
        wide = {"conv": {"channels": [12, 16]}}.get(name, {})
        model = build(architecture(name, output=output, code_activation=activation, code_size=16, **wide), image_shape)
        model.objective(model(images), MeanSquaredError(), target=images).backward()
        still = [key for key, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
        assert still == [], (output, activation)


@pytest.mark.parametrize("name", OF_ITS_OWN)
@pytest.mark.parametrize(
    ("activation", "low", "high"),
    [("identity", None, None), ("relu", 0, None), ("sigmoid", 0, 1), ("tanh", -1, 1)],
)
def test_the_code_activation_acts_on_the_code(
    name: str, activation: CodeActivation, low: float | None, high: float | None
) -> None:
    functions = {"identity": lambda x: x, "relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}
    images = 20 * torch.rand(8, 1, 8, 8)  # bright, so that the bounds are met
    bare = build(architecture(name, code_activation="identity"), (1, 8, 8)).encode(images)
    code = build(architecture(name, code_activation=activation), (1, 8, 8)).encode(images)
    torch.testing.assert_close(code, functions[activation](bare))
    assert bare.min() < 0 < bare.max()
    if low is not None:
        assert code.min() >= low
    if high is not None:
        assert code.max() <= high


@pytest.mark.parametrize("name", OF_ITS_OWN)
def test_the_decoder_ends_in_raw_numbers(name: str) -> None:
    # An activation at the end of the decoder would come on top of the model's `output`.
    raw = build(architecture(name), (1, 8, 8)).decoder(100 * torch.randn(8, 5))
    assert raw.min() < -1
    assert raw.max() > 1


@pytest.mark.parametrize("name", OF_ITS_OWN)
def test_the_encoder_gives_the_features_a_bottleneck_asks_for(name: str) -> None:
    encoder, decoder = architecture(name, code_size=3).build((1, 8, 8), feature_size=6)
    assert encoder(torch.rand(2, 1, 8, 8)).shape == (2, 6)
    assert decoder(torch.rand(2, 3)).shape == (2, 1, 8, 8)


@pytest.mark.parametrize("depth", [0, 1, 3, 6])
@pytest.mark.parametrize("image_shape", SHAPES, ids=str)
def test_conv_of_any_depth_fits_any_shape(image_shape: ImageShape, depth: int) -> None:
    model = build(architecture("conv", channels=[2] * depth), image_shape)
    assert model(torch.rand(2, *image_shape)).reconstruction.shape == (2, *image_shape)


def test_conv_mirrors_odd_sizes_step_by_step() -> None:
    model = build(architecture("conv", channels=[2, 3, 4]), (1, 29, 31))
    down = shapes_after(model.encoder, torch.rand(1, 1, 29, 31), kinds=(nn.Conv2d,))
    up = shapes_after(model.decoder, torch.rand(1, 5), kinds=(nn.ConvTranspose2d,))
    assert down == [(2, 15, 16), (3, 8, 8), (4, 4, 4), (5, 1, 1)]
    assert up == [(4, 4, 4), (3, 8, 8), (2, 15, 16), (1, 29, 31)]


def test_fully_connected_without_hidden_layers_is_linear() -> None:
    model = build(architecture("fully_connected", hidden_sizes=[]), (1, 8, 8))
    assert kinds_of_layers(model.encoder) == ["Flatten", "Linear"]
    assert count(model) == count(build(architecture("linear"), (1, 8, 8)))


def test_pixels_keep_their_places() -> None:
    # Flatten and Unflatten undo one another: with identity matrices the linear model gives back the image.
    encoder, decoder = architecture("linear", code_size=24).build((2, 3, 4), feature_size=24)
    model = AutoEncoder(encoder, decoder)
    for name, parameter in model.named_parameters():
        with torch.no_grad():
            parameter.copy_(torch.eye(24) if name.endswith("weight") else torch.zeros(24))
    images = torch.rand(2, 2, 3, 4)
    torch.testing.assert_close(model(images).reconstruction, images)


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        (
            "conv",
            {"channels": [16, 0]},
            "architecture.channels=[16, 0]: it must be a list, each item a whole number of at least 1",
        ),
        ("linear", {"code_size": 0}, "architecture.code_size=0: it must be a whole number of at least 1"),
        (
            "linear",
            {"output": "softmax"},
            "architecture.output=softmax: it must be one of identity, sigmoid, tanh",
        ),
        (
            "linear",
            {"code_activation": "gelu"},
            "architecture.code_activation=gelu: it must be one of identity, relu, sigmoid, tanh",
        ),
    ],
)
def test_wrong_fields_are_refused(name: str, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        architecture(name, **fields)
    assert str(caught.value) == message


def test_the_base_class_builds_nothing() -> None:
    with pytest.raises(NotImplementedError):
        Architecture(code_size=1, code_activation="identity", output="identity").build((1, 8, 8), feature_size=1)
