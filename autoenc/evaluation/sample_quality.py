"""Samples of a model, and how close they are to real images, as sets of features (N, D) in float64."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from autoenc import progress
from autoenc.devices import Device
from autoenc.evaluation.batches import BATCH_SIZE
from autoenc.evaluation.frozen_noise import frozen_generator
from autoenc.models.autoencoder import AutoEncoder

NEIGHBOURS = 3
"""Kynkäänniemi et al.'s choice."""

ROWS = 1000
"""Features whose distances are computed at a time. It bounds the memory."""


def samples(model: AutoEncoder, count: int, *, code_size: int, device: Device) -> Tensor:
    """The decoder's means at frozen draws of codes from N(0, I), uint8 (count, C, H, W), on the device."""
    generator = frozen_generator(device, split="any, samples")
    codes = torch.randn(count, code_size, generator=generator, device=device.torch_device)
    return decoded(model, codes, device=device)


def decoded(model: AutoEncoder, codes: Tensor, *, device: Device) -> Tensor:
    """The decoder's means for codes (N, D), uint8 (N, C, H, W), on the device."""
    with model.evaluating(), device.autocast():
        parts = codes.to(device.torch_device).split(BATCH_SIZE)
        made = torch.cat([model.decode(batch).float() for batch in parts])
    return (255 * made).round().clamp(0, 255).to(torch.uint8)


class PrecisionRecall(NamedTuple):
    """Shares, from 0 to 1."""

    precision: Tensor
    """Whether each generated image is like a real one, bool (M,)."""
    recall: Tensor
    """Whether each real image is like a generated one, bool (N,)."""
    realism: Tensor
    """Whether each generated image is like a real one of the denser half, bool (M,)."""


def improved_precision_recall(
    real: Tensor, generated: Tensor, *, neighbours: int = NEIGHBOURS, real_radii: Tensor | None = None
) -> PrecisionRecall:
    """Whether the features of generated images (M, D) lie among those of real images (N, D), and the reverse.

    Kynkäänniemi et al. 2019, Improved Precision and Recall Metric for Assessing Generative Models, NeurIPS, equations 1
    to 3. A point lies among others if its distance to one of them is no larger than the distance of that one to its
    k-th nearest neighbour, its radius. A few real images far from all others have radii that reach almost everything,
    so realism leaves out the real images with radii above the median: then a generated image's realism score is at
    least 1. Both sets have more than `neighbours` points. `real_radii` (N,) saves time where several sets are compared
    with the same images.
    """
    if real_radii is None:
        real_radii = radii(real, neighbours=neighbours)
    precision, realism, recall = [], [], torch.zeros(len(real), dtype=torch.bool)
    dense = real_radii <= real_radii.median()
    parts = list(zip(generated.split(ROWS), radii(generated, neighbours=neighbours).split(ROWS), strict=True))
    for rows, own in progress.steps(parts, name="precision and recall"):
        distances = torch.cdist(rows, real)
        near = distances <= real_radii
        precision.append(near.any(1))
        realism.append((near & dense).any(1))
        recall |= (distances <= own[:, None]).any(0)
    return PrecisionRecall(precision=torch.cat(precision), recall=recall, realism=torch.cat(realism))


def radii(points: Tensor, *, neighbours: int = NEIGHBOURS) -> Tensor:
    """The distance of each of the points (N, D) to its k-th nearest neighbour, (N,)."""
    # The nearest of all is the point itself. `topk` takes half the time of `kthvalue`.
    parts = points.split(ROWS)
    return torch.cat([torch.cdist(rows, points).topk(neighbours + 1, largest=False).values[:, -1] for rows in parts])


def frechet_distance(real: Tensor, generated: Tensor) -> float:
    """The squared Fréchet distance of Gaussians fitted to features (N, D) and (M, D), of at least two images each.

    Heusel et al. 2017, GANs Trained by a Two Time-Scale Update Rule, NeurIPS, equation 6. The trace of the root of a
    product of covariances is the sum of the roots of its eigenvalues.
    """
    covariances = [features.T.cov() for features in (real, generated)]
    roots = torch.linalg.eigvals(covariances[0] @ covariances[1]).sqrt().real.sum()
    spread = sum(covariance.trace() for covariance in covariances) - 2 * roots
    distance = (real.mean(0) - generated.mean(0)).square().sum() + spread
    return max(0.0, float(distance))  # rounding may make it negative


def nearest_errors(images: Tensor, others: Tensor, *, apart_from: Tensor | None = None) -> Tensor:
    """The mean squared error over pixels in [0, 1] between each image and the nearest of the others, (M,), on the CPU.

    Args:
        images: uint8 (M, C, H, W).
        others: uint8 (N, C, H, W).
        apart_from: the indices of the others that an image is not compared with, int64 (M, K).
    """
    queries, rows = images.cpu().flatten(1).float() / 255, torch.arange(len(images))  # synchronizes
    found = torch.full((len(images),), math.inf)
    for start in range(0, len(others), ROWS):
        part = others[start : start + ROWS].cpu().flatten(1).float() / 255  # synchronizes
        distances = torch.cdist(queries, part)
        for indices in () if apart_from is None else apart_from.T - start:
            inside = (indices >= 0) & (indices < len(part))
            distances[rows[inside], indices[inside]] = math.inf
        found = torch.minimum(found, distances.amin(1))
    return found.square() / queries.shape[1]
