"""The mean power spectrum of images, and the strength of checkerboards in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_SIDE = 24
"""Of an image, in pixels: in a smaller one the window's own spectrum is wider than the distance to the neighbours."""

SIZE = 64
"""Frequencies each way of the spectrum of an image up to this size; of larger ones as many as reach."""

NEIGHBOUR = 1 / 16
"""How far from a frequency its neighbours are, in cycles a pixel."""


def power_spectrum(images: NDArray[Any]) -> NDArray[np.float64]:
    """The mean power of each frequency of images (N, C, H, W), (F, F), from 0 upwards as `numpy.fft` has them.

    The mean of each channel of each image (weighted by the window) is subtracted. A Hann window over the whole image
    keeps its edges from showing up as frequencies. The squared magnitudes of the discrete Fourier transform are divided
    by the sum of the window's squares: white noise has its variance at every frequency. The transform is padded with
    zeros to F, the next multiple of 64 that is not below the image's longer side, so that 1/4 and 1/2 cycles a pixel
    are among its frequencies, k / F. The first axis is the vertical frequency.

    Raises:
        ValueError: the images have another shape, or a side is shorter than 24 pixels.
    """
    if images.ndim != 4 or images.size == 0 or min(images.shape[2:]) < LEAST_SIDE:
        expected = f"images (N, C, H, W) with sides of at least {LEAST_SIDE} pixels"
        raise ValueError(f"images: expected {expected}, not {images.shape}")
    height, width = images.shape[2:]
    size = SIZE * -(-max(height, width) // SIZE)
    window = np.outer(_hann(height), _hann(width))
    power = np.zeros((size, size))
    for image in images:  # one by one: the padded transforms of all would not fit the memory
        pixels = image.astype(np.float64)
        means = (pixels * window).sum((1, 2), keepdims=True) / window.sum()
        transformed = np.fft.fft2((pixels - means) * window, s=(size, size))
        power += (transformed.real**2 + transformed.imag**2).mean(0)
    return np.asarray(power / (len(images) * (window**2).sum()), dtype=np.float64)


def checkerboard(power: NDArray[np.float64]) -> float:
    """How far a power spectrum (F, F) sticks out at half the sampling frequency, in decibels.

    At each of (1/2, 0), (0, 1/2) and (1/2, 1/2) cycles a pixel: 10 log10 of the power there, less the mean of 10 log10
    of the power at the eight neighbours that are 1/16 away in one direction or in both. The mean of the three. An
    upsampling by two whose kernels overlap unevenly multiplies the picture with a pattern of period two (Odena et al.
    2016), which copies its low frequencies to these three places. The neighbours lie symmetrically, so that a spectrum
    whose logarithm is linear over this distance has 0. One that falls steeply up to 1/2, beyond which it rises again,
    has a little less than 0: compare with the originals' number.

    Returns:
        Decibels; NaN without power at one of these frequencies or their neighbours.
    """
    size = len(power)
    step, half = round(NEIGHBOUR * size), size // 2
    with np.errstate(divide="ignore"):
        decibels = 10 * np.log10(power)
    excesses = []
    for row, column in ((half, 0), (0, half), (half, half)):
        around = [
            decibels[(row + down * step) % size, (column + across * step) % size]
            for down in (-1, 0, 1)
            for across in (-1, 0, 1)
            if (down, across) != (0, 0)
        ]
        excesses.append(float(decibels[row, column]) - float(np.mean(around)))
    mean = float(np.mean(excesses))
    return mean if np.isfinite(mean) else float("nan")


def _hann(length: int) -> NDArray[np.float64]:
    """A Hann window without the zeros at its ends, which would leave out a row."""
    return np.asarray(np.hanning(length + 2)[1:-1], dtype=np.float64)
