"""The distribution of codes that a variational encoder gives for an image."""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor

from autoenc.models.bottlenecks.precision import at_least_float32
from autoenc.settings import ConfigError

LOG_VARIANCE_LIMIT = 15.0
"""The log variance lies between minus this and this, so that the standard deviation does between 0.00055 and 1,800."""

ACTIVE_VARIANCE = 0.01
"""Burda, Grosse and Salakhutdinov 2016, ICLR, section 5.2: what a unit's mean has to vary by to count as active."""

DIAGNOSTIC_UNITS = {
    "kl_nats": "nats an image, unweighted, in closed form",
    "active_units": f"entries of the code whose mean has a variance over {ACTIVE_VARIANCE:g} within a batch",
}
"""Of `DiagonalGaussian.diagnostics`."""


class DiagonalGaussian(NamedTuple):
    """N(mean, exp(log_variance)) in each entry of the code by itself, beside the prior N(0, 1)."""

    mean: Tensor
    """(B, d)."""
    log_variance: Tensor
    """(B, d)."""

    @classmethod
    def from_features(cls, features: Tensor) -> Self:
        """Features (B, 2 d): the means, then what becomes the log variances, limit * tanh(feature / limit).

        That is the feature itself where it is small, and has a slope everywhere. In float32, whatever the features
        are: variances are exponentials.
        """
        mean, free = at_least_float32(features).chunk(2, dim=1)
        return cls(mean, LOG_VARIANCE_LIMIT * torch.tanh(free / LOG_VARIANCE_LIMIT))

    def sample(self, draws: Tensor) -> Tensor:
        """Codes (S, B, d) from draws of N(0, 1), (S, B, d): Kingma and Welling 2014, ICLR, section 2.4."""
        return self.mean + torch.exp(0.5 * self.log_variance) * draws

    def divergences(self) -> Tensor:
        """KL(this || N(0, 1)) in nats, (B, d): Kingma and Welling 2014, appendix B."""
        # expm1 keeps the digits that exp(v) - 1 would lose where this is close to the prior.
        return 0.5 * (self.mean.square() + torch.expm1(self.log_variance) - self.log_variance)

    def log_ratio(self, samples: Tensor) -> Tensor:
        """The log of this density over the prior's at codes (S, B, d), (S, B); its mean estimates the divergence."""
        squares = (samples - self.mean).square() * torch.exp(-self.log_variance)
        return 0.5 * (samples.square() - squares - self.log_variance).sum(2)

    def diagnostics(self) -> dict[str, Tensor]:
        """Scalars for the epoch's metrics; see `DIAGNOSTIC_UNITS`. The variance is a batch's: an estimate."""
        variances = self.mean.detach().var(0, correction=0)  # (d,)
        return {
            "kl_nats": self.divergences().detach().sum(1).mean(),
            "active_units": (variances > ACTIVE_VARIANCE).float().sum(),
        }


def refuse_activation(code_activation: str, *, bottleneck: str) -> None:
    """Means and log variances have to be free to take any value."""
    if code_activation != "identity":
        problem = f"bottleneck={bottleneck} needs means and variances of any size; set it to identity"
        raise ConfigError("architecture.code_activation", problem, value=code_activation)
