"""The contract of a bottleneck and of its settings, and the plain bottleneck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from autoenc.models.architectures import Architecture
from autoenc.registry import Choice

if TYPE_CHECKING:
    from autoenc.models.autoencoder import AutoEncoder, AutoEncoderOutput


class BottleneckOutput(NamedTuple):
    """The codes of a batch of features, and their penalty."""

    code: Tensor
    """The code of each image, (B, code_size); for a distribution, its mean."""
    samples: Tensor
    """The codes to decode, (S, B, code_size); S is 1 where there is nothing to sample."""
    penalty: Tensor
    """Added to the reconstruction loss: (B,), or (S, B) where it differs between samples."""
    diagnostics: dict[str, Tensor]
    """Averages over the images for the epoch's metrics, detached.

    `Bottleneck.statistics` has the scalars that are not averages.
    """
    divergence: Tensor | None = None
    """Variational bottlenecks only: the unweighted KL divergence from the prior in nats, (B,), or estimates (S, B)."""
    indices: Tensor | None = None
    """Vector quantization only: the entry of the codebook for each vector of the code, int64 (B, vectors)."""


class Passage(NamedTuple):
    """A batch on its way through a model, for penalties that need more than the features."""

    model: AutoEncoder
    output: AutoEncoderOutput
    """The model's, for `given`."""
    given: Tensor
    """The model's input, with noise if there is any, (B, C, H, W) in [0, 1]."""
    clean: Tensor
    """The same images without noise."""
    generator: torch.Generator | None
    """The source of random estimates."""


class Bottleneck(nn.Module):
    """Turns features into codes, and combines reconstruction losses and penalties into the objective.

    Args:
        settings: the choice's settings, if it has any. Each class annotates the type of its own.
        code_size: the number of entries of a code.
    """

    penalizes: ClassVar[bool] = True
    """False if the penalty is always zero. Then no step computes the sum."""
    variational: ClassVar[bool] = False
    """Whether the objective is a bound on the likelihood. Then the loss has to be in nats, and there is an ELBO."""
    diagnostic_units: ClassVar[dict[str, str]] = {}
    """The unit of each diagnostic and each statistic."""
    learned_buffers: ClassVar[tuple[str, ...]] = ()
    """Tensors that are learned without a gradient. They count as parameters."""

    settings: Any

    def __init__(self, settings: BottleneckSettings | None = None, *, code_size: int) -> None:
        super().__init__()
        self.settings = settings
        self.code_size = code_size

    @property
    def feature_size(self) -> int:
        """The number of features that the encoder must give."""
        return self.code_size

    @property
    def penalty_unit(self) -> str:
        """The unit of the weighted penalty."""
        return "none"

    def constrain(self, *, encoder: nn.Module, decoder: nn.Module) -> None:
        """Parametrize the model's layers where the bottleneck needs it. Called once, by the model's constructor."""

    def begin_step(self, *, epoch: float) -> None:
        """Prepare a training step, for example a warm-up. `epoch` counts from 0, with fractions."""

    def draw(self, features: Tensor, *, generator: torch.Generator, samples: int | None = None) -> Tensor | None:  # noqa: ARG002
        """The random numbers that `forward` takes for a batch like `features`; None where nothing is random.

        Only the shape, type and device of `features` matter. `samples` overrides the number of codes per image.
        """
        return None

    def forward(self, features: Tensor, *, draws: Tensor | None = None) -> BottleneckOutput:
        """Features (B, feature_size) to codes. Without `draws`, the code of a distribution is its mean."""
        raise NotImplementedError

    def statistics(self, code: Tensor, *, indices: Tensor | None) -> dict[str, Tensor]:  # noqa: ARG002
        """Scalars that describe a set of images as a whole, and are not averages over them; counts are integers.

        Computed from the codes (N, code_size) and `indices` of a batch in training, where their names begin with
        `batch_`, and of a whole split in evaluation.
        """
        return {}

    def further_penalty(self, passage: Passage) -> Tensor | None:  # noqa: ARG002
        """A penalty, (B,) or (), that needs more than the features. Computed for training and validation only."""
        return None

    def objective_unit(self, loss_unit: str) -> str:
        """The unit of the objective, given that of the reconstruction loss."""
        return f"{loss_unit}, plus {self.penalty_unit}" if self.penalizes else loss_unit

    def combine(self, errors: Tensor, penalty: Tensor) -> Tensor:
        """The objective of each image, (B,), from reconstruction losses (S, B) and penalties (B,) or (S, B)."""
        return (errors + penalty).mean(0)


@dataclass(frozen=True, kw_only=True)
class BottleneckSettings(Choice):
    """The base class of a bottleneck's settings: the entries of `BOTTLENECKS`."""

    module: ClassVar[type[Bottleneck]]
    """What `build` makes."""

    @property
    def variational(self) -> bool:
        """See `Bottleneck`."""
        return self.module.variational

    @property
    def smallest_batch(self) -> int:
        """The smallest batch whose penalty has an effect: that of smaller ones is constant, whatever the codes are."""
        return 1

    def check(self, architecture: Architecture) -> None:
        """Refuse an architecture that does not fit this bottleneck.

        Raises:
            ConfigError: with the key to change.
        """

    def build(self, *, code_size: int) -> Bottleneck:
        """The bottleneck for codes of this size."""
        return self.module(self, code_size=code_size)


class Plain(Bottleneck):
    """The features are the code."""

    penalizes = False

    def forward(self, features: Tensor, *, draws: Tensor | None = None) -> BottleneckOutput:  # noqa: ARG002
        """(B, code_size), unchanged."""
        no_penalty = features.new_zeros(())
        return BottleneckOutput(features, features.unsqueeze(0), penalty=no_penalty, diagnostics={})


@dataclass(frozen=True, kw_only=True)
class PlainSettings(BottleneckSettings):
    """`bottleneck=plain`."""

    module = Plain
