"""Optimizers that can skip a step on the device. Those of torch are fused: one kernel for all parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.optim.optimizer import ParamsT

from autoenc.registry import Choice, Registry
from autoenc.settings import ConfigError, NonNegativeFloat, PositiveFloat, ProperFraction
from autoenc.training import muon
from autoenc.uncompiled import uncompiled


class OptimizerSettings(Protocol):
    """A choice of the group `optimizer`."""

    @property
    def learning_rate(self) -> float:
        """The base rate, which the schedule multiplies by its factor."""
        ...

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer of these parameters."""
        ...


class FusedAdam(torch.optim.Adam):
    """Adam, whose step is one call of torch's fused kernel.

    torch's own step first finds out which of its kernels to call. For a small model that takes nearly as long as the
    kernel.
    """

    kernel: ClassVar[Callable[..., None]] = staticmethod(torch._fused_adam_)

    def __init__(self, parameters: ParamsT, **settings: Any) -> None:
        super().__init__(parameters, **settings)
        for parameter in (parameter for group in self.param_groups for parameter in group["params"]):
            self.state[parameter] = {
                "step": torch.zeros((), device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002
        """Update the parameters that have a gradient, unless `found_inf`, a scalar on their device, is set and 1."""
        found_inf: Tensor | None = getattr(self, "found_inf", None)
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            if not parameters:  # torch's kernels need some
                continue
            states = [self.state[parameter] for parameter in parameters]
            steps = [state["step"] for state in states]
            # A list, because torch would read a single tensor from the device, to pass it as a number.
            torch._foreach_add_(steps, 1 if found_inf is None else [1 - found_inf] * len(steps))
            self.kernel(
                parameters,
                [parameter.grad for parameter in parameters],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],  # the largest second moments, of AMSGrad
                steps,
                lr=group["lr"],
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                amsgrad=False,
                maximize=False,
                found_inf=found_inf,
            )


class FusedAdamW(FusedAdam):
    """The same for AdamW."""

    kernel = staticmethod(torch._fused_adamw_)


@dataclass(frozen=True, kw_only=True)
class _TwoMoments(Choice):
    """The settings of Adam and AdamW, which differ in the meaning of `weight_decay`."""

    optimizer_class: ClassVar[type[FusedAdam]]
    learning_rate: PositiveFloat
    betas: tuple[ProperFraction, ProperFraction]
    epsilon: PositiveFloat
    weight_decay: NonNegativeFloat

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer."""
        return uncompiled(self.optimizer_class)(
            self._groups(parameters),
            lr=self.learning_rate,
            betas=self.betas,
            eps=self.epsilon,
            weight_decay=self.weight_decay,
            fused=True,
        )

    def _groups(self, parameters: Iterable[nn.Parameter]) -> ParamsT:
        """The parameters, or groups of them with settings of their own."""
        return parameters


@dataclass(frozen=True, kw_only=True)
class Adam(_TwoMoments):
    """`optimizer=adam`: Kingma and Ba 2015, algorithm 1; `weight_decay` is added to the gradient."""

    optimizer_class = FusedAdam


@dataclass(frozen=True, kw_only=True)
class AdamW(_TwoMoments):
    """`optimizer=adamw`: Loshchilov and Hutter 2019, algorithm 2; `weight_decay` acts on the weights directly."""

    optimizer_class = FusedAdamW
    decayed: Literal["all", "weights"] = "all"
    """What the decay acts on. `weights` are the parameters of two or more dimensions, so not biases or the scales of
    batch normalisation. The default is for runs from before this setting existed."""

    def _groups(self, parameters: Iterable[nn.Parameter]) -> ParamsT:
        if self.decayed == "all":
            return parameters
        parameters = list(parameters)
        weights = [parameter for parameter in parameters if parameter.ndim > 1]
        others = [parameter for parameter in parameters if parameter.ndim <= 1]
        groups: list[dict[str, Any]] = [{"params": weights}, {"params": others, "weight_decay": 0.0}]
        return groups


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
        optimizer = uncompiled(torch.optim.SGD)(
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
        return uncompiled(muon.Muon)(
            parameters, lr=self.learning_rate, momentum=self.momentum, weight_decay=self.weight_decay
        )


OPTIMIZERS: Registry[OptimizerSettings] = Registry(
    "optimizer",
    {
        "adam": Adam,
        "adamw": AdamW,
        "muon": Muon,
        "sgd": Sgd,
    },
)
