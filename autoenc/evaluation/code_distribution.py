"""The distribution of codes: the dimensions they use, and their information about the image."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from autoenc import progress
from autoenc.devices import Device
from autoenc.evaluation.batches import batches
from autoenc.models.autoencoder import AutoEncoder
from autoenc.models.bottlenecks.variational import DiagonalGaussian

MOST_PAIRS = 2**24
"""The most pairs of a code and a posterior whose densities are in memory at a time: 128 MB."""


def effective_rank(codes: Tensor) -> float:
    """How many dimensions codes (N, d) use: 1 if they lie on a line, d if they spread alike in all directions.

    Roy and Vetterli 2007, The effective rank: a measure of effective dimensionality, EUSIPCO, definition 1: the
    exponential of the entropy of the singular values, which are divided by their sum. The codes are centred first. 0 if
    they are all the same.
    """
    codes = codes.cpu().double()  # synchronizes
    values = torch.linalg.svdvals(codes - codes.mean(0))
    if values[0] == 0:
        return 0.0
    return float(torch.special.entr(values / values.sum()).sum().exp())


def posteriors(model: AutoEncoder, images: Tensor, *, device: Device) -> DiagonalGaussian:
    """The distributions of codes of uint8 images (N, C, H, W), float64 (N, d) on the CPU, of a variational model."""
    with model.evaluating(), device.autocast():
        features = [model.features(batch).cpu() for batch in batches(images, device=device)]  # synchronizes
    return DiagonalGaussian.from_features(torch.cat(features).double())


def mutual_information(posterior: DiagonalGaussian, *, samples: Tensor) -> Tensor:
    """Terms (N,) whose mean estimates the mutual information of image and code, in nats.

    Hoffman and Johnson 2016, ELBO surgery, NIPS workshop on approximate inference: the mean over images of
    KL(q(z | image) || q(z)). The aggregate posterior q(z) is the mixture of the posteriors of all N images, so the
    information is at most log N. A term is log q(z | image) - log q(z) at one code of the image.

    The KL divergence of q(z) from the prior is the mean KL divergence of the posteriors minus this information.

    Args:
        posterior: of N images, float64.
        samples: a code of each image, (N, d), drawn from its posterior.
    """
    precision = torch.exp(-posterior.log_variance)
    # log q(z | image) without the constant -d / 2 log(2 pi), which cancels: squares are expanded into products of
    # matrices. In float64 the digits suffice.
    offset = (posterior.mean.square() * precision + posterior.log_variance).sum(1)  # (N,)

    def log_densities(codes: Tensor) -> Tensor:
        """Of codes (B, d) under each posterior, (B, N)."""
        return -0.5 * (codes.square() @ precision.T - 2 * codes @ (posterior.mean * precision).T + offset)

    parts = samples.split(max(1, MOST_PAIRS // len(samples)))
    mixture = torch.cat([log_densities(part).logsumexp(1) for part in progress.steps(parts, name="mutual information")])
    own = -0.5 * ((samples - posterior.mean).square() * precision + posterior.log_variance).sum(1)
    return own - mixture + math.log(len(samples))
