"""What every bottleneck is: the contract, and its simplest case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor, nn


class BottleneckOutput(NamedTuple):
    """What a bottleneck makes of a batch of features."""

    code: Tensor
    """The code that stands for an image, (B, code_size): of a distribution, its mean."""
    samples: Tensor
    """The codes to decode, (S, B, code_size); S is 1 where there is nothing to sample."""
    penalty: Tensor
    """What is added to the reconstruction loss, (B,), or (S, B) where it differs between samples."""
    diagnostics: dict[str, Tensor]
    """Scalars worth a place in the epoch's metrics, not differentiated."""
    divergence: Tensor | None = None
    """Of a variational bottleneck: the KL divergence from the prior in nats, (B,), or its estimates (S, B), whatever
    weight the penalty has."""


class Passage(NamedTuple):
    """A batch on its way through a model, for a penalty that takes more than the features."""

    encode: Callable[[Tensor], Tensor]
    """From images (B, C, H, W) in [0, 1] to codes (B, code_size), differentiable twice where the layers are."""
    decode: Callable[[Tensor], Tensor]
    """From codes (B, code_size) to images (B, C, H, W) in [0, 1] scale."""
    given: Tensor
    """The images that the encoder was given, with noise if there is any; (B, C, H, W) in [0, 1]."""
    clean: Tensor
    """The same without the noise."""
    samples: Tensor
    """The codes that were decoded, (S, B, code_size)."""
    generator: torch.Generator | None
    """Where a random estimate draws from."""


class Bottleneck(nn.Module):
    """From features to codes, and from reconstruction losses and penalties to what is minimised.

    A bottleneck is made for codes of `code_size` numbers and asks the encoder for `feature_size` features.
    """

    penalizes: ClassVar[bool] = True
    """False where the penalty is always zero: a step is short enough to notice the sum."""
    variational: ClassVar[bool] = False
    """Whether the objective is a bound on the likelihood: then the loss has to be in nats, and there is an ELBO."""
    penalty_unit: str = "none"
    """The unit of the penalty, as it is added."""
    diagnostic_units: ClassVar[dict[str, str]] = {}
    """The unit of each of the diagnostics."""

    def __init__(self, *, code_size: int) -> None:
        super().__init__()
        self.code_size = code_size

    @property
    def feature_size(self) -> int:
        """How many features the encoder must give."""
        return self.code_size

    def constrain(self, *, encoder: nn.Module, decoder: nn.Module) -> None:
        """Called once, when the model is put together: the place to parametrize its layers."""

    def begin_step(self, *, epoch: float) -> None:
        """Called before each training step; `epoch` counts from 0, with fractions. For what is warmed up."""

    def draw(self, features: Tensor, *, generator: torch.Generator, samples: int | None = None) -> Tensor | None:  # noqa: ARG002
        """The random numbers that `forward` takes for a batch like `features` (only its shape, type and device count).

        None where nothing is random. `samples` asks for another number of codes an image than training uses.
        """
        return None

    def forward(self, features: Tensor, *, draws: Tensor | None = None) -> BottleneckOutput:
        """Features (B, feature_size) to codes; without `draws` the code is what stands for the image, its mean."""
        raise NotImplementedError

    def further_penalty(self, passage: Passage) -> Tensor | None:  # noqa: ARG002
        """A penalty, (B,) or (), that takes more than features: computed for training and for validation only."""
        return None

    def objective_unit(self, loss_unit: str) -> str:
        """What `combine` makes of a reconstruction loss of this unit."""
        return f"{loss_unit}, plus {self.penalty_unit}" if self.penalizes else loss_unit

    def combine(self, errors: Tensor, penalty: Tensor) -> Tensor:
        """What is minimised for each image, (B,), of reconstruction losses (S, B) and penalties (B,) or (S, B)."""
        return (errors + penalty).mean(0)


class Plain(Bottleneck):
    """The features are the code."""

    penalizes = False

    def forward(self, features: Tensor, *, draws: Tensor | None = None) -> BottleneckOutput:  # noqa: ARG002
        """(B, code_size) as it is, at no penalty."""
        no_penalty = features.new_zeros(())
        return BottleneckOutput(features, features.unsqueeze(0), penalty=no_penalty, diagnostics={})


@dataclass(frozen=True, kw_only=True)
class PlainSettings:
    """`bottleneck=plain`."""

    def check(self, *, code_size: int, code_activation: str, tied: bool) -> None:
        """It goes with everything."""

    def build(self, *, code_size: int) -> Bottleneck:
        """The bottleneck."""
        return Plain(code_size=code_size)


class BottleneckSettings(Protocol):
    """What an entry of the table offers: a frozen dataclass."""

    def check(self, *, code_size: int, code_activation: str, tied: bool) -> None:
        """Refuse an architecture's settings that do not go with this bottleneck.

        Raises:
            ConfigError: with the key to change.
        """
        ...

    def build(self, *, code_size: int) -> Bottleneck:
        """The bottleneck."""
        ...
