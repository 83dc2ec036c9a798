"""`bottleneck=gaussian` and `bottleneck=importance_weighted`: a Gaussian distribution of codes for each image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor

from autoenc.models.architectures import Architecture
from autoenc.models.bottlenecks.bottleneck import Bottleneck, BottleneckOutput, BottleneckSettings
from autoenc.models.layers import at_least_float32
from autoenc.settings import ConfigError, NonNegativeFloat, PositiveInt

LOG_VARIANCE_LIMIT = 15.0
"""The log variance stays between plus and minus this, the standard deviation between 0.00055 and 1,800."""

ACTIVE_VARIANCE = 0.01
"""The variance of a mean above which a code entry counts as active (Burda et al. 2016, ICLR, section 5.2)."""


def active_units(means: Tensor) -> Tensor:
    """Which entries of codes with the means (N, code_size) are active, bool (code_size,); the others are collapsed."""
    return means.var(0, correction=0) > ACTIVE_VARIANCE


class DiagonalGaussian(NamedTuple):
    """N(mean, exp(log_variance)), independent for each code entry. The prior is N(0, I)."""

    mean: Tensor
    """(B, d)."""
    log_variance: Tensor
    """(B, d)."""

    @classmethod
    def from_features(cls, features: Tensor) -> Self:
        """Features (B, 2 d): the means, then the unbounded log variances, mapped by limit * tanh(feature / limit).

        The map leaves small features almost unchanged and has a slope everywhere. The result is float32 or wider,
        because variances are exponentials.
        """
        mean, unbounded = at_least_float32(features).chunk(2, dim=1)
        return cls(mean, LOG_VARIANCE_LIMIT * torch.tanh(unbounded / LOG_VARIANCE_LIMIT))

    def sample(self, draws: Tensor) -> Tensor:
        """Codes (S, B, d) from draws of N(0, 1), (S, B, d): Kingma and Welling 2014, ICLR, section 2.4."""
        return self.mean + torch.exp(0.5 * self.log_variance) * draws

    def divergences(self) -> Tensor:
        """KL(this || N(0, 1)) in nats, (B, d): Kingma and Welling 2014, appendix B."""
        # Close to the prior, exp(v) - 1 would lose digits.
        return 0.5 * (self.mean.square() + torch.expm1(self.log_variance) - self.log_variance)

    def log_ratio(self, samples: Tensor) -> Tensor:
        """Log q(code) - log p(code) in nats at codes (S, B, d), (S, B); its mean estimates the divergence."""
        squares = (samples - self.mean).square() * torch.exp(-self.log_variance)
        return 0.5 * (samples.square() - squares - self.log_variance).sum(2)


class Variational(Bottleneck):
    """The common part of both bottlenecks. They differ in the penalty and in how it is combined with the loss."""

    variational = True
    diagnostic_units = {  # noqa: RUF012 - typed as a ClassVar by `Bottleneck`
        "kl_nats": "nats an image, unweighted, in closed form",
        "active_units": f"number of the code's entries whose mean has a variance over {ACTIVE_VARIANCE:g}",
    }

    settings: GaussianSettings | ImportanceWeightedSettings

    @property
    def feature_size(self) -> int:
        """A mean and a log variance for each code entry."""
        return 2 * self.code_size

    def draw(self, features: Tensor, *, generator: torch.Generator, samples: int | None = None) -> Tensor:
        """From N(0, 1), (S, B, code_size)."""
        shape = (samples or self.settings.samples, len(features), self.code_size)
        return torch.randn(shape, generator=generator, dtype=features.dtype, device=features.device)

    def forward(self, features: Tensor, *, draws: Tensor | None = None) -> BottleneckOutput:
        """Features (B, 2 code_size) to codes: sampled with `draws` (S, B, code_size), else the means."""
        posterior = DiagonalGaussian.from_features(features)
        divergences = posterior.divergences()  # (B, code_size)
        samples = None if draws is None else posterior.sample(draws)
        return BottleneckOutput(
            code=posterior.mean,
            samples=posterior.mean.unsqueeze(0) if samples is None else samples,
            penalty=self.penalty(posterior, divergences=divergences, samples=samples),
            diagnostics={"kl_nats": divergences.detach().sum(1).mean()},
            divergence=divergences.sum(1),
        )

    def statistics(self, code: Tensor, *, indices: Tensor | None) -> dict[str, Tensor]:  # noqa: ARG002
        """The active units: Burda et al. 2016, ICLR, section 5.2."""
        return {"active_units": active_units(code).sum()}

    def penalty(self, posterior: DiagonalGaussian, *, divergences: Tensor, samples: Tensor | None) -> Tensor:
        """(), (B,) or (S, B), from divergences (B, code_size) and the sampled codes (S, B, code_size), if any."""
        raise NotImplementedError

    def log_ratio(self, features: Tensor, *, samples: Tensor) -> Tensor:
        """Log q(code | image) - log p(code) in nats at codes (S, B, code_size), (S, B): for importance sampling."""
        return DiagonalGaussian.from_features(features).log_ratio(samples)


class Gaussian(Variational):
    """The variational autoencoder's bottleneck. The penalty is the KL divergence from N(0, I).

    - Kingma and Welling 2014, ICLR: with `beta` 1 the objective is the negative of equation 10.
    - `beta` weights the divergence (Higgins et al. 2017, ICLR, equation 4).
    - Over the first `warmup_epochs` of training this weight grows linearly from 0 (Sønderby et al. 2016, NeurIPS,
      section 2.3). In eval mode it is always whole.
    - With `free_bits` the divergence of each code entry, averaged over the batch, counts as at least so many nats
      (Kingma et al. 2016, NeurIPS, equation 15, each entry a group; their lambda).
    """

    settings: GaussianSettings
    strength: Tensor

    def __init__(self, settings: GaussianSettings, *, code_size: int) -> None:
        super().__init__(settings, code_size=code_size)
        # A tensor that is filled in place, so that captured steps see it. Not saved, because each step sets it.
        self.register_buffer("strength", torch.ones(()), persistent=False)

    @property
    def penalty_unit(self) -> str:
        """Names each setting that is not off."""
        beta, free_bits, epochs = self.settings.beta, self.settings.free_bits, self.settings.warmup_epochs
        weight = "" if beta == 1 else f"{beta:g} times "
        free = f", of each code entry at least {free_bits:g}" if free_bits else ""
        warmed = f", in training warmed up over {epochs:g} epochs" if epochs else ""
        return f"{weight}the divergence from N(0, I) in nats an image{free}{warmed}"

    def begin_step(self, *, epoch: float) -> None:
        """Set the share of the divergence's weight that counts in this epoch."""
        if self.settings.warmup_epochs > 0:
            self.strength.fill_(min(1.0, epoch / self.settings.warmup_epochs))

    def penalty(self, posterior: DiagonalGaussian, *, divergences: Tensor, samples: Tensor | None) -> Tensor:  # noqa: ARG002
        """(B,); with free bits, which apply to the batch's average, ()."""
        strength = self.strength if self.training else 1.0
        free_bits = self.settings.free_bits
        counted = divergences.mean(0).clamp_min(free_bits).sum() if free_bits else divergences.sum(1)
        return self.settings.beta * strength * counted


