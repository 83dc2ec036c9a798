"""Which numbers stand along an axis.

Matplotlib's own ticks of a logarithmic axis are powers of ten: of a loss that falls from 0.04 to 0.02 it labels none,
or crowds all of the minor ones. Here the ticks are chosen once, from the limits of a picture that will not be zoomed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

FEWEST, MOST = 4, 9  # labelled ticks of a value axis
NARROWEST = 0.01  # of the value: a curve that varies less is drawn as the flat line it is
HEADROOM, FOOTROOM = 0.05, 0.14  # of the curves' span; the foot has room for a label below every curve

# Words of what is a logarithm already, or has an upper end. Ratios of such values mean nothing, nor does a logarithm.
NEVER_LOGARITHMIC = ("decibel", "nats", "likelihood", "structural similarity", "psnr", "ssim", "elbo")


@dataclass(frozen=True)
class ValueAxis:
    """A value axis: its scale (`log` or `linear`), limits and ticks, and why it is not logarithmic where it is not."""

    name: str
    low: float
    high: float
    ticks: list[float]
    minor_ticks: list[float]
    note: str

    @property
    def labels(self) -> list[str]:
        """The ticks as they are written."""
        written = [f"{tick:.10g}" for tick in self.ticks]
        alike = self.name == "linear" or self.ticks[-1] < 10 * self.ticks[0]
        if alike and not any("e" in text for text in written):  # 0.0200 and 0.0205, as in a table
            decimals = max(len(text.partition(".")[2]) for text in written)
            written = [f"{tick:.{decimals}f}" for tick in self.ticks]
        return [_plain(text) for text in written]

    def put_on(self, axes: Axes) -> None:
        """Make it the vertical axis of `axes`, with lines across at its ticks."""
        axes.set_yscale(self.name)
        axes.set_ylim(self.low, self.high)
        axes.set_yticks(self.ticks, self.labels)
        axes.set_yticks(self.minor_ticks, [""] * len(self.minor_ticks), minor=True)
        axes.grid(axis="y")
        axes.set_axisbelow(True)

    def share(self, value: float) -> float:
        """How far up the axis a value stands, from 0 to 1."""
        low, high, at = (math.log(x) if self.name == "log" else x for x in (self.low, self.high, value))
        return (at - low) / (high - low)


def value_axis(values: NDArray[np.float64], *, unit: str) -> ValueAxis:
    """The axis for finite values; of no values, from 0 to 1.

    It is logarithmic where all are above zero: of errors the ratios count. Decibels and nats, which `unit` says in
    words that they are, are logarithms already and are never drawn so.
    """
    if not len(values):
        return _linear(0, 1, note="")
    low, high = float(values.min()), float(values.max())
    if any(word in unit.lower() for word in NEVER_LOGARITHMIC):
        return _linear(low, high, note="")
    if low <= 0:
        return _linear(low, high, note="linear axis: not all values are above 0")
    return _logarithmic(low, high)


def number(value: float) -> str:
    """A number with four significant digits, in plain digits where that is readable, otherwise as 1.500e-7."""
    return _plain(f"{value:.0f}" if 1e4 <= abs(value) < 1e7 else f"{value:#.4g}".rstrip("."))


def integer_ticks(first: int, last: int, *, most: int = 11) -> list[int]:
    """Round whole numbers from `first` to `last`, and `first` itself."""
    span = last - first
    power = 10 ** max(0, math.floor(math.log10(max(span, 1))) - 1)
    step = next(factor * power for factor in (1, 2, 5, 10, 20) if span <= factor * power * (most - 1))
    round_ones = [tick for tick in range(-(-first // step) * step, last + 1, step) if tick - first >= 0.4 * step]
    return [first, *round_ones]


def _linear(low: float, high: float, *, note: str) -> ValueAxis:
    least = NARROWEST * max(abs(low), abs(high)) or 1.0
    widened = max(0.0, least - (high - low)) / 2
    low, high = low - widened, high + widened
    span = high - low
    low, high = low - FOOTROOM * span, high + HEADROOM * span
    return ValueAxis("linear", low, high, _even_ticks(low, high), minor_ticks=[], note=note)


def _logarithmic(low: float, high: float) -> ValueAxis:
    least = math.log10(1 + NARROWEST)
    bottom, top = math.log10(low), math.log10(high)
    widened = max(0.0, least - (top - bottom)) / 2
    bottom, top = bottom - widened, top + widened
    span = top - bottom
    low, high = 10 ** (bottom - FOOTROOM * span), 10 ** (top + HEADROOM * span)
    minor = _multiples(range(2, 10), low, high) if 1 <= math.log10(high / low) <= MOST else []
    return ValueAxis("log", low, high, _log_ticks(low, high), minor_ticks=minor, note="")


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten; where they are too few, also 2 and 5 times these, and so on down to even steps."""
    decades = _multiples((1,), low, high)
    if len(decades) > MOST:
        return decades[:: -(-len(decades) // MOST)]
    for factors in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        ticks = _multiples(factors, low, high)
        if len(ticks) >= FEWEST:
            return ticks
    return _even_ticks(low, high)


def _multiples(factors: range | tuple[float, ...], low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = (float(f"{factor}e{power}") for power in powers for factor in factors)
    return [tick for tick in found if low <= tick <= high]


def _even_ticks(low: float, high: float) -> list[float]:
    found = MaxNLocator(nbins=MOST - 2, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [float(tick) for tick in found if low <= tick <= high]


def _plain(written: str) -> str:
    return written.replace("e-0", "e-").replace("e+0", "e").replace("e+", "e").replace("-", "\N{MINUS SIGN}")
