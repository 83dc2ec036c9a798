"""Squared Jacobians, image by image, exact or estimated, and differentiable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from autoenc.models.bottlenecks.precision import at_least_float32

PRODUCTS_AT_ONCE = 4096
"""How many vector-Jacobian products are computed at a time, an image counting as one: they all are in memory."""


@contextmanager
def as_tested(modules: Sequence[nn.Module]) -> Iterator[None]:
    """The modules in eval mode: batch normalisation by its running statistics, which stay as they are; no dropout.

    Only then is what comes of an image a function of that image alone. In training mode a batch's mean and variance
    make each output depend on all images, and the derivative of a batch's sum, which is what a product with the
    Jacobian is computed from, is that of a constant: 0 wherever batch normalisation comes last.
    """
    training = [layer for module in modules for layer in module.modules() if layer.training]
    for layer in training:
        layer.training = False
    try:
        yield
    finally:
        for layer in training:
            layer.training = True


def squared_products(outputs: Tensor, inputs: Tensor, *, cotangents: Tensor, differentiable: bool) -> Tensor:
    """The squared norms of the products of row vectors with each image's Jacobian, (K, B).

    Args:
        outputs: (B, ...), computed from `inputs`, each image's from its own alone.
        inputs: (B, ...).
        cotangents: the row vectors, (K, *outputs.shape).
        differentiable: whether the result will be differentiated, by what `outputs` and `cotangents` depend on.
    """
    at_once = max(1, PRODUCTS_AT_ONCE // max(1, len(outputs)))
    norms = []
    for some in cotangents.split(at_once):
        (products,) = torch.autograd.grad(
            outputs, inputs, some, is_grads_batched=True, retain_graph=True, create_graph=differentiable
        )  # (k, B, ...)
        norms.append(at_least_float32(products).flatten(2).square().sum(2))
    return torch.cat(norms)


def random_signs(like: Tensor, *, count: int, generator: torch.Generator | None) -> Tensor:
    """Numbers that are 1 or -1 with even chances, (count, *like.shape).

    Their covariance is the identity, so that the expected squared norm of their product with a matrix is its squared
    Frobenius norm (Hutchinson 1989, Communications in Statistics 18); of all such numbers these scatter the least.
    """
    signs = torch.empty((count, *like.shape), dtype=like.dtype, device=like.device)
    return signs.bernoulli_(0.5, generator=generator).mul_(2).sub_(1)
