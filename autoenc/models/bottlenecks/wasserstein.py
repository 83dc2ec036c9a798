"""`bottleneck=wasserstein`: the Wasserstein autoencoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from autoenc.models.architectures import Architecture
from autoenc.models.bottlenecks.bottleneck import Bottleneck, BottleneckOutput, BottleneckSettings
from autoenc.models.layers import at_least_float32
from autoenc.settings import ConfigError, NonNegativeFloat

SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""The kernel is a sum over these; the authors' choice."""


class Wasserstein(Bottleneck):
    """The features are the code. The penalty is the distance of a batch's codes from N(0, I).

    Tolstikhin et al. 2018, ICLR, algorithm 2 (WAE-MMD): `weight` times the squared maximum mean discrepancy between a
    batch's codes and as many draws from N(0, I). The encoder is deterministic. Without draws, or for a single image,
    there is no penalty.
    """

    diagnostic_units: ClassVar[dict[str, str]] = {
        "mmd": "squared maximum mean discrepancy from N(0, I), unweighted; an unbiased estimate that can be below 0, "
        "averaged over batches",
        "code_variance": "variance of the code's entries over images, mean over the entries; that of N(0, I) is 1",
    }

    settings: WassersteinSettings

    @property
    def penalty_unit(self) -> str:
        """With its weight."""
        return f"{self.settings.weight:g} times the squared maximum mean discrepancy of a batch"

    def draw(self, features: Tensor, *, generator: torch.Generator, samples: int | None = None) -> Tensor:  # noqa: ARG002
        """From N(0, I), (B, code_size), whatever `samples`: an image has one code."""
        shape = (len(features), self.code_size)
        return torch.randn(shape, generator=generator, dtype=features.dtype, device=features.device)

    def forward(self, features: Tensor, *, draws: Tensor | None = None) -> BottleneckOutput:
        """(B, code_size), unchanged; `draws` (B, code_size) are the prior's, for the penalty."""
        code = at_least_float32(features)
        discrepancy = code.new_zeros(()) if draws is None else squared_discrepancy(code, draws)
        penalty = self.settings.weight * discrepancy
        return BottleneckOutput(features, features.unsqueeze(0), penalty, {"mmd": discrepancy.detach()})

    def statistics(self, code: Tensor, *, indices: Tensor | None) -> dict[str, Tensor]:  # noqa: ARG002
        """The spread of the codes."""
        return {"code_variance": code.var(0, correction=0).mean()}


def squared_discrepancy(codes: Tensor, draws: Tensor) -> Tensor:
    """An estimate of the squared maximum mean discrepancy between two distributions, (), from n of each, (n, d).

    Gretton et al. 2012, JMLR 13, equation 3: the U-statistic. It is unbiased, so it can be below 0. The kernel is the
    inverse multiquadratic c / (c + |x - y|^2), summed over c = scale * 2 d, where 2 d is the expected squared distance
    between two draws from N(0, I).
    """
    count, size = codes.shape
    if count < 2:
        return (codes - codes).sum()
    with torch.autocast(codes.device.type, enabled=False):  # bfloat16 is too coarse for distances
        both = torch.cat([codes, draws.to(codes.dtype)])  # (2 n, d)
        squares = both.square().sum(1)
        distances = (squares[:, None] + squares - 2 * both @ both.T).clamp_min(0)  # (2 n, 2 n)
    # There are n^2 pairs between the samples, each listed twice, and n (n - 1) pairs of different points within each.
    weights = codes.new_full(distances.shape, -1 / count**2)
    weights[:count, :count] = weights[count:, count:] = 1 / (count * (count - 1))
    weights.fill_diagonal_(0)
    kernel = sum(scale * 2 * size / (scale * 2 * size + distances) for scale in SCALES)
    return (weights * kernel).sum()


@dataclass(frozen=True, kw_only=True)
class WassersteinSettings(BottleneckSettings):
    """`bottleneck=wasserstein`."""

    module = Wasserstein

    weight: NonNegativeFloat
    """The weight of the squared discrepancy."""

    @property
    def smallest_batch(self) -> int:
        """The estimate compares pairs of codes; of a single one it is 0."""
        return 2

    def check(self, architecture: Architecture) -> None:
        """Codes have to be free to take any value."""
        if architecture.code_activation != "identity":
            problem = "bottleneck=wasserstein needs codes that can be spread as N(0, I); set it to identity"
            raise ConfigError("architecture.code_activation", problem, value=architecture.code_activation)
