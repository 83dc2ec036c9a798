"""Means with 95 % intervals by Student's t distribution."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

PLUS_MINUS = " ± "
MOST_DECIMALS = 9
LARGEST = 1e9
"""Larger numbers are written with an exponent."""
ROUNDING = 1e-12
"""A half width that is a smaller share of the mean is a rounding error of equal numbers, and counts as 0."""


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval."""

    mean: float
    half_width: float | None
    """Of the mean's 95 % interval; None if there is a single number or the interval is larger than any float."""
    count: int
    """How many numbers it is the mean of: one for each run or image."""
    deviation: float | None = None
    """The standard deviation of the numbers, of which `half_width` is a multiple; None as there."""

    def text(self, style: str) -> str:
        """Both numbers in a format's style."""
        half = "" if self.half_width is None else f"{PLUS_MINUS}{self.half_width:{style}}"
        return f"{self.mean:{style}}{half}"

    @property
    def rounded(self) -> str:
        """Both numbers with two digits of the half width: `0.0031 ± 0.0011`. Of equal numbers, four of the mean."""
        size = self.half_width or abs(self.mean)
        if not 10.0 ** (1 - MOST_DECIMALS) <= size < LARGEST:
            return self.text(".2g")
        order = math.floor(math.log10(size))
        if self.half_width == 0:
            mean = f"{self.mean:,.{max(1, 3 - order)}f}".rstrip("0").rstrip(".")
            return f"{mean}{PLUS_MINUS}0"
        return self.text(f",.{max(0, 1 - order)}f")


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of at least one number and its interval by Student's t distribution."""
    count = len(values)
    mean = float(statistics.mean(values))
    if count < 2:
        return Estimate(mean, None, count)
    try:
        deviation = statistics.stdev(values)
    except OverflowError:
        deviation = math.inf
    half_width = student_t(count - 1) * deviation / math.sqrt(count)
    if half_width == math.inf:
        return Estimate(mean, None, count)
    if half_width < ROUNDING * abs(mean):
        half_width = deviation = 0.0
    return Estimate(mean, half_width, count, deviation)


@cache
def student_t(degrees: int) -> float:
    """The 97.5 % quantile of Student's t distribution."""
    from scipy.special import stdtrit  # a tenth of the import time of scipy.stats

    return float(stdtrit(degrees, 0.975))
