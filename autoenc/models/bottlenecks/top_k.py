"""`bottleneck=top_k`: only the largest entries of each image's code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge
from torch import Tensor

from autoenc.models.bottlenecks.bottleneck import Bottleneck, BottleneckOutput, BottleneckSettings
from autoenc.settings import ConfigError, PositiveInt


class TopK(Bottleneck):
    """Keeps the `k` largest features and sets the others to 0: Makhzani and Frey 2014, ICLR, section 2.

    Largest by value, not by absolute value. The gradient reaches only the kept features. Eval mode keeps `test_k`,
    which the authors found better somewhat larger than `k` (their alpha k).
    """

    penalizes = False
    diagnostic_units: ClassVar[dict[str, str]] = {
        "active_units": "entries of an image's code that are not 0, mean",
        "unused_units": "share of the code's entries that are 0 for every image of a batch",
    }

    settings: TopKSettings

    def forward(self, features: Tensor, *, draws: Tensor | None = None) -> BottleneckOutput:  # noqa: ARG002
        """(B, code_size), with k entries (in eval mode test_k) kept."""
        largest = features.topk(self.settings.k if self.training else self.settings.test_k, dim=1)
        code = torch.zeros_like(features).scatter(1, largest.indices, largest.values)
        active = code.detach() != 0
        diagnostics = {
            "active_units": active.float().sum(1).mean(),
            "unused_units": 1 - active.any(0).float().mean(),
        }
        return BottleneckOutput(code, code.unsqueeze(0), penalty=code.new_zeros(()), diagnostics=diagnostics)


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

    def check(self, *, code_size: int, code_activation: str, tied: bool) -> None:  # noqa: ARG002
        """The code has to have that many entries."""
        if self.k > code_size:
            problem = f"a code of {code_size} entries has fewer; lower it or raise architecture.code_size"
            raise ConfigError("bottleneck.k", problem, value=self.k)
        if self.test_k > code_size:
            problem = f"it keeps {self.test_k} of {code_size} entries; at most {code_size / self.k:g} fits"
            raise ConfigError("bottleneck.test_factor", problem, value=self.test_factor)
