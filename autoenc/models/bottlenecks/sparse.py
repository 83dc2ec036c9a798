"""`bottleneck=sparse`: few entries of the code are far from zero."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Gt, Lt
from torch import Tensor, nn

from autoenc.models.bottlenecks.bottleneck import Bottleneck, BottleneckOutput
from autoenc.models.bottlenecks.precision import at_least_float32
from autoenc.models.bottlenecks.unit_columns import constrain_columns
from autoenc.settings import ConfigError, NonNegativeFloat

SparsityKind = Literal["l1", "relative_l1", "kl"]
MeanActivity = Annotated[float, Gt(0), Lt(1)]

NEAR_ZERO = 0.01
"""Of the root mean square of a batch's code: what is under it counts as zero."""

TINY = 1e-6
"""A mean activity or a unit's root mean square is taken for at least this."""


class Sparse(Bottleneck):
    """The features are the code, at a price for each entry that is not zero.

    - `l1`: `weight` times the sum over the code of absolute values. So that codes cannot shrink to nothing while the
      decoder's weights grow, the weights that leave a code entry in the decoder's first layer have norm 1, as in
      dictionary learning (Olshausen and Field 1997, Vision Research 37). That holds the scale of a decoder of one
      layer; a deeper one can make up for smaller codes further on.
    - `relative_l1`: `weight` times the sum over the code of absolute values, each divided by the root mean square of
      its entry over the batch. Its mean over the batch, for each entry between 0 and 1, is the square root of Treves
      and Rolls' lifetime sparseness (1991, Network 2). No entry's scale changes it, so that it holds for any decoder.
    - `kl`: `weight` times the sum over the code of KL(target || a), a the entry's mean over the batch, both taken for
      the probabilities of a coin: target log(target / a) + (1 - target) log((1 - target) / (1 - a)), after Lee,
      Ekanadham and Ng 2007, NeurIPS, as in Ng's lecture notes "Sparse autoencoder", section 3. For codes in (0, 1).
    """

    diagnostic_units: ClassVar[dict[str, str]] = {
        "mean_activity": "mean absolute value of the code's entries",
        "near_zero": f"share of the code's entries under {NEAR_ZERO:g} times their root mean square",
        "silent_units": "share of the code's entries that are so near zero for every image of a batch",
    }

    def __init__(self, *, code_size: int, kind: SparsityKind, weight: float, target: float) -> None:
        super().__init__(code_size=code_size)
        self.kind = kind
        self.weight = weight
        self.target = target
        self.penalty_unit = {
            "l1": f"{weight:g} times the sum of the code's absolute values",
            "relative_l1": f"{weight:g} times the sum of the code's absolute values, relative to a batch's",
            "kl": f"{weight:g} times nats, summed over the code's entries",
        }[kind]

    def constrain(self, *, encoder: nn.Module, decoder: nn.Module) -> None:  # noqa: ARG002
        """Give the decoder columns of norm 1 where the penalty needs them."""
        if self.kind == "l1":
            constrain_columns(decoder, code_size=self.code_size, key="bottleneck.kind")

    def forward(self, features: Tensor, *, draws: Tensor | None = None) -> BottleneckOutput:  # noqa: ARG002
        """(B, code_size) as it is."""
        code = at_least_float32(features)
        penalty = self.weight * _PENALTIES[self.kind](code, self.target)
        return BottleneckOutput(features, features.unsqueeze(0), penalty=penalty, diagnostics=_diagnostics(code))


def _absolute(code: Tensor, target: float) -> Tensor:  # noqa: ARG001
    """(B,)."""
    return code.abs().sum(1)


def _relative(code: Tensor, target: float) -> Tensor:  # noqa: ARG001
    """(B,)."""
    # Not the root of a mean of squares: its derivative is not finite at an entry that is zero for every image.
    norms: Tensor = torch.linalg.vector_norm(code, dim=0)
    return (code.abs() / (norms / math.sqrt(len(code))).clamp_min(TINY)).sum(1)


def _divergence(code: Tensor, target: float) -> Tensor:
    """()."""
    activity = code.mean(0).clamp(TINY, 1 - TINY)  # (code_size,)
    on = target * (math.log(target) - activity.log())
    off = (1 - target) * (math.log1p(-target) - torch.log1p(-activity))
    return (on + off).sum()


_PENALTIES = {"l1": _absolute, "relative_l1": _relative, "kl": _divergence}


def _diagnostics(code: Tensor) -> dict[str, Tensor]:
    absolute = code.detach().abs()
    near_zero = absolute <= NEAR_ZERO * absolute.square().mean().sqrt()  # (B, code_size)
    return {
        "mean_activity": absolute.mean(),
        "near_zero": near_zero.float().mean(),
        "silent_units": near_zero.all(0).float().mean(),
    }


@dataclass(frozen=True, kw_only=True)
class SparseSettings:
    """`bottleneck=sparse`."""

    kind: SparsityKind
    weight: NonNegativeFloat
    """What the penalty is multiplied by before it is added to the reconstruction loss."""
    target: MeanActivity
    """Of `kind: kl`, the mean activity that each entry is to have."""

    def check(self, *, code_size: int, code_activation: str, tied: bool) -> None:  # noqa: ARG002
        """`kl` needs codes that are probabilities."""
        if self.kind == "kl" and code_activation != "sigmoid":
            problem = "bottleneck.kind=kl takes a code's entries for probabilities; set it to sigmoid"
            raise ConfigError("architecture.code_activation", problem, value=code_activation)

    def build(self, *, code_size: int) -> Bottleneck:
        """The bottleneck."""
        return Sparse(code_size=code_size, kind=self.kind, weight=self.weight, target=self.target)
