"""The variance of each unit over images, and the units that are dead or saturated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from autoenc.evaluation.health.activations import Activation, observed
from autoenc.models.autoencoder import AutoEncoder

DEAD = 1e-6
"""A unit is dead if its variance is under this share of the variance of the layer's median unit."""

CONSTANT = 1e-12
"""A unit is constant if its variance is under this share of its mean square: the precision of float32."""

BOUNDS = {"Sigmoid": (0.0, 1.0), "Tanh": (-1.0, 1.0)}
MARGIN = 0.01
"""A sigmoid or a tanh is saturated within this distance of a bound."""


@dataclass(frozen=True, kw_only=True, eq=False)
class UnitStatistics:
    """The units of a layer over all images, on the CPU in float64.

    In feature maps, a channel is a unit. Its variance is over images at each position, averaged over positions. A
    channel that only depends on the position does not vary.
    """

    name: str
    variances: Tensor
    """(units,)."""
    mean_squares: Tensor
    """(units,)."""
    saturation: Tensor | None
    """The share of images (in feature maps: of images and positions) with the unit within `MARGIN` of a bound of its
    sigmoid or tanh, (units,); None for layers without bounds."""
    activation: str = ""
    """Of a hidden layer, such as `ReLU`; empty for the code."""


def unit_statistics(model: AutoEncoder, inputs: Iterable[Tensor]) -> list[UnitStatistics]:
    """The units of each nonlinearity and of the code, in the order of the forward pass.

    `inputs` are batches (B, C, H, W) in [0, 1], on the model's device.
    """
    sums: list[_Sums] = []
    for observation in observed(model, inputs):
        sums = sums or [_Sums(activation) for activation in observation.activations]
        for layer, activation in zip(sums, observation.activations, strict=True):
            layer.add(activation.values)
    return [layer.statistics() for layer in sums]


def dead(units: UnitStatistics) -> Tensor:
    """Which units are dead, bool (units,).

    A unit is dead if it is constant, or if its variance is under a millionth of the median. Constant units do not count
    for the median, which would be zero in a layer that is mostly dead.
    """
    constant = units.variances <= CONSTANT * units.mean_squares
    varying = units.variances[~constant]
    if len(varying) == 0:
        return constant
    return constant | (units.variances < DEAD * varying.median())


def first_layer_dead(model: AutoEncoder, inputs: Iterable[Tensor]) -> Tensor | None:
    """Which kernels of the encoder's first weighted layer have a dead unit, bool (units,).

    None for an encoder without weights. `inputs` are batches (B, C, H, W) in [0, 1], on the model's device.
    """
    sums: _Sums | None = None
    for observation in observed(model, inputs, decoder=False):
        if observation.first is None:
            return None
        sums = sums or _Sums(Activation("encoder", 1, "", observation.first))
        sums.add(observation.first)
    assert sums is not None, "no images"
    return dead(sums.statistics())


class _Sums:
    """Mean and squared deviations of each position of a layer, updated batch by batch.

    Chan, Golub and LeVeque 1983, The American Statistician 37, equation 2.1. A difference of sums would cancel digits
    and make a constant vary.
    """

    def __init__(self, activation: Activation) -> None:
        self.name = activation.name
        self.activation = "" if activation.part == "code" else activation.kind
        self.bounds = BOUNDS.get(activation.kind)
        self.count = 0
        self.mean = torch.zeros(activation.values.shape[1:], dtype=torch.float64)
        self.deviations = torch.zeros_like(self.mean)
        self.saturated = torch.zeros_like(self.mean)

    def add(self, values: Tensor) -> None:
        """Values (B, units) or (B, units, H, W)."""
        count = len(values)
        average = values.mean(0)
        squares = (values - average).square_().sum(0)  # a third of the time of `torch.var_mean`
        mean, deviations = average.cpu().double(), squares.cpu().double()  # synchronizes
        difference = mean - self.mean
        self.deviations += deviations + difference**2 * (self.count * count / (self.count + count))
        self.count += count
        self.mean += difference * (count / self.count)
        if self.bounds is not None:
            low, high = self.bounds
            near = (values <= low + MARGIN) | (values >= high - MARGIN)
            self.saturated += near.float().sum(0).cpu().double()  # synchronizes

    def statistics(self) -> UnitStatistics:
        variances = _by_unit(self.deviations / self.count)
        return UnitStatistics(
            name=self.name,
            variances=variances,
            mean_squares=variances + _by_unit(self.mean**2),
            saturation=None if self.bounds is None else _by_unit(self.saturated / self.count),
            activation=self.activation,
        )


def _by_unit(values: Tensor) -> Tensor:
    """(units,) or (units, H, W) to (units,): the average over positions."""
    return values.reshape(len(values), -1).mean(1)
