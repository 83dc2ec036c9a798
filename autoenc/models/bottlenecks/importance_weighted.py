"""`bottleneck=importance_weighted`: the importance-weighted autoencoder."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from autoenc.models.bottlenecks.bottleneck import Bottleneck, BottleneckOutput
from autoenc.models.bottlenecks.diagonal_gaussian import DIAGNOSTIC_UNITS, DiagonalGaussian, refuse_activation
from autoenc.settings import PositiveInt


class ImportanceWeighted(Bottleneck):
    """Codes as `Gaussian` has them, trained on a bound that is the tighter the more of them are drawn.

    Burda, Grosse and Salakhutdinov 2016, ICLR, equation 8: the log of the mean over `samples` codes of
    p(image | code) p(code) / q(code | image), which is log p(image) in the limit, and the evidence lower bound at 1.
    In eval mode as many are drawn as in training. Without draws there is but the mean, whose penalty is the divergence
    in closed form: no bound. `divergence` is in closed form, always.
    """

    variational = True
    penalty_unit = "log q(code | image) - log p(code) in nats an image"
    diagnostic_units = DIAGNOSTIC_UNITS

    def __init__(self, *, code_size: int, samples: int) -> None:
        super().__init__(code_size=code_size)
        self.samples = samples

    @property
    def feature_size(self) -> int:
        """A mean and a log variance for each entry of the code."""
        return 2 * self.code_size

    def draw(self, features: Tensor, *, generator: torch.Generator, samples: int | None = None) -> Tensor:
        """From N(0, 1), (S, B, code_size)."""
        shape = (samples or self.samples, len(features), self.code_size)
        return torch.randn(shape, generator=generator, dtype=features.dtype, device=features.device)

    def forward(self, features: Tensor, *, draws: Tensor | None = None) -> BottleneckOutput:
        """Features (B, 2 code_size) to codes: by `draws` (S, B, code_size), else the means."""
        posterior = DiagonalGaussian.from_features(features)
        divergence = posterior.divergences().sum(1)  # (B,)
        samples = posterior.mean.unsqueeze(0) if draws is None else posterior.sample(draws)
        return BottleneckOutput(
            code=posterior.mean,
            samples=samples,
            penalty=divergence if draws is None else posterior.log_ratio(samples),  # (B,) or (S, B)
            diagnostics=posterior.diagnostics(),
            divergence=divergence,
        )

    def log_ratio(self, features: Tensor, *, samples: Tensor) -> Tensor:
        """At codes (S, B, code_size), log q(code | image) - log p(code) in nats, (S, B): for importance sampling."""
        return DiagonalGaussian.from_features(features).log_ratio(samples)

    def objective_unit(self, loss_unit: str) -> str:
        """The bound of so many samples, whose parts do not add up to it."""
        return f"the negative importance-weighted bound of {self.samples} samples; {loss_unit}"

    def combine(self, errors: Tensor, penalty: Tensor) -> Tensor:
        """The negative bound, (B,), of negative log-likelihoods (S, B) and log ratios (S, B)."""
        return math.log(len(errors)) - torch.logsumexp(-(errors + penalty), dim=0)


@dataclass(frozen=True, kw_only=True)
class ImportanceWeightedSettings:
    """`bottleneck=importance_weighted`."""

    samples: PositiveInt
    """How many codes of an image the bound takes; the decoder works so many times as much."""

    def check(self, *, code_size: int, code_activation: str, tied: bool) -> None:  # noqa: ARG002
        """The features must be free to take any value."""
        refuse_activation(code_activation, bottleneck="importance_weighted")

    def build(self, *, code_size: int) -> Bottleneck:
        """The bottleneck."""
        return ImportanceWeighted(code_size=code_size, samples=self.samples)
