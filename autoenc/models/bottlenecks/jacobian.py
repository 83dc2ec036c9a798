"""Squared norms of each image's Jacobian, exact or estimated, and differentiable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from autoenc.models.layers import at_least_float32

PRODUCTS_AT_ONCE = 4096
"""Vector-Jacobian products that are computed at a time, counted by image. They are in memory together."""


@contextmanager
def in_eval_mode(module: nn.Module) -> Iterator[None]:
    """Turn dropout off, and let batch normalisation use its running statistics without updating them.

    In training mode, batch statistics make each output depend on all images. The gradient of a batch's sum is then not
    the Jacobian of an image; where batch normalisation comes last, it is 0.
    """
    training = [layer for layer in module.modules() if layer.training]
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
        outputs: (B, ...), each image's computed from its own `inputs` alone.
        inputs: (B, ...).
        cotangents: the row vectors, (K, *outputs.shape).
        differentiable: whether the result will be differentiated.
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
    """1 or -1 with even chances, (count, *like.shape).

    The expected squared norm of their product with a matrix is its squared Frobenius norm (Hutchinson 1989,
    Communications in Statistics 18). Of all such vectors, random signs give the least variance.
    """
    signs = torch.empty((count, *like.shape), dtype=like.dtype, device=like.device)
    return signs.bernoulli_(0.5, generator=generator).mul_(2).sub_(1)
