"""What `health.findings` of `summary.json` lists. Importing this module does not import torch."""

from __future__ import annotations

from typing import NamedTuple


class Unhealthy(NamedTuple):
    """Units, kernels or entries that do nothing."""

    number: int
    total: int
    subject: str
    """`units of encoder layer 1 (ReLU)`, `first-layer kernels`, ..."""
    state: str
    """`dead`, `saturated`, `collapsed`, `repeated` or `unused`."""
    why: str
    activation: str = ""
    """Of a hidden layer, such as `ReLU`; else empty."""

    @property
    def words(self) -> str:
        """A sentence without its full stop."""
        verb = "is" if self.number == 1 else "are"
        return f"{self.number:,} of {self.total:,} {self.subject} {verb} {self.state}: {self.why}"
