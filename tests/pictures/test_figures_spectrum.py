"""The spectrum and its one number, on signals whose spectra are known."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.image import FigureImage
from numpy.typing import NDArray

from autoenc.pictures.power_spectra import checkerboard, power_spectrum
from autoenc.pictures.spectrum import Spectrum
from tests.pictures.pages import all_of, check_layout, draw

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


@pytest.mark.parametrize("side", [24, 32])
def test_it_is_zero_for_a_smooth_spectrum(side: int) -> None:
    assert checkerboard(power_spectrum(noise(1000, height=side, width=side))) == pytest.approx(0, abs=0.3)
    assert checkerboard(power_spectrum(smooth(1000, side=side))) == pytest.approx(0, abs=0.3)


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


@pytest.mark.parametrize("count", [1, 3])
def test_rows_of_spectra_fit(count: int) -> None:
    found = draw(*(picture(seed) for seed in range(count)))
    check_layout(found)
    assert found.bbox.width <= 2200
    images = found.findobj(FigureImage)
    assert len(images) == 3 * count
    assert {np.asarray(image.get_array()).shape for image in images} == {(4 * 65, 4 * 65, 3)}


def test_zero_is_in_the_middle_and_the_numbers_are_told() -> None:
    shown = picture()
    found = draw(shown)
    original, reconstruction, untrained = (
        np.asarray(image.get_array())[::4, ::4] for image in found.findobj(FigureImage)
    )
    brightness = untrained.sum(axis=2, dtype=int)
    assert brightness[0, 0] == brightness[0, 64] == brightness[64, 0] == brightness[64, 64] == brightness.max()
    assert original.sum(axis=2, dtype=int)[32, 28] > original.sum(axis=2, dtype=int)[32, 2]
    assert reconstruction.sum(axis=2, dtype=int)[0, 0] > original.sum(axis=2, dtype=int)[0, 0]
    text = all_of(found).replace("\N{MINUS SIGN}", "-")
    assert f"reconstructions {checkerboard(shown.reconstructions):+.1f} dB" in text


def test_the_vertical_axis_points_up() -> None:
    tall = power_spectrum(noise(5) + 3 * np.cos(2 * np.pi * np.add.outer(np.arange(SIDE), np.arange(SIDE)) / 8))
    shown = Spectrum(originals=tall, reconstructions=tall, untrained=tall)
    pixels = np.asarray(draw(shown).findobj(FigureImage)[0].get_array())[::4, ::4].sum(axis=2, dtype=int)
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
