"""The spectrum of images and the matrix of a convolution, on signals and kernels whose numbers are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.image import FigureImage
from numpy.typing import NDArray
from torch import Tensor, nn

from autoenc.evaluation.power_spectrum import checkerboard, power_spectrum
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks.bottleneck import Plain
from autoenc.pictures.kernel_overlap import overlap_counts
from autoenc.pictures.matrix import Matrix
from autoenc.pictures.page import MOST_PAGE_WIDTH
from autoenc.pictures.spectrum import Spectrum
from tests.pictures.pages import all_of, check_layout, draw
from tests.pictures.subjects import images_of, measured, subject_from, subject_of

SIDE = 32
Floats = NDArray[np.float64]


def noise(count: int = 300, *, height: int = SIDE, width: int = SIDE, channels: int = 1, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=(count, channels, height, width))


def smooth(count: int = 300, *, side: int = SIDE, seed: int = 0) -> Floats:
    """Noise of large blobs, with a power of 1 below frequencies of about 0.05, on a floor of 0.001."""
    frequency = np.fft.fftfreq(side)
    gain = np.sqrt(np.exp(-np.add.outer(frequency**2, frequency**2) / (2 * 0.05**2)) + 0.001)
    white = np.random.default_rng(seed).normal(size=(count, 1, side, side))
    return np.asarray(np.fft.ifft2(np.fft.fft2(white) * gain).real)


def board(side: int = SIDE) -> Floats:
    return np.asarray((-1.0) ** np.add.outer(np.arange(side), np.arange(side)))


@pytest.mark.parametrize(("height", "width"), [(29, 31), (24, 80)])
def test_white_noise_has_its_variance_at_every_frequency(height: int, width: int) -> None:
    power = power_spectrum(2 * noise(height=height, width=width) + 5)
    size = 64 if max(height, width) <= 64 else 128
    assert power.shape == (size, size)
    away = power[size // 4 : -size // 4, size // 4 : -size // 4]  # of the mean, which is taken off
    assert away.mean() == pytest.approx(4, rel=0.05)
    assert power[0, 0] == pytest.approx(0, abs=1e-9)


def test_a_wave_stands_where_its_frequency_is() -> None:
    wave = np.cos(2 * np.pi * np.arange(SIDE) * 0.25)
    across = np.broadcast_to(wave, (1, 1, SIDE, SIDE))
    power = power_spectrum(across)
    assert power[:33, :33].argmax() == 16  # vertical 0, horizontal 1/4
    power = power_spectrum(across.transpose(0, 1, 3, 2))
    assert power[:33, :33].argmax() == 16 * 33


def test_edges_do_not_stand_for_frequencies() -> None:
    ramp = np.broadcast_to(np.linspace(0, 1, SIDE), (1, 1, SIDE, SIDE))
    power = power_spectrum(ramp)
    assert power[0, 32] < 1e-6 * power.max()


def test_it_is_the_mean_over_images_and_channels() -> None:
    images = noise(4, channels=3)
    each = [power_spectrum(image[None, channel : channel + 1]) for image in images for channel in range(3)]
    np.testing.assert_allclose(power_spectrum(images), np.mean(each, axis=0), rtol=1e-10)


def test_it_is_zero_for_a_smooth_spectrum() -> None:
    assert checkerboard(power_spectrum(smooth(1000, side=24))) == pytest.approx(0, abs=0.3)


def test_it_is_the_definition() -> None:
    decibels = np.zeros((64, 64))
    decibels[32, 0], decibels[0, 32], decibels[32, 32] = 3, 6, 9
    assert checkerboard(10 ** (decibels / 10)) == pytest.approx(6)
    decibels[28, 0] = decibels[36, 4] = 8  # two neighbours of the first: 1/16 of 64 is 4
    assert checkerboard(10 ** (decibels / 10)) == pytest.approx(6 - 2 * 8 / 8 / 3)
    decibels[30, 0] = 80  # no neighbour
    assert checkerboard(10 ** (decibels / 10)) == pytest.approx(6 - 2 * 8 / 8 / 3)


def test_without_power_it_is_undefined() -> None:
    assert np.isnan(checkerboard(np.zeros((64, 64))))


def picture(seed: int = 0) -> Spectrum:
    return Spectrum(
        originals=power_spectrum(smooth(20, seed=seed)),
        reconstructions=power_spectrum(smooth(20, seed=seed) * (1 + 0.5 * board())),
        untrained=power_spectrum(noise(20, seed=seed) + board()),
    )


def test_zero_is_in_the_middle_and_the_numbers_are_told() -> None:
    check_layout(draw(*(picture(seed) for seed in range(3))))
    shown = picture()
    found = draw(shown)
    drawn = [np.asarray(image.get_array())[::3, ::3].sum(axis=2, dtype=int) for image in found.findobj(FigureImage)]
    original, reconstruction, untrained = drawn
    assert untrained[0, 0] == untrained[0, 64] == untrained[64, 0] == untrained[64, 64] == untrained.max()
    assert original[32, 28] > original[32, 2]
    assert reconstruction[0, 0] > original[0, 0]
    text = all_of(found).replace("\N{MINUS SIGN}", "-")
    assert f"reconstructions {checkerboard(shown.reconstructions):+.1f} dB" in text


def test_the_vertical_axis_points_up() -> None:
    tall = power_spectrum(noise(5) + 3 * np.cos(2 * np.pi * np.add.outer(np.arange(SIDE), np.arange(SIDE)) / 8))
    shown = Spectrum(originals=tall, reconstructions=tall, untrained=tall)
    pixels = np.asarray(draw(shown).findobj(FigureImage)[0].get_array())[::3, ::3].sum(axis=2, dtype=int)
    assert pixels[32 - 8, 32 + 8] == pixels.max()  # (1/8, 1/8) is at the upper right
    assert pixels[32 - 8, 32 - 8] < pixels.max()


def test_profiles_are_means_over_the_other_direction() -> None:
    shown = picture()
    (chart,) = (axes for axes in draw(shown).axes if axes.get_ylabel() == "power, dB")
    lines = {line.get_label(): line for line in chart.lines}
    assert {"originals", "reconstructions", "untrained decoder"} <= set(lines)
    x, y = lines["reconstructions"].get_xydata().T  # type: ignore[union-attr]
    power = shown.reconstructions / shown.reconstructions.mean()
    assert (x[0], x[-1]) == (0, 0.5)
    assert y[16] == pytest.approx(10 * np.log10((power[16].mean() + power[:, 16].mean()) / 2))


def test_spectra_that_are_zero_or_not_finite_stop_nothing() -> None:
    ones, zeros, none = np.ones((64, 64)), np.zeros((64, 64)), np.full((64, 64), np.nan)
    found = draw(Spectrum(originals=ones, reconstructions=none, untrained=zeros))
    assert "reconstructions undefined dB" in all_of(found)
    draw(Spectrum(originals=none, reconstructions=none, untrained=none))


UNEVEN = [[1, 2] * 3, [2, 4] * 3] * 3


@pytest.mark.parametrize(
    ("upsampling", "expected"),
    [("transposed", UNEVEN), *((name, [[9] * 6] * 6) for name in ("nearest", "bilinear", "pixel_shuffle"))],
)
def test_only_transposed_convolutions_overlap_unevenly(upsampling: str, expected: list[list[int]]) -> None:
    overrides = ("architecture=conv", "architecture.channels=[4,4]", f"architecture.upsampling={upsampling}")
    subject = subject_from(*overrides, train=LARGE, test=LARGE)
    assert overlap_counts(subject.model.decoder).tolist() == expected


def test_the_overlap_is_that_of_the_transposed_convolution_itself() -> None:
    """Of a convolution whose weights are all 1, applied to ones."""
    layer = nn.ConvTranspose2d(1, 1, 4, stride=2, padding=1, bias=False)
    nn.init.ones_(layer.weight)
    assert overlap_counts(layer).tolist() == layer(torch.ones(1, 1, 9, 9))[0, 0, 5:11, 5:11].tolist() == [[4] * 6] * 6
    assert overlap_counts(nn.Linear(2, 2)).shape == (0, 0)


def test_pixels_before_and_after_training_and_the_overlap_are_shown() -> None:
    subject = subject_from("architecture=conv", "architecture.channels=[4,4]", train=LARGE, test=LARGE)
    shown = measured(Spectrum, subject)
    original, _, untrained = shown.crops
    middle = LARGE[subject.shown_indices[0], :, 6:22, 6:22].numpy() / 255
    np.testing.assert_allclose(original, middle, atol=1e-3)
    assert (untrained.min(), untrained.max()) == (0, 1)  # stretched
    found = draw(shown)
    check_layout(found)
    assert len(found.findobj(FigureImage)) == 6
    assert "weights that reach a pixel: uneven, 1 to 4" in all_of(found)
    assert found.bbox.width <= MOST_PAGE_WIDTH
    assert "weights that reach" not in all_of(
        draw(replace(shown, overlap=np.zeros((0, 0), dtype=np.int64)))
    )  # no convolutions
    assert len(draw(picture()).findobj(FigureImage)) == 3  # the numbers of an earlier run


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
    ("shape", "geometry"), [((4, 4), (2, 1, 1)), ((5, 2), (3, 2, 1)), ((3, 3), (1, 2, 2)), ((8, 8), (1, 0, 1))]
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


def test_the_numbers_of_checkerboards_and_of_the_matrix_are_stored(tmp_path: Path) -> None:
    shown, kernel = picture(), torch.rand(3, 3, dtype=torch.float64)
    matrix = replace(Matrix.of(kernel, stride=2, padding=1, dilation=1), side=9)
    matrix.transposed[3, 0] += 0.25
    shown.save(tmp_path / "spectrum.npz")
    matrix.save(tmp_path / "matrix.npz")
    with np.load(tmp_path / "spectrum.npz") as stored:
        for name in ("originals", "reconstructions", "untrained"):
            assert stored[f"{name}_excess"].shape == (3,)
            assert stored[f"{name}_excess"].mean() == pytest.approx(checkerboard(getattr(shown, name)))
    with np.load(tmp_path / "matrix.npz") as stored:
        assert stored["deviation"] == pytest.approx(0.25)
    np.testing.assert_array_equal(Spectrum.load(tmp_path / "spectrum.npz").untrained, shown.untrained)
    assert Matrix.load(tmp_path / "matrix.npz").deviation == pytest.approx(0.25)


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
