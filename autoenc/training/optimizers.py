"""Optimizers that can skip a step on the device. Those of torch are fused: one kernel for all parameters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import nn

from autoenc.registry import Choice, Registry
from autoenc.settings import ConfigError, NonNegativeFloat, PositiveFloat, ProperFraction
from autoenc.training import muon


class OptimizerSettings(Protocol):
    """A choice of the group `optimizer`."""

    @property
    def learning_rate(self) -> float:
        """The base rate, which the schedule multiplies by its factor."""
        ...

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer of these parameters."""
        ...


@dataclass(frozen=True, kw_only=True)
class _TwoMoments(Choice):
    """The settings of Adam and AdamW, which differ in the meaning of `weight_decay`."""

    optimizer_class: ClassVar[type[torch.optim.Adam | torch.optim.AdamW]]
    learning_rate: PositiveFloat
    betas: tuple[ProperFraction, ProperFraction]
    epsilon: PositiveFloat
    weight_decay: NonNegativeFloat

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer."""
        return self.optimizer_class(
            parameters,
            lr=self.learning_rate,
            betas=self.betas,
            eps=self.epsilon,
            weight_decay=self.weight_decay,
            fused=True,
        )


@dataclass(frozen=True, kw_only=True)
class Adam(_TwoMoments):
    """`optimizer=adam`: Kingma and Ba 2015, algorithm 1; `weight_decay` is added to the gradient."""

    optimizer_class = torch.optim.Adam


@dataclass(frozen=True, kw_only=True)
class AdamW(_TwoMoments):
    """`optimizer=adamw`: Loshchilov and Hutter 2019, algorithm 2; `weight_decay` acts on the weights directly."""

    optimizer_class = torch.optim.AdamW


@dataclass(frozen=True, kw_only=True)
class Sgd(Choice):
    """`optimizer=sgd`: with momentum (Polyak 1964) or, where `nesterov`, Nesterov's (Sutskever et al. 2013)."""

    learning_rate: PositiveFloat
    momentum: ProperFraction
    nesterov: bool
    weight_decay: NonNegativeFloat

    def __post_init__(self) -> None:
        """Refuse Nesterov's method without momentum."""
        if self.nesterov and self.momentum == 0:
            raise ConfigError("optimizer.nesterov", "it needs optimizer.momentum above 0", value=True)

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer."""
        parameters = list(parameters)
        optimizer = torch.optim.SGD(
            parameters,
            lr=self.learning_rate,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
            fused=True,
        )
        if self.momentum > 0:
            for parameter in parameters:
                # torch would create the buffer in the first step, and leave it unwritten if that step is skipped on the
                # device. Starting from zero gives the same first step: momentum * 0 + gradient.
                optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        return optimizer


@dataclass(frozen=True, kw_only=True)
class Muon(Choice):
    """`optimizer=muon`: see `autoenc.training.muon`."""

    learning_rate: PositiveFloat
    momentum: ProperFraction
    weight_decay: NonNegativeFloat

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer."""
        return muon.Muon(parameters, lr=self.learning_rate, momentum=self.momentum, weight_decay=self.weight_decay)


OPTIMIZERS: Registry[OptimizerSettings] = Registry(
    "optimizer",
    {
        "adam": Adam,
        "adamw": AdamW,
        "muon": Muon,
        "sgd": Sgd,
    },
)