class ImportanceWeighted(Variational):
    """The importance-weighted autoencoder's bottleneck: a tighter bound, from several codes of each image.

    Burda, Grosse and Salakhutdinov 2016, ICLR, equation 8: the log of the mean over `samples` codes of
    p(image | code) p(code) / q(code | image). With one sample it is the ELBO; its limit is log p(image). Eval mode
    draws as many as training. Without draws, the penalty of the mean is the closed-form divergence, and the objective
    is no bound.
    """

    settings: ImportanceWeightedSettings

    @property
    def penalty_unit(self) -> str:
        """That of each sample."""
        return "log q(code | image) - log p(code) in nats an image"

    def penalty(self, posterior: DiagonalGaussian, *, divergences: Tensor, samples: Tensor | None) -> Tensor:
        """(S, B), or (B,) without samples."""
        return divergences.sum(1) if samples is None else posterior.log_ratio(samples)

    def objective_unit(self, loss_unit: str) -> str:
        """The bound, which is not the sum of its parts."""
        return f"the negative importance-weighted bound of {self.settings.samples} samples; {loss_unit}"

    def combine(self, errors: Tensor, penalty: Tensor) -> Tensor:
        """The negative bound, (B,), from negative log-likelihoods (S, B) and log ratios (S, B)."""
        return math.log(len(errors)) - torch.logsumexp(-(errors + penalty), dim=0)


@dataclass(frozen=True, kw_only=True)
class VariationalSettings(BottleneckSettings):
    """The settings of both."""

    samples: PositiveInt
    """Codes of an image that are decoded in a step. The decoder's work is multiplied by it."""

    def check(self, architecture: Architecture) -> None:
        """Means and log variances have to be free to take any value."""
        if architecture.code_activation != "identity":
            problem = f"bottleneck={self.name} needs means and variances of any size; set it to identity"
            raise ConfigError("architecture.code_activation", problem, value=architecture.code_activation)


@dataclass(frozen=True, kw_only=True)
class GaussianSettings(VariationalSettings):
    """`bottleneck=gaussian`."""

    module = Gaussian

    beta: NonNegativeFloat
    """The weight of the divergence."""
    warmup_epochs: NonNegativeFloat
    """Epochs over which this weight grows from 0; 0 for no warm-up."""
    free_bits: NonNegativeFloat
    """Nats of divergence that each code entry has for free."""


@dataclass(frozen=True, kw_only=True)
class ImportanceWeightedSettings(VariationalSettings):
    """`bottleneck=importance_weighted`."""

    module = ImportanceWeighted
