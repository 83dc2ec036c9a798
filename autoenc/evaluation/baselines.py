"""What an autoencoder has to beat: principal component analysis."""

from __future__ import annotations

import torch
from torch import Tensor

from autoenc.devices import Device
from autoenc.evaluation.batches import batches

MOST_DIMENSIONS = 4096
"""Of a matrix whose eigenvectors are sought: twice as many take eight times as long, and this takes half a minute."""

MOST_NUMBERS = 2**28
"""Of the images that a small set is held as at once: a gigabyte."""


def pca_error(fitted_on: Tensor, images: Tensor, *, components: int, device: Device) -> float | None:
    """The squared error per pixel of the best affine code of `components` numbers: principal component analysis.

    What an autoencoder of that code size has to beat to have learnt anything that is not linear. Measured on the same
    clean images in [0, 1] as `mse`.

    Args:
        fitted_on: uint8 (N, C, H, W), from which the mean and the components are taken: the training split.
        images: uint8 (M, C, H, W), whose error it is.
        components: how many; as many as there are pixels, and the error is 0.
        device: where the images are.

    Returns:
        None where there are more than 4,096 images of more than 4,096 numbers each, or few of too many: that takes a
        while, and memory that the training did not.
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
    return left.item() / (len(images) * pixels)  # synchronises: once, after training


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
    """The same of fewer images than pixels, by their products (N, N): the other side of one singular value problem."""
    centred = torch.cat([batch.flatten(1) - mean for batch in batches(images, device=device)])  # (N, P)
    weights = torch.linalg.eigh((centred @ centred.T).cpu().double()).eigenvectors[:, -components:].to(mean)
    directions: Tensor = torch.linalg.qr(centred.T @ weights).Q  # (P, components), made orthonormal
    return directions
