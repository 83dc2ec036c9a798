"""The mean of a few numbers, and how well it is known."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

# Quantiles of Student's t distribution at 97.5 % for 1 to 30 degrees of freedom; scipy's import takes longer than a
# comparison.
_QUANTILES = (
    *(12.706204736, 4.302652730, 3.182446305, 2.776445105, 2.570581836, 2.446911851, 2.364624252, 2.306004135),
    *(2.262157163, 2.228138852, 2.200985160, 2.178812830, 2.160368656, 2.144786688, 2.131449546, 2.119905299),
    *(2.109815578, 2.100922040, 2.093024054, 2.085963447, 2.079613845, 2.073873068, 2.068657610, 2.063898562),
    *(2.059538553, 2.055529439, 2.051830516, 2.048407142, 2.045229642, 2.042272456),
)
_NORMAL = 1.959963984540054


class Estimate(NamedTuple):
    """A mean over runs."""

    mean: float
    half_width: float | None
    """Of the 95 % interval of the mean, under normally distributed numbers; None of a single one, and where it is
    larger than any number that a computer has.
    """
    runs: int


def estimate(values: Sequence[float]) -> Estimate:
    """Of at least one number, all of them finite.

    They are counted in a power of two that is no smaller than the largest, which rounds nothing: neither their sum nor
    the squares of their deviations then leave the range of numbers.
    """
    _, power = math.frexp(max(abs(value) for value in values))
    small = [math.ldexp(value, -power) for value in values]
    mean = min(max(statistics.fmean(small), min(small)), max(small))  # which rounding could miss
    count = len(small)
    if count < 2:
        return Estimate(math.ldexp(mean, power), None, count)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in small) / (count - 1))
    half_width = t_quantile(count - 1) * deviation / math.sqrt(count)
    try:
        return Estimate(math.ldexp(mean, power), math.ldexp(half_width, power), count)
    except OverflowError:
        return Estimate(math.ldexp(mean, power), None, count)


def t_quantile(degrees: int) -> float:
    """The 97.5 % quantile of Student's t distribution, to 8 digits.

    From 31 degrees of freedom on by Abramowitz and Stegun 1964, Handbook of Mathematical Functions, 26.7.5.
    """
    if degrees <= len(_QUANTILES):
        return _QUANTILES[degrees - 1]
    x: float = _NORMAL
    corrections = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return x + math.fsum(correction / degrees**power for power, correction in enumerate(corrections, start=1))
