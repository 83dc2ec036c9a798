"""`bottleneck=sparse` and `bottleneck=top_k`: codes with few active entries."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from autoenc.models.architectures import Architecture
from autoenc.models.bottlenecks.bottleneck import Bottleneck, BottleneckOutput, BottleneckSettings
from autoenc.models.layers import at_least_float32, constrain_columns
from autoenc.settings import ConfigError, NonNegativeFloat, PositiveInt

NEAR_ZERO = 0.01
"""Code entries below this share of the root mean square of all codes count as zero."""

TINY = 1e-6
"""The lower bound of a mean activity and of an entry's root mean square."""


class Sparse(Bottleneck):
    """The features are the code. The penalty is `weight` times a sum over the code's entries.

    - `l1`: absolute values. The decoder's first layer gets weight columns of norm 1, one for each code entry, as in
      dictionary learning (Olshausen and Field 1997, Vision Research 37). Otherwise codes would shrink while the
      decoder's weights grow. A deeper decoder can still make up for smaller codes in later layers.
    - `relative_l1`: absolute values, each divided by the root mean square of its entry over the batch. Its mean over
      the batch is the square root of Treves and Rolls' lifetime sparseness (1991, Network 2), from 0 to 1 for each
      entry. It does not depend on an entry's scale, so it works with any decoder.
    - `kl`: KL(target || a) between two coins, where a is the entry's mean over the batch: target log(target / a) +
      (1 - target) log((1 - target) / (1 - a)). After Lee, Ekanadham and Ng 2007, NeurIPS, as in Ng's lecture notes
      "Sparse autoencoder", section 3. It needs codes in (0, 1).
    """

    diagnostic_units: ClassVar[dict[str, str]] = {
        "mean_activity": "mean absolute value of the code's entries",
        "near_zero": f"share of the code's entries under {NEAR_ZERO:g} times their root mean square",
        "silent_units": "number of the code's entries that are so near zero for every image",
    }

    settings: SparseSettings

    @property
    def penalty_unit(self) -> str:
        """Depends on the kind."""
        unit = {
            "l1": "the sum of the code's absolute values",
            "relative_l1": "the sum of the code's absolute values, relative to a batch's",
            "kl": "nats, summed over the code's entries",
        }[self.settings.kind]
        return f"{self.settings.weight:g} times {unit}"

    def constrain(self, *, encoder: nn.Module, decoder: nn.Module) -> None:  # noqa: ARG002
        """Give the decoder columns of norm 1 if the penalty needs them."""
        if self.settings.kind == "l1":
            constrain_columns(decoder, code_size=self.code_size, key="bottleneck.kind")

    def forward(self, features: Tensor, *, draws: Tensor | None = None) -> BottleneckOutput:  # noqa: ARG002
        """(B, code_size), unchanged."""
        code = at_least_float32(features)
        penalty = self.settings.weight * self._price(code)
        diagnostics = {"mean_activity": code.detach().abs().mean()}
        return BottleneckOutput(features, features.unsqueeze(0), penalty=penalty, diagnostics=diagnostics)

    def statistics(self, code: Tensor, *, indices: Tensor | None) -> dict[str, Tensor]:  # noqa: ARG002
        """How sparse the codes are."""
        absolute = code.abs()
        near_zero = absolute <= NEAR_ZERO * absolute.square().mean().sqrt()  # (N, code_size)
        return {"near_zero": near_zero.float().mean(), "silent_units": near_zero.all(0).sum()}

    def _price(self, code: Tensor) -> Tensor:
        """The unweighted penalty of codes (B, code_size), (B,); of `kl`, ()."""
        match self.settings.kind:
            case "l1":
                return code.abs().sum(1)
            case "relative_l1":
                # The root of a mean of squares has no finite derivative for an entry that is zero in every image.
                norms: Tensor = torch.linalg.vector_norm(code, dim=0)
                root: float = code.shape[0] ** 0.5  # `len` would fix the batch size in torch.export
                return (code.abs() / (norms / root).clamp_min(TINY)).sum(1)
            case "kl":
                target = self.settings.target
                activity = code.mean(0).clamp(TINY, 1 - TINY)  # (code_size,)
                on = target * (math.log(target) - activity.log())
                off = (1 - target) * (math.log1p(-target) - torch.log1p(-activity))
                return (on + off).sum()


@dataclass(frozen=True, kw_only=True)
class SparseSettings(BottleneckSettings):
    """`bottleneck=sparse`."""

    module = Sparse

    kind: Literal["l1", "relative_l1", "kl"]
    weight: NonNegativeFloat
    """The weight of the penalty."""
    target: Annotated[float, Gt(0), Lt(1)]
    """For `kl`: the mean activity that each entry should have."""

    @property
    def smallest_batch(self) -> int:
        """For `relative_l1`, each entry of a single code is its own root mean square; the ratio is 1."""
        return 2 if self.kind == "relative_l1" else 1

    def check(self, architecture: Architecture) -> None:
        """`kl` needs codes that are probabilities."""
        if self.kind == "kl" and architecture.code_activation != "sigmoid":
            problem = "bottleneck.kind=kl needs code entries that are probabilities; set it to sigmoid"
            raise ConfigError("architecture.code_activation", problem, value=architecture.code_activation)


class TopK(Bottleneck):
    """Keeps the `k` largest features and sets the others to 0: Makhzani and Frey 2014, ICLR, section 2.

    Largest by value, not by absolute value. The gradient reaches only the kept features. Eval mode keeps `test_k`,
    which the authors found better somewhat larger than `k` (their alpha k).
    """

    penalizes = False
    diagnostic_units: ClassVar[dict[str, str]] = {
        "active_per_image": "entries of an image's code that are not 0, mean over images",
        "unused_units": "number of the code's entries that are 0 for every image",
    }

    settings: TopKSettings

    def forward(self, features: Tensor, *, draws: Tensor | None = None) -> BottleneckOutput:  # noqa: ARG002
        """(B, code_size), with k entries (in eval mode test_k) kept."""
        largest = features.topk(self.settings.k if self.training else self.settings.test_k, dim=1)
        code = torch.zeros_like(features).scatter(1, largest.indices, largest.values)
        diagnostics = {"active_per_image": (code.detach() != 0).float().sum(1).mean()}
        return BottleneckOutput(code, code.unsqueeze(0), penalty=code.new_zeros(()), diagnostics=diagnostics)

    def statistics(self, code: Tensor, *, indices: Tensor | None) -> dict[str, Tensor]:  # noqa: ARG002
        """The entries that are never kept."""
        return {"unused_units": (code == 0).all(0).sum()}


@dataclass(frozen=True, kw_only=True)
class TopKSettings(BottleneckSettings):
    """`bottleneck=top_k`."""

    module = TopK

    k: PositiveInt
    """Entries of the code that are kept in training."""
    test_factor: Annotated[float, Ge(1)]
    """Eval mode keeps this many times as many, rounded."""

    @property
    def test_k(self) -> int:
        """Entries that are kept in eval mode."""
        return round(self.test_factor * self.k)

    def check(self, architecture: Architecture) -> None:
        """The code has to have that many entries."""
        code_size = architecture.code_size
        if self.k > code_size:
            problem = f"a code of {code_size} entries has fewer; lower it or raise architecture.code_size"
            raise ConfigError("bottleneck.k", problem, value=self.k)
        if self.test_k > code_size:
            problem = f"it keeps {self.test_k} of {code_size} entries; at most {code_size / self.k:g} fits"
            raise ConfigError("bottleneck.test_factor", problem, value=self.test_factor)
