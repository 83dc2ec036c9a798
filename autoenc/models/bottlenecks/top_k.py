"""`bottleneck=top_k`: of each image's code, only the largest entries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge
from torch import Tensor

from autoenc.models.bottlenecks.bottleneck import Bottleneck, BottleneckOutput
from autoenc.settings import ConfigError, PositiveInt

Factor = Annotated[float, Ge(1)]


class TopK(Bottleneck):
    """The `k` largest features are kept, the others become 0: Makhzani and Frey 2014, ICLR, section 2.

    The largest, not the largest in absolute value. The gradient passes to what was kept and to nothing else. In eval
    mode `test_k` are kept, which the authors found better somewhat larger than `k` (their alpha k).
    """

    penalizes = False
    diagnostic_units: ClassVar[dict[str, str]] = {
        "active_units": "entries of an image's code that are not 0, mean",
        "unused_units": "share of the code's entries that are 0 for every image of a batch",
    }

    def __init__(self, *, code_size: int, k: int, test_k: int) -> None:
        super().__init__(code_size=code_size)
        self.k = k
        self.test_k = test_k

    def forward(self, features: Tensor, *, draws: Tensor | None = None) -> BottleneckOutput:  # noqa: ARG002
        """(B, code_size), of which k (in eval mode test_k) stay."""
        largest = features.topk(self.k if self.training else self.test_k, dim=1)
        code = torch.zeros_like(features).scatter(1, largest.indices, largest.values)
        active = code.detach() != 0
        diagnostics = {
            "active_units": active.float().sum(1).mean(),
            "unused_units": 1 - active.any(0).float().mean(),
        }
        return BottleneckOutput(code, code.unsqueeze(0), penalty=code.new_zeros(()), diagnostics=diagnostics)


@dataclass(frozen=True, kw_only=True)
class TopKSettings:
    """`bottleneck=top_k`."""

    k: PositiveInt
    """How many entries of the code are kept in training."""
    test_factor: Factor
    """How many times as many afterwards; rounded."""

    def check(self, *, code_size: int, code_activation: str, tied: bool) -> None:  # noqa: ARG002
        """No more can be kept than there are."""
        if self.k > code_size:
            problem = f"a code of {code_size} entries has no {self.k} to keep; lower it or raise architecture.code_size"
            raise ConfigError("bottleneck.k", problem, value=self.k)
        if self._test_k > code_size:
            problem = f"{self._test_k} of {code_size} entries would be kept; at most {code_size / self.k:g} goes"
            raise ConfigError("bottleneck.test_factor", problem, value=self.test_factor)

    def build(self, *, code_size: int) -> Bottleneck:
        """The bottleneck."""
        return TopK(code_size=code_size, k=self.k, test_k=self._test_k)

    @property
    def _test_k(self) -> int:
        return round(self.test_factor * self.k)
