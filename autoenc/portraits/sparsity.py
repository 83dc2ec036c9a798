"""How sparse the activations of each layer are."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from autoenc.evaluation.health import Activation, observed
from autoenc.pictures.sparsity import Sparsity
from autoenc.portraits.subject import Subject


def sparsity(subject: Subject) -> Sparsity:
    """Of each nonlinearity of the encoder and of the code, on the clean test images."""
    layers: list[_Layer] = []
    test = subject.splits.test.images
    for observation in observed(subject.model, test, device=subject.device, decoder=False):
        layers = layers or [_Layer(activation) for activation in observation.activations]
        for layer, activation in zip(layers, observation.activations, strict=True):
            layer.add(activation.values)
    return Sparsity(
        layers=tuple(layer.name for layer in layers),
        zeros=np.array([layer.zeros for layer in layers]),
        hoyer=np.array([layer.hoyer for layer in layers]),
    )


def hoyer(values: Tensor) -> Tensor:
    """Hoyer's sparsity of each row of (B, n), (B,): from 0, where all are equally large, to 1, where one is not zero.

    Hoyer 2004, JMLR 5, section 3.1: (sqrt(n) - |x|_1 / |x|_2) / (sqrt(n) - 1). Not a number for a row of zeros, or of
    one entry.
    """
    root = math.sqrt(values.shape[1])
    if root == 1:
        return values.new_full((len(values),), math.nan)
    ratio: Tensor = values.abs().sum(1) / values.norm(dim=1)  # 0 / 0 for zeros
    return (root - ratio) / (root - 1)


class _Layer:
    """Sums over the images."""

    def __init__(self, activation: Activation) -> None:
        self.name = activation.name.removeprefix("encoder ")
        self._zeros = 0
        self._entries = 0
        self._hoyer = 0.0
        self._images = 0

    def add(self, values: Tensor) -> None:
        """Values (B, units) or (B, units, H, W)."""
        flat = values.flatten(1)
        self._zeros += int((flat == 0).sum())  # synchronises, as does what follows
        self._entries += flat.numel()
        measured = hoyer(flat)
        measured = measured[measured.isfinite()]
        self._hoyer += float(measured.double().sum()) if len(measured) else 0.0
        self._images += len(measured)

    @property
    def zeros(self) -> float:
        """The share of exact zeros."""
        return self._zeros / self._entries

    @property
    def hoyer(self) -> float:
        """The mean over the images for which it is defined."""
        return self._hoyer / self._images if self._images else math.nan
