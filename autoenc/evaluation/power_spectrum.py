"""The power spectrum of images, and how far a checkerboard sticks out of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZE = 64  # frequencies each way of the spectrum of an image up to this size; of larger ones as many as reach
NEIGHBOUR = 1 / 16  # how far from a frequency its neighbours are, in cycles a pixel


def power_spectrum(images: NDArray[Any]) -> NDArray[np.float64]:
    """The mean power of each frequency of images (N, C, H, W), (F, F), from 0 upwards as `numpy.fft` has them.

    The mean of each channel of each image (weighted by the window) is subtracted. A Hann window over the whole image
    keeps its edges from showing up as frequencies. The squared magnitudes of the discrete Fourier transform are divided
    by the sum of the window's squares: white noise has its variance at every frequency. The transform is padded with
    zeros to F, the next multiple of 64 that is not below the image's longer side, so that 1/4 and 1/2 cycles a pixel
    are among its frequencies, k / F. The first axis is the vertical frequency.
    """
    height, width = images.shape[2:]
    size = SIZE * -(-max(height, width) // SIZE)
    # Hann windows without the zeros at their ends, which would leave out a row.
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    power = np.zeros((size, size))
    for image in images:  # one by one: the padded transforms of all would not fit the memory
        pixels = image.astype(np.float64)
        means = (pixels * window).sum((1, 2), keepdims=True) / window.sum()
        transformed = np.fft.fft2((pixels - means) * window, s=(size, size))
        power += (transformed.real**2 + transformed.imag**2).mean(0)
    return np.asarray(power / (len(images) * (window**2).sum()), dtype=np.float64)


def checkerboard(power: NDArray[np.float64]) -> float:
    """The mean of `checkerboard_excess`, in decibels; NaN without power."""
    mean = float(checkerboard_excess(power).mean())
    return mean if np.isfinite(mean) else float("nan")


def checkerboard_excess(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far a power spectrum (F, F) sticks out at half the sampling frequency, (3,), in decibels.

    At each of (1/2, 0), (0, 1/2) and (1/2, 1/2) cycles a pixel: 10 log10 of the power there, less the mean of 10 log10
    of the power at the eight neighbours that are 1/16 away in one direction or in both. An upsampling by two whose
    kernels overlap unevenly multiplies the picture with a pattern of period two (Odena et al. 2016), which copies its
    low frequencies to these three places. The neighbours lie symmetrically, so that a spectrum whose logarithm is
    linear over this distance has 0. One that falls steeply up to 1/2, beyond which it rises again, has a little less
    than 0: compare with the originals' number.

    Not finite without power at one of these frequencies or their neighbours.
    """
    size = len(power)
    half, steps = size // 2, round(NEIGHBOUR * size) * np.array([-1, 0, 1])
    with np.errstate(divide="ignore", invalid="ignore"):
        decibels = 10 * np.log10(power)
        excesses = []
        for row, column in ((half, 0), (0, half), (half, half)):
            block = decibels[np.ix_((row + steps) % size, (column + steps) % size)]  # (3, 3), the frequency within
            excesses.append(block[1, 1] - (block.sum() - block[1, 1]) / 8)
    return np.asarray(excesses, dtype=np.float64)
