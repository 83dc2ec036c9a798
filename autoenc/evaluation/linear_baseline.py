"""What an autoencoder has to beat: principal component analysis."""

from __future__ import annotations

import torch
from torch import Tensor

from autoenc.devices import Device
from autoenc.evaluation.batches import batches


def pca_error(fitted_on: Tensor, images: Tensor, *, components: int, device: Device) -> float:
    """The squared error per pixel of the best affine code of `components` numbers: principal component analysis.

    What an autoencoder of that code size has to beat to have learnt anything that is not linear. Measured on the same
    clean images in [0, 1] as `mse`.

    Args:
        fitted_on: uint8 (N, C, H, W), from which the mean and the components are taken: the training split.
        images: uint8 (M, C, H, W), whose error it is.
        components: how many; as many as there are pixels, and the error is 0.
        device: where the images are.
    """
    pixels = fitted_on[0].numel()
    sums = [batch.flatten(1).sum(0) for batch in batches(fitted_on, device=device)]
    mean = torch.stack(sums).sum(0) / len(fitted_on)  # (P,)
    scatter = torch.zeros(pixels, pixels, device=mean.device)
    for batch in batches(fitted_on, device=device):
        centred = batch.flatten(1) - mean  # (B, P)
        scatter += centred.T @ centred
    # Ascending eigenvalues: the leading directions are the last columns. On the CPU, in double precision.
    directions = torch.linalg.eigh(scatter.cpu().double()).eigenvectors[:, -components:]  # (P, components)
    directions = directions.to(mean)
    left = torch.zeros((), device=mean.device)
    for batch in batches(images, device=device):
        centred = batch.flatten(1) - mean
        left += (centred - centred @ directions @ directions.T).square().sum()
    return left.item() / (len(images) * pixels)  # synchronises: once, after training
