"""Baselines without a network: linear autoencoders in closed form, the mean image, and a median filter.

An autoencoder has learned something nonlinear only if its error is below that of the best linear map whose code has as
many numbers: principal component analysis, or reduced-rank regression where the input is noisy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from autoenc.data.noise import Noise
from autoenc.devices import Device
from autoenc.evaluation.batches import batches
from autoenc.evaluation.frozen_noise import frozen_generator

MOST_DIMENSIONS = 4096
"""The largest matrix for eigenvectors. It takes half a minute; twice the size takes eight times as long."""

MOST_NUMBERS = 2**28
"""The most numbers in a small set of large images, which is held in memory as floats: a gigabyte."""

EXACT = 256
"""So many products of two bytes add up exactly in float32, in any order: 256 * 255**2 < 2**24."""

DRAWS = 10
"""Noisy images for each pixel that the linear denoiser is fitted to. Fewer training images are used several times."""

LEAST_VARIANCE = 1e-4
"""The linear denoiser ignores directions with a smaller share of the largest variance. Few training images vary along
them, and slopes fitted to few images would be far off on others."""


class LinearAutoencoder(NamedTuple):
    """An affine map of low rank from images to images, whose P values each are in [0, 1]."""

    input_mean: Tensor
    """(P,)."""
    encoder: Tensor
    """(P, K)."""
    decoder: Tensor
    """(K, P)."""
    output_mean: Tensor
    """(P,)."""

    def encode(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to codes (B, K)."""
        return (images.flatten(1) - self.input_mean) @ self.encoder

    def reconstruct(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to reconstructions (B, C, H, W)."""
        return (self.encode(images) @ self.decoder + self.output_mean).view_as(images)


def mean_image(images: Tensor, *, device: Device) -> Tensor:
    """The mean (C, H, W) of uint8 images (N, C, H, W), in [0, 1], on the device."""
    return (_total(images, device=device) / (255 * len(images))).to(device.torch_device, torch.float32)


def principal_components(images: Tensor, *, components: int, device: Device) -> LinearAutoencoder | None:
    """Principal component analysis: the affine code of `components` numbers with the least squared error.

    The code is shorter where the images span fewer dimensions: further directions would be arbitrary. Sums of products
    are exact, because images are bytes.

    Args:
        images: uint8 (N, C, H, W).
        components: the most numbers of a code.
        device: where it is computed.

    Returns:
        None for more than 4,096 images of more than 4,096 numbers each, or for few images of too many numbers: these
        would take too long and too much memory.
    """
    count, pixels = len(images), images[0].numel()
    if min(count, pixels) > MOST_DIMENSIONS or (pixels > MOST_DIMENSIONS and count * pixels > MOST_NUMBERS):
        return None
    mean = mean_image(images, device=device).flatten()  # (P,)
    if pixels <= count:
        directions = _leading(_scatter_of_pixels(images, device=device), components=components)  # (P, K)
    else:
        weights = _leading(_scatter_of_images(images, device=device), components=components)  # (N, K)
        centred = torch.cat([batch.flatten(1) - mean for batch in batches(images, device=device)])
        directions = torch.linalg.qr(centred.T @ weights.to(mean)).Q
    directions = directions.to(mean)
    return LinearAutoencoder(mean, directions, directions.T, mean)


def linear_denoiser(images: Tensor, *, noise: Noise, components: int, device: Device) -> LinearAutoencoder | None:
    """The affine map of rank `components` from noisy to clean images with the least squared error.

    Reduced-rank regression: Izenman 1975, Journal of Multivariate Analysis 5, theorem 1, with the identity as weight.
    The noise is frozen, in new draws for each use of an image.

    Args:
        images: the clean training images, uint8 (N, C, H, W).
        noise: what corrupts them.
        components: the rank, that is, the numbers of the code.
        device: where it is computed.

    Returns:
        None for images of more than 4,096 numbers each.
    """
    pixels = images[0].numel()
    if pixels > MOST_DIMENSIONS:
        return None
    shift = mean_image(images, device=device).flatten()  # (P,); products of small numbers are more exact
    generator = frozen_generator(device, split="train")
    within = torch.zeros(pixels, pixels, dtype=torch.float64)  # of noisy with noisy pixels
    across = torch.zeros_like(within)  # of clean with noisy pixels
    total, count = torch.zeros(pixels, dtype=torch.float64), 0
    for _ in range(math.ceil(DRAWS * pixels / len(images))):
        for clean in batches(images, device=device):
            noisy = noise(clean, generator=generator).images.flatten(1) - shift  # (B, P)
            within += (noisy.T @ noisy).cpu()  # synchronizes
            across += ((clean.flatten(1) - shift).T @ noisy).cpu()  # synchronizes
            total += noisy.sum(0).cpu()  # synchronizes
            count += len(clean)
    mean = total / count
    # The clean images, shifted by their mean, have mean 0.
    variances, directions = torch.linalg.eigh(within / count - torch.outer(mean, mean))
    kept = variances > LEAST_VARIANCE * variances[-1]
    whitened = across / count @ (directions[:, kept] / variances[kept].sqrt())  # (P, kept): clean against white noise
    decoder = torch.linalg.eigh(whitened @ whitened.T).eigenvectors[:, -components:]  # (P, K)
    encoder = (directions[:, kept] / variances[kept].sqrt()) @ (whitened.T @ decoder)
    return LinearAutoencoder((mean.to(shift) + shift), encoder.to(shift), decoder.T.to(shift), shift)


def median_filter(images: Tensor) -> Tensor:
    """Images (B, C, H, W), each pixel replaced by the median of the 3 x 3 pixels around it.

    Pixels at the border are repeated beyond it.
    """
    windows = F.pad(images, (1, 1, 1, 1), mode="replicate").unfold(2, 3, 1).unfold(3, 3, 1)  # (B, C, H, W, 3, 3)
    return windows.flatten(4).median(4).values


def _leading(scatter: Tensor, *, components: int) -> Tensor:
    """The leading eigenvectors (n, K) of a centred scatter matrix (n, n), without those of rounding errors."""
    values, vectors = torch.linalg.eigh(scatter)  # ascending
    least = torch.finfo(scatter.dtype).eps * len(scatter) * values.sum()
    rank = int((values > least).sum())
    leading: Tensor = vectors[:, len(values) - min(components, rank) :]
    return leading


def _total(images: Tensor, *, device: Device) -> Tensor:
    """The exact sum (C, H, W) of uint8 images, in float64 on the CPU."""
    return _summed(batch.to(device.torch_device).float().sum(0) for batch in images.split(EXACT))


def _scatter_of_pixels(images: Tensor, *, device: Device) -> Tensor:
    """The scatter matrix (P, P) of the pixels of uint8 images, centred, in float64 on the CPU."""
    parts = (batch.to(device.torch_device).flatten(1).float() for batch in images.split(EXACT))
    products = _summed(part.T @ part for part in parts)
    total = _total(images, device=device).flatten()
    return products - torch.outer(total, total) / len(images)


def _scatter_of_images(images: Tensor, *, device: Device) -> Tensor:
    """The products (N, N) of uint8 images, centred, in float64 on the CPU."""
    parts = (part.to(device.torch_device).float() for part in images.flatten(1).split(EXACT, dim=1))
    products = _summed(part @ part.T for part in parts)
    means = products.mean(0)
    return products - means - means.unsqueeze(1) + means.mean()


def _summed(parts: Iterable[Tensor]) -> Tensor:
    """The sum of tensors on the device, in float64 on the CPU."""
    return sum((part.cpu().double() for part in parts), torch.zeros((), dtype=torch.float64))  # synchronizes
