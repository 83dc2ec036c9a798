"""The linear baseline of an autoencoder: principal component analysis."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from autoenc.devices import Device
from autoenc.evaluation.batches import batches

MOST_DIMENSIONS = 4096
"""The largest matrix for eigenvectors. It takes half a minute; twice the size takes eight times as long."""

MOST_NUMBERS = 2**28
"""The most numbers in a small set of large images, which is held in memory as floats: a gigabyte."""


def pca_error(fitted_on: Tensor, images: Tensor, *, components: int, device: Device) -> float | None:
    """The squared error per pixel of principal component analysis: the best affine code of `components` numbers.

    An autoencoder of that code size has learned something nonlinear only if its error is lower. The mean and the
    components are `fitted_on` the training images, uint8 (N, C, H, W); the error is that of `images`, uint8
    (M, C, H, W). Both are on the device, and count in [0, 1].

    Returns:
        None for more than 4,096 images of more than 4,096 numbers each, or for few images of too many numbers: these
        would take too long and too much memory.
    """
    count, pixels = len(fitted_on), fitted_on[0].numel()
    if min(count, pixels) > MOST_DIMENSIONS or (pixels > MOST_DIMENSIONS and count * pixels > MOST_NUMBERS):
        return None
    sums = [batch.flatten(1).sum(0) for batch in batches(fitted_on, device=device)]
    mean = torch.stack(sums).sum(0) / count  # (P,)
    by = _directions_by_pixels if pixels <= MOST_DIMENSIONS else _directions_by_images
    directions = by(fitted_on, mean=mean, components=components, device=device)  # (P, components)
    left = torch.zeros((), device=mean.device)
    for batch in batches(images, device=device):
        centred = batch.flatten(1) - mean
        left += (centred - centred @ directions @ directions.T).square().sum()
    return left.item() / (len(images) * pixels)  # synchronizes once, after training


def _directions_by_pixels(images: Tensor, *, mean: Tensor, components: int, device: Device) -> Tensor:
    """The leading eigenvectors (P, components) of the pixels' scatter matrix (P, P)."""
    scatter = torch.zeros(len(mean), len(mean), device=mean.device)
    for batch in batches(images, device=device):
        centred = batch.flatten(1) - mean  # (B, P)
        scatter += centred.T @ centred
    # Ascending eigenvalues: the leading directions are the last columns. On the CPU, in double precision.
    directions: Tensor = torch.linalg.eigh(scatter.cpu().double()).eigenvectors[:, -components:]
    return directions.to(mean)


def _directions_by_images(images: Tensor, *, mean: Tensor, components: int, device: Device) -> Tensor:
    """The same for fewer images than pixels, from their products (N, N)."""
    centred = torch.cat([batch.flatten(1) - mean for batch in batches(images, device=device)])  # (N, P)
    weights = torch.linalg.eigh((centred @ centred.T).cpu().double()).eigenvectors[:, -components:].to(mean)
    directions: Tensor = torch.linalg.qr(centred.T @ weights).Q  # (P, components), orthonormal
    return directions


def median_filter(images: Tensor) -> Tensor:
    """The median of each pixel's 3x3 neighbourhood, (B, C, H, W). Border pixels are repeated beyond the border."""
    height, width = images.shape[2:]
    continued = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    shifted = [continued[:, :, y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return torch.stack(shifted).median(0).values
