"""`bottleneck=gaussian`: the variational autoencoder."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from autoenc.models.bottlenecks.bottleneck import Bottleneck, BottleneckOutput
from autoenc.models.bottlenecks.diagonal_gaussian import DIAGNOSTIC_UNITS, DiagonalGaussian, refuse_activation
from autoenc.settings import NonNegativeFloat, PositiveInt


class Gaussian(Bottleneck):
    """Each image has a Gaussian distribution of codes, paid for by its divergence from N(0, I).

    Kingma and Welling 2014, ICLR, equation 10, of which the objective is the negative, where `beta` is 1; another
    `beta` weighs the divergence (Higgins et al. 2017, ICLR, equation 4). The features are the means, then the log
    variances (see `DiagonalGaussian.from_features` for their range).

    Over the first `warmup_epochs` the weight of the divergence grows linearly from 0 (Sønderby et al. 2016, NeurIPS,
    section 2.3); in eval mode it is always whole. With `free_bits` the divergence of each code entry, averaged over
    the batch, counts as at least so many nats: the sum over entries of max(free_bits, mean KL), Kingma et al. 2016,
    NeurIPS, equation 15, with every entry a group of its own. Its authors call it lambda; it is in nats.
    """

    variational = True
    diagnostic_units = DIAGNOSTIC_UNITS

    strength: Tensor

    def __init__(
        self, *, code_size: int, beta: float, warmup_epochs: float = 0.0, free_bits: float = 0.0, samples: int = 1
    ) -> None:
        super().__init__(code_size=code_size)
        self.beta = beta
        self.warmup_epochs = warmup_epochs
        self.free_bits = free_bits
        self.samples = samples
        weight = "" if beta == 1 else f"{beta:g} times "
        free = f", of each code entry at least {free_bits:g}" if free_bits else ""
        warmed = f", in training warmed up over {warmup_epochs:g} epochs" if warmup_epochs else ""
        self.penalty_unit = f"{weight}the divergence from N(0, I) in nats an image{free}{warmed}"
        # A tensor that is filled, for steps that were captured; not saved, because each step sets it.
        self.register_buffer("strength", torch.ones(()), persistent=False)

    @property
    def feature_size(self) -> int:
        """A mean and a log variance for each entry of the code."""
        return 2 * self.code_size

    def begin_step(self, *, epoch: float) -> None:
        """Set how much the divergence counts by now."""
        if self.warmup_epochs > 0:
            self.strength.fill_(min(1.0, epoch / self.warmup_epochs))

    def draw(self, features: Tensor, *, generator: torch.Generator, samples: int | None = None) -> Tensor:
        """From N(0, 1), (S, B, code_size)."""
        shape = (samples or self.samples, len(features), self.code_size)
        return torch.randn(shape, generator=generator, dtype=features.dtype, device=features.device)

    def forward(self, features: Tensor, *, draws: Tensor | None = None) -> BottleneckOutput:
        """Features (B, 2 code_size) to codes: by `draws` (S, B, code_size), else the means."""
        posterior = DiagonalGaussian.from_features(features)
        divergences = posterior.divergences()  # (B, code_size)
        strength = self.strength if self.training else 1.0
        return BottleneckOutput(
            code=posterior.mean,
            samples=posterior.mean.unsqueeze(0) if draws is None else posterior.sample(draws),
            penalty=self.beta * strength * self._counted(divergences),
            diagnostics=posterior.diagnostics(),
            divergence=divergences.sum(1),
        )

    def log_ratio(self, features: Tensor, *, samples: Tensor) -> Tensor:
        """At codes (S, B, code_size), log q(code | image) - log p(code) in nats, (S, B): for importance sampling."""
        return DiagonalGaussian.from_features(features).log_ratio(samples)

    def _counted(self, divergences: Tensor) -> Tensor:
        """(B,), or () where what is free is so on the average of the batch."""
        if self.free_bits == 0:
            return divergences.sum(1)
        return divergences.mean(0).clamp_min(self.free_bits).sum()


@dataclass(frozen=True, kw_only=True)
class GaussianSettings:
    """`bottleneck=gaussian`."""

    beta: NonNegativeFloat
    """What the divergence is multiplied by."""
    warmup_epochs: NonNegativeFloat
    """Over how many epochs that grows from 0; 0 for not at all."""
    free_bits: NonNegativeFloat
    """The divergence in nats that an entry of the code has for free."""
    samples: PositiveInt
    """How many codes of an image are decoded in a step."""

    def check(self, *, code_size: int, code_activation: str, tied: bool) -> None:  # noqa: ARG002
        """The features must be free to take any value."""
        refuse_activation(code_activation, bottleneck="gaussian")

    def build(self, *, code_size: int) -> Bottleneck:
        """The bottleneck."""
        return Gaussian(
            code_size=code_size,
            beta=self.beta,
            warmup_epochs=self.warmup_epochs,
            free_bits=self.free_bits,
            samples=self.samples,
        )
