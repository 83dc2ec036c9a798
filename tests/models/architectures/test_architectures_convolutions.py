"""Architectures: convolutions, their transposes, steps up and down, and residual connections."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autoenc.models.architectures import ImageShape
from autoenc.models.architectures.architecture import EncoderDecoder
from autoenc.models.architectures.initialization import initialise
from autoenc.models.architectures.residual import ResidualLayer
from autoenc.models.architectures.upsampling import Size, SubPixelConv2d, Upsampling, halved_sizes, step_down, step_up
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.layers import weighted_layers
from tests.models.architectures.architecture_cases import (
    CONVOLUTIONAL,
    UPSAMPLINGS,
    architecture,
    build,
    count,
    shapes_after,
)

SIZES: list[tuple[Size, Size]] = [
    ((4, 4), (8, 8)),
    ((4, 5), (7, 9)),
    ((4, 5), (8, 9)),
    ((1, 1), (1, 2)),
    ((1, 1), (1, 1)),
]


def matrix_of(function: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> Tensor:
    """The matrix of a linear map of tensors of this shape: a column for what becomes of each unit vector."""
    size = torch.Size(shape).numel()
    return function(torch.eye(size).view(size, *shape)).flatten(1).T


@pytest.mark.parametrize(("small", "large"), SIZES)
def test_a_transposed_step_up_is_the_transpose_of_the_step_down(small: Size, large: Size) -> None:
    down = step_down(2, 3, bias=False)
    (up,) = step_up(3, 2, small=small, large=large, upsampling="transposed", bias=False)
    with torch.no_grad():
        up.weight.copy_(down.weight)  # type: ignore[operator]
    torch.testing.assert_close(matrix_of(up, (3, *small)), matrix_of(down, (2, *large)).T)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
@pytest.mark.parametrize(("small", "large"), SIZES)
def test_a_step_up_undoes_a_step_down_in_size(small: Size, large: Size, upsampling: Upsampling, bias: bool) -> None:
    assert halved_sizes(large, times=1) == [large, small]
    assert step_down(2, 3)(torch.rand(2, 2, *large)).shape == (2, 3, *small)
    step = nn.Sequential(*step_up(3, 2, small=small, large=large, upsampling=upsampling, bias=bias))
    assert step(torch.rand(2, 3, *small)).shape == (2, 2, *large)
    kernels = 4 if upsampling == "pixel_shuffle" else 1
    assert count(step) == kernels * (3 * 2 * 9 + 2 * bias)


def step_with_centre_kernel(upsampling: Upsampling, *, large: Size) -> nn.Sequential:
    """A step up from one channel to one whose convolution takes every pixel as it is."""
    small = halved_sizes(large, times=1)[1]
    step = nn.Sequential(*step_up(1, 1, small=small, large=large, upsampling=upsampling, bias=False))
    with torch.no_grad():
        for _, layer in weighted_layers(step):
            layer.weight.zero_()
            layer.weight[..., 1, 1] = 1
    return step


def test_nearest_repeats_every_pixel() -> None:
    step = step_with_centre_kernel("nearest", large=(3, 4))  # of 4 x 4, without the last row
    result = step(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))
    assert result.tolist() == [[[[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4]]]]


def test_bilinear_interpolates_between_centres() -> None:
    step = step_with_centre_kernel("bilinear", large=(2, 5))
    result = step(torch.tensor([[[[0.0, 4.0, 8.0]]]]))
    # New centres lie a quarter of an old pixel beside the old ones; beyond the outermost, they repeat it.
    assert result.tolist() == [[[[0, 1, 3, 5, 7], [0, 1, 3, 5, 7]]]]


def test_pixel_shuffle_puts_four_channels_into_a_pixel_s_place() -> None:
    step = step_with_centre_kernel("pixel_shuffle", large=(2, 3))
    with torch.no_grad():
        step[0].weight[:, 0, 1, 1] = torch.tensor([1.0, 2.0, 3.0, 4.0])  # type: ignore[operator]
    assert step(torch.tensor([[[[1.0, 10.0]]]])).tolist() == [[[[1, 2, 10], [3, 4, 30]]]]


def test_pixel_shuffle_starts_as_a_nearest_neighbour_upsampling() -> None:
    layer = SubPixelConv2d(2, 3)
    torch.manual_seed(0)
    initialise(EncoderDecoder(layer, nn.Identity()), "torch_default")
    result = layer(torch.rand(2, 2, 4, 5))  # (2, 3, 8, 10)
    torch.testing.assert_close(result, F.interpolate(result[..., ::2, ::2], scale_factor=2))
    assert layer.weight[0].ne(layer.weight[4]).any()  # while channels differ


# --- whole architectures ---


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
@pytest.mark.parametrize("name", CONVOLUTIONAL)
@pytest.mark.parametrize("depth", [1, 6])
@pytest.mark.parametrize("image_shape", [(1, 29, 31), (1, 1, 1)], ids=str)
def test_any_depth_fits_any_shape(image_shape: ImageShape, depth: int, name: str, upsampling: Upsampling) -> None:
    model = build(architecture(name, channels=[2] * depth, upsampling=upsampling), image_shape)
    assert model(torch.rand(2, *image_shape)).reconstruction.shape == (2, *image_shape)


@pytest.mark.parametrize("name", ["conv", "denoising_conv"])
def test_odd_sizes_are_mirrored_step_by_step(name: str) -> None:
    model = build(architecture(name, channels=[2, 3, 4], upsampling="transposed"), (1, 29, 31))
    down = shapes_after(model.encoder, torch.rand(2, 1, 29, 31), kinds=(nn.Conv2d,))
    up = shapes_after(model.decoder, torch.rand(2, 5), kinds=(nn.ConvTranspose2d,))
    assert down == [(2, 15, 16), (3, 8, 8), (4, 4, 4), (5, 1, 1)]
    assert up == [(4, 4, 4), (3, 8, 8), (2, 15, 16), (1, 29, 31)]


def is_affine(model: AutoEncoder, image_shape: ImageShape) -> bool:
    """Whether f(a) + f(b) - f(0) = f(a + b)."""
    torch.manual_seed(1)
    one, other = torch.rand(2, 4, *image_shape, dtype=torch.float64)
    decoded, sums = (
        model.double()(images).reconstruction
        for images in (torch.stack([one, other, 0 * one]).flatten(0, 1), one + other)
    )
    first, second, zero = decoded.unflatten(0, (3, 4))
    return torch.allclose(first + second - zero, sums, rtol=0, atol=1e-10)


@pytest.mark.parametrize("image_shape", [(1, 8, 8), (3, 9, 11)], ids=str)
@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_conv_linear_is_affine(upsampling: Upsampling, image_shape: ImageShape) -> None:
    affine = architecture("conv_linear", channels=[4, 6], upsampling=upsampling, output="identity")
    assert is_affine(build(affine, image_shape), image_shape)
    for name in ("conv", "residual"):  # so that the measure is seen to tell
        other = architecture(name, channels=[4, 6], upsampling=upsampling, output="identity")
        assert not is_affine(build(other, image_shape).eval(), image_shape)


def test_linear_is_affine() -> None:
    assert is_affine(build(architecture("linear", output="identity"), (1, 8, 8)), (1, 8, 8))
    assert not is_affine(build(architecture("mlp", output="identity"), (1, 8, 8)), (1, 8, 8))


# --- residual connections ---


def residual(**fields: Any) -> AutoEncoder:
    return build(architecture("residual", **fields), (1, 9, 10))


@pytest.mark.parametrize("batch_norm", [True, False])
def test_switched_off_the_connections_leave_every_parameter_as_it_was(batch_norm: bool) -> None:
    on, off = (residual(residual=connected, batch_norm=batch_norm) for connected in (True, False))
    for (name, one), (same, other) in itertools.zip_longest(on.state_dict().items(), off.state_dict().items()):
        assert name == same
        assert torch.equal(one, other), name
    images = torch.rand(3, 1, 9, 10)
    assert not torch.allclose(on(images).raw, off(images).raw)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_a_layer_that_changes_nothing_hands_on_what_it_was_given(batch_norm: bool) -> None:
    given = torch.rand(2, 3, 4, 5)
    for connected in (True, False):
        layer = ResidualLayer(3, residual=connected, batch_norm=batch_norm)
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)
        assert torch.equal(layer(given), given if connected else 0 * given)


def test_a_residual_layer_adds_before_the_relu() -> None:
    layer = ResidualLayer(1, residual=True, batch_norm=False)
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    nn.init.constant_(layer.change[0].bias, -2.0)  # type: ignore[arg-type]
    assert layer(torch.tensor([[[[1.0, 5.0]]]])).tolist() == [[[[0, 3]]]]


@pytest.mark.parametrize("layers", [1, 3])
def test_the_parameters_of_a_residual_one_by_hand(layers: int) -> None:
    fields: dict[str, Any] = {"channels": [4, 6], "code_size": 5, "layers_per_block": layers}
    # 9 x 10, 5 x 5, 3 x 3
    down = (1 * 4 * 9) + layers * (4 * 4 * 9) + (4 * 6 * 9) + layers * (6 * 6 * 9)
    up = (5 * 6 * 9) + layers * (6 * 6 * 9) + (6 * 4 * 9) + layers * (4 * 4 * 9)
    last = {"encoder": 6 * 5 * 9 + 5, "decoder": 4 * 1 * 9 + 1}
    channels = (1 + layers) * (4 + 6)  # of the convolutions that a bias, or a scale and a shift, goes with
    plain = residual(batch_norm=False, **fields)
    assert count(plain.encoder) == down + channels + last["encoder"]
    assert count(plain.decoder) == up + channels + last["decoder"]
    normalised = residual(batch_norm=True, **fields)
    assert count(normalised) == count(plain) + 2 * channels
