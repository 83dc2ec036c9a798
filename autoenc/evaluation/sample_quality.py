"""Samples of a model, and how close they are to real images, as sets of features (N, D) in float64."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

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
    with model.evaluating(), device.autocast():
        decoded = torch.cat([model.decode(batch).float() for batch in codes.split(BATCH_SIZE)])
    return (255 * decoded).round().clamp(0, 255).to(torch.uint8)


class PrecisionRecall(NamedTuple):
    """Shares, from 0 to 1."""

    precision: Tensor
    """Whether each generated image is like a real one, bool (M,)."""
    recall: Tensor
    """Whether each real image is like a generated one, bool (N,)."""


def improved_precision_recall(real: Tensor, generated: Tensor, *, neighbours: int = NEIGHBOURS) -> PrecisionRecall:
    """Whether the features of generated images (M, D) lie among those of real images (N, D), and the reverse.

    Kynkäänniemi et al. 2019, Improved Precision and Recall Metric for Assessing Generative Models, NeurIPS, equations 1
    and 2. A point lies among others if its distance to one of them is no larger than the distance of that one to its
    k-th nearest neighbour. Both sets have more than `neighbours` points.
    """
    return PrecisionRecall(
        precision=_among(generated, real, neighbours=neighbours), recall=_among(real, generated, neighbours=neighbours)
    )


def frechet_distance(real: Tensor, generated: Tensor) -> float:
    """The squared Fréchet distance of Gaussians fitted to features (N, D) and (M, D), by torchmetrics.

    Heusel et al. 2017, GANs Trained by a Two Time-Scale Update Rule, NeurIPS, equation 6. Both sets have at least two
    points.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance

    distance = FrechetInceptionDistance(feature=_Features(real.shape[1]))
    distance.update(real, real=True)
    distance.update(generated, real=False)
    return max(0.0, float(distance.compute()))  # rounding may make it negative


class _Features(nn.Module):
    """A stand-in for the network of torchmetrics: its input are features already."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.num_features = size

    def forward(self, features: Tensor) -> Tensor:
        """(B, D), unchanged."""
        return features


def _among(points: Tensor, others: Tensor, *, neighbours: int) -> Tensor:
    """Whether each of the points (M, D) lies within the neighbourhood of one of the others (N, D), bool (M,)."""
    # The nearest of all is the point itself.
    own, given = others.split(ROWS), progress.steps(points.split(ROWS), name="precision and recall")
    radii = torch.cat([torch.cdist(rows, others).kthvalue(neighbours + 1).values for rows in own])
    return torch.cat([(torch.cdist(rows, others) <= radii).any(1) for rows in given])
