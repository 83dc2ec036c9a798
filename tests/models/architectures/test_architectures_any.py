"""Architectures: every one fits every image shape, and has the right shapes, ends and gradients."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from autoenc.models.architectures import ARCHITECTURES, ImageShape
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.layers import weighted_layers
from autoenc.models.output_ranges import OutputName
from autoenc.settings import ConfigError
from tests.models.architectures.architecture_cases import CASES, OF_ITS_OWN, SHAPES, Case, architecture, build

OUTPUTS: tuple[OutputName, ...] = get_args(OutputName)
CODE_ACTIVATIONS = ("identity", "relu", "sigmoid", "tanh")


def test_the_choices() -> None:
    assert ARCHITECTURES.names() == sorted(OF_ITS_OWN)


@pytest.mark.parametrize("image_shape", SHAPES, ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_case_fits_every_shape(case: Case, image_shape: ImageShape) -> None:
    model = build(architecture(case.name, **case.fields), image_shape)
    images = torch.rand(2, *image_shape)
    for trains in (True, False):
        result = model.train(trains)(images)
        assert result.code.shape == (2, 5)
        assert result.raw.shape == images.shape
        assert result.raw.isfinite().all()


@pytest.mark.parametrize("image_shape", [(1, 8, 8), (1, 1, 1)], ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_batch_of_one_image_trains(case: Case, image_shape: ImageShape) -> None:
    # The last batch of an epoch may be of one image, which has no variance.
    model = build(architecture(case.name, **case.fields), image_shape)
    images = torch.rand(1, *image_shape)
    F.mse_loss(model(images).reconstruction, images).backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())
    assert all(buffer.isfinite().all() for buffer in model.buffers())


@pytest.mark.parametrize("image_shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", OF_ITS_OWN)
def test_gradients_reach_every_parameter_by_every_output_and_code_activation(
    name: str, image_shape: ImageShape
) -> None:
    images = torch.rand(16, *image_shape)
    for output, activation in itertools.product(OUTPUTS, CODE_ACTIVATIONS):
        # Wide enough that not all units of a layer are dead at the start.
        wide = {"channels": [12, 16]} if "channels" in OF_ITS_OWN[name] else {}
        model = build(architecture(name, output=output, code_activation=activation, code_size=16, **wide), image_shape)
        F.mse_loss(model(images).reconstruction, images).backward()
        still = [key for key, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
        assert still == [], (output, activation)


@pytest.mark.parametrize("name", OF_ITS_OWN)
@pytest.mark.parametrize("function", [torch.relu, torch.sigmoid, torch.tanh])
def test_the_code_activation_acts_on_the_code(name: str, function: Callable[[Tensor], Tensor]) -> None:
    images = torch.rand(8, 1, 8, 8)
    bare = build(architecture(name, code_activation="identity"), (1, 8, 8)).encode(images)
    code = build(architecture(name, code_activation=function.__name__), (1, 8, 8)).encode(images)
    torch.testing.assert_close(code, function(bare))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_encoder_and_decoder_end_in_raw_numbers(case: Case) -> None:
    # An activation at the end of the decoder would come on top of the model's `output`; normalisation, of the code.
    model = build(architecture(case.name, **case.fields), (1, 8, 8))
    for part, given in ((model.encoder, torch.rand(8, 1, 8, 8)), (model.decoder, torch.randn(8, 5))):
        last = weighted_layers(part)[-1][1]
        with torch.no_grad():
            last.weight.mul_(1000)  # in place, so that tied weights follow
        raw = part(given)
        assert raw.min() < -1.1
        assert raw.max() > 1.1


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_encoder_gives_the_features_a_bottleneck_asks_for(case: Case) -> None:
    encoder, decoder = architecture(case.name, **case.fields, code_size=3).build((1, 8, 8), feature_size=6)
    assert encoder(torch.rand(2, 1, 8, 8)).shape == (2, 6)
    assert decoder(torch.rand(2, 3)).shape == (2, 1, 8, 8)


def test_pixels_keep_their_places() -> None:
    # Flatten and Unflatten undo one another: with identity matrices the linear model gives back the image.
    encoder, decoder = architecture("linear", code_size=24).build((2, 3, 4), feature_size=24)
    model = AutoEncoder(encoder, decoder)
    for name, parameter in model.named_parameters():
        with torch.no_grad():
            parameter.copy_(torch.eye(24) if name.endswith("weight") else torch.zeros(24))
    images = torch.rand(2, 2, 3, 4)
    torch.testing.assert_close(model(images).reconstruction, images)


NUMBER, CHOICE = "it must be a whole number of at least 1", "it must be one of"


@pytest.mark.parametrize(
    ("name", "key", "value", "message"),
    [
        ("conv", "channels", [16, 0], "it must be a list, each item a whole number of at least 1"),
        ("linear", "code_size", 0, NUMBER),
        ("linear", "output", "softmax", f"{CHOICE} identity, sigmoid, tanh"),
        ("linear", "code_activation", "gelu", f"{CHOICE} identity, relu, sigmoid, tanh (did you mean 'relu'?)"),
        ("linear", "initialization", "zeros", f"{CHOICE} auto, torch_default, xavier, kaiming"),
        ("residual", "upsampling", "cubic", f"{CHOICE} transposed, nearest, bilinear, pixel_shuffle"),
        ("residual", "layers_per_block", 0, NUMBER),
        ("mlp", "dropout", 1.0, "it must be a number of at least 0 and below 1"),
        ("mlp", "activation", "swish", f"{CHOICE} relu, leaky_relu, elu, gelu, tanh, sigmoid, identity"),
    ],
)
def test_wrong_fields_are_refused(name: str, key: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        architecture(name, **{key: value})
    assert str(caught.value) == f"architecture.{key}={value}: {message}"
