"""Pictures of convolutions: their matrices, and the spectrum of what they make."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks import Plain
from autoenc.pictures.matrix import Matrix
from autoenc.pictures.power_spectra import checkerboard, power_spectrum
from autoenc.pictures.spectrum import Spectrum
from tests.pictures.subjects import images_of, measured, subject_from, subject_of

SMALL = images_of(20, 1, 8, 8)
LARGE = images_of(40, 1, 28, 28)


def by_hand(kernel: Tensor, *, side: int, geometry: tuple[int, int, int]) -> Tensor:
    """The convolution's matrix, entry by entry from its definition."""
    stride, padding, dilation = geometry
    height, width = ((side + 2 * padding - dilation * (length - 1) - 1) // stride + 1 for length in kernel.shape)
    found = torch.zeros(height * width, side * side, dtype=torch.float64)
    for row, column in np.ndindex(height, width):
        for down, across in np.ndindex(*kernel.shape):
            y, x = row * stride - padding + down * dilation, column * stride - padding + across * dilation
            if 0 <= y < side and 0 <= x < side:
                found[row * width + column, y * side + x] = kernel[down, across]
    return found


@pytest.mark.parametrize(
    ("shape", "geometry"),
    [
        ((4, 4), (2, 1, 1)),
        ((5, 2), (3, 2, 1)),
        ((3, 3), (1, 2, 2)),
        ((8, 8), (1, 0, 1)),
    ],
)
def test_a_convolution_and_its_transpose_are_one_matrix_and_its_transpose(
    shape: tuple[int, int], geometry: tuple[int, int, int]
) -> None:
    stride, padding, dilation = geometry
    kernel = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = Matrix.of(kernel, stride=stride, padding=padding, dilation=dilation)
    expected = by_hand(kernel, side=8, geometry=geometry).numpy()
    np.testing.assert_allclose(found.convolution, expected, atol=1e-12)
    np.testing.assert_allclose(found.transposed, expected.T, atol=1e-12)
    assert found.deviation < 1e-12
    assert (found.side, found.stride, found.padding) == (8, stride, padding)


def test_a_larger_kernel_has_an_image_of_its_size() -> None:
    found = Matrix.of(torch.ones(11, 11, dtype=torch.float64), stride=1, padding=0, dilation=1)
    assert found.convolution.shape == (1, 121)


def test_the_strongest_kernel_of_the_first_layer_is_shown() -> None:
    layer = nn.Conv2d(2, 3, 3, stride=2, padding=1)
    with torch.no_grad():
        layer.weight[2, 1] *= 10
    decoder = nn.Sequential(nn.Linear(48, 128), nn.Unflatten(1, (2, 8, 8)))
    images = images_of(5, 2, 8, 8)
    found = Matrix.measure(
        subject_of(AutoEncoder(nn.Sequential(layer, nn.Flatten()), decoder), train=images, test=images)
    )
    assert found is not None
    np.testing.assert_allclose(found.kernel, layer.weight[2, 1].detach().numpy())
    assert found.convolution.shape == (16, 64)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Linear(8, 3),
        nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(1, 2, 3, padding="same"),
        nn.Conv2d(1, 2, 3, stride=(1, 2)),
        nn.Flatten(),
    ],
    ids=repr,
)
def test_other_first_layers_have_no_matrix(layer: nn.Module) -> None:
    model = AutoEncoder(nn.Sequential(layer, nn.Flatten()), nn.Identity())
    assert Matrix.measure(subject_of(model, train=SMALL, test=SMALL)) is None


class Striped(nn.Module):
    """A decoder that adds a checkerboard of an amplitude to the code, which is the image."""

    def __init__(self, amplitude: float) -> None:
        super().__init__()
        self.amplitude = amplitude

    def forward(self, code: Tensor) -> Tensor:
        board = (-1.0) ** (torch.arange(28)[:, None] + torch.arange(28))
        return code.reshape(-1, 1, 28, 28) + self.amplitude * board


def striped(amplitude: float) -> AutoEncoder:
    return AutoEncoder(nn.Flatten(), Striped(amplitude), bottleneck=Plain(code_size=784))


def test_the_spectra_are_those_of_originals_reconstructions_and_the_untrained_decoder() -> None:
    model, before = (striped(amplitude) for amplitude in (0.5, 2.0))
    subject = subject_of(model, train=LARGE, test=LARGE, untrained=before, has_upsampling=True)
    found = measured(Spectrum, subject)
    originals = LARGE.numpy() / 255
    np.testing.assert_allclose(found.originals, power_spectrum(originals))
    board = (-1.0) ** np.add.outer(np.arange(28), np.arange(28))
    np.testing.assert_allclose(found.reconstructions, power_spectrum(originals + 0.5 * board), rtol=1e-3, atol=1e-6)
    assert checkerboard(found.reconstructions) > checkerboard(found.originals) + 3
    # 500 codes from N(0, I) are white noise of variance 1.
    assert found.untrained[20:28, 4:16].mean() == pytest.approx(1, rel=0.05)
    window = np.outer(np.hanning(30)[1:-1], np.hanning(30)[1:-1])
    assert found.untrained[32, 32] == pytest.approx(1 + 4 * window.sum() ** 2 / (window**2).sum(), rel=0.05)


def test_only_of_models_with_upsampling_and_of_images_that_are_large_enough() -> None:
    model = striped(0.5)
    assert Spectrum.measure(subject_of(model, train=LARGE, test=LARGE)) is None
    assert Spectrum.measure(subject_of(model, train=SMALL, test=SMALL, has_upsampling=True)) is None


@pytest.mark.parametrize("upsampling", ["transposed", "nearest", "bilinear", "pixel_shuffle"])
def test_an_untrained_decoder_leaves_checkerboards_by_transposed_convolutions_alone(upsampling: str) -> None:
    # Odena et al. 2016: it is the overlap of the kernels, and not the training, that makes them.
    overrides = ["architecture=conv", "architecture.code_size=8", "architecture.channels=[8,16]"]
    subject = subject_from(*overrides, f"architecture.upsampling={upsampling}", train=LARGE, test=LARGE)
    torch.manual_seed(1)
    random = torch.get_rng_state()
    found = Spectrum.measure(subject)
    assert torch.equal(torch.get_rng_state(), random)  # though a model was built
    assert found is not None
    assert (checkerboard(found.untrained) > 8) == (upsampling == "transposed")
