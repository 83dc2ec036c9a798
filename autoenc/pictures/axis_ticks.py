"""The scale, limits and ticks of an axis.

On a logarithmic axis, matplotlib's own ticks are powers of ten. Of a loss that falls from 0.04 to 0.02 they label none,
or crowd all minor ones. Here the ticks are chosen once, from the limits of a picture that will not be zoomed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autoenc.evaluation.metric import is_logarithmic
from autoenc.pictures.page import SMALL, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEWEST, MOST = 4, 9  # labelled ticks of a value axis
NARROWEST = 0.01  # of the value: a curve that varies less is drawn flat
HEADROOM, FOOTROOM = 0.05, 0.14  # of the curves' span; the foot has room for a label below every curve
SETTING_ROOM = 0.05  # at both ends of the axis of a setting
APART = 12  # pixels between the labels of a horizontal axis

LOG_SCALE = "log scale"


@dataclass(frozen=True)
class ValueAxis:
    """The scale (`log` or `linear`), limits and ticks of an axis, and a note for its label.

    The note says that the axis is logarithmic, or why it is not if that is unusual.
    """

    name: str
    low: float
    high: float
    ticks: Sequence[float]
    minor_ticks: Sequence[float] = ()
    note: str = ""

    @property
    def labels(self) -> list[str]:
        """The texts of the ticks."""
        written = [f"{tick:.6g}" for tick in self.ticks]
        alike = self.name == "linear" or self.ticks[-1] < 10 * self.ticks[0]
        if alike and not any("e" in text for text in written):  # 0.0200 and 0.0205, as in a table
            decimals = max((len(text.partition(".")[2]) for text in written), default=0)
            written = [f"{tick:.{decimals}f}" for tick in self.ticks]
        return [plain(text) for text in written]

    def labelled(self, text: str) -> str:
        """A label of the axis with the note in brackets; empty without a text."""
        return f"{text} ({self.note})" if text and self.note else text

    def share(self, value: float) -> float:
        """The place of a value on the axis, from 0 to 1."""
        low, high, at = (math.log(x) if self.name == "log" else x for x in (self.low, self.high, value))
        return (at - low) / (high - low)

    def put_on(self, axes: Axes) -> None:
        """Make it the vertical axis of `axes`, with grid lines at its ticks."""
        axes.set(yscale=self.name, ylim=(self.low, self.high), axisbelow=True)
        axes.set_yticks(self.ticks, self.labels)
        axes.set_yticks(self.minor_ticks, [""] * len(self.minor_ticks), minor=True)
        axes.grid(axis="y")

    def put_across(self, axes: Axes) -> None:
        """Make it the horizontal axis of `axes`. Ticks whose labels have no room become minor ticks."""
        axes.set(xscale=self.name, xlim=(self.low, self.high))
        width = axes.get_window_extent().width
        labelled: dict[float, str] = {}
        free = -math.inf
        for tick, label in zip(self.ticks, self.labels, strict=True):
            center, half = self.share(tick) * width, text_width(label, SMALL) / 2
            if center - half >= free:
                labelled[tick] = label
                free = center + half + APART
        axes.set_xticks(list(labelled), list(labelled.values()))
        minor = [tick for tick in (*self.ticks, *self.minor_ticks) if tick not in labelled]
        axes.set_xticks(minor, [""] * len(minor), minor=True)


def value_axis(
    values: NDArray[np.float64], *, unit: str, scale: str = "log", intervals: Sequence[float] = ()
) -> ValueAxis:
    """The axis of the finite ones of some values; from 0 to 1 if there are none.

    It also shows both ends of the `intervals` of values. A logarithmic axis cuts those that reach 0.

    It is logarithmic if all values are above zero, because the ratios of errors matter. It is linear if the metric's
    `scale` is, and in units that are logarithms already: decibels and nats.
    """
    values = values[np.isfinite(values)]
    if not len(values):
        values, scale = np.array([0.0, 1.0]), "linear"
    low, high = float(values.min()), float(values.max())
    linear = scale == "linear" or is_logarithmic(unit)
    ends = [low, high, *(end for end in intervals if linear or low <= 0 or end > 0)]
    positive, low, high = low > 0, min(ends), max(ends)
    if linear or not positive:
        note = "" if linear else "linear axis: not all values are above 0"
        low, high = _widened(low, high, least=NARROWEST * max(abs(low), abs(high)) or 1.0)
        return ValueAxis("linear", low, high, _even_ticks(low, high, most=MOST - 2), note=note)
    bottom, top = _widened(math.log10(low), math.log10(high), least=math.log10(1 + NARROWEST))
    low, high = 10**bottom, 10**top
    minor = _multiples(range(2, 10), low, high) if 1 <= top - bottom <= MOST else []
    return ValueAxis("log", low, high, _log_ticks(low, high), minor, note=LOG_SCALE)


def setting_axis(values: Sequence[float], *, logarithmic: bool, ticks: Sequence[float] | None = None) -> ValueAxis:
    """The axis of numbers such as a setting's, with some room at both ends; without `ticks`, at round numbers."""
    first, last = (math.log10(end) if logarithmic else end for end in (min(values), max(values)))
    room = SETTING_ROOM * (last - first) or (0.1 if logarithmic else 0.5)
    low, high = first - room, last + room
    if logarithmic:
        low, high = 10**low, 10**high
        return ValueAxis("log", low, high, _log_ticks(low, high) if ticks is None else ticks, note=LOG_SCALE)
    if ticks is None:
        ticks = _even_ticks(low, high, most=6, integer=all(value == round(value) for value in values))
    return ValueAxis("linear", low, high, ticks)


def integer_axis(first: int, last: int) -> ValueAxis:
    """The axis of epochs or trials."""
    return setting_axis([first, last], logarithmic=False, ticks=integer_ticks(first, last))


def number(value: float) -> str:
    """A number with four significant digits, in plain digits where that is readable, otherwise as 1.500e-7."""
    return plain(f"{value:.0f}" if 1e4 <= abs(value) < 1e7 else f"{value:#.4g}".rstrip("."))


def integer_ticks(first: int, last: int, *, most: int = 11) -> list[int]:
    """Round whole numbers from `first` to `last`, and `first` itself."""
    span = last - first
    power = 10 ** max(0, math.floor(math.log10(max(span, 1))) - 1)
    step = next(factor * power for factor in (1, 2, 5, 10, 20) if span <= factor * power * (most - 1))
    round_ones = [tick for tick in range(-(-first // step) * step, last + 1, step) if tick - first >= 0.4 * step]
    return [first, *round_ones]


def _widened(low: float, high: float, *, least: float) -> tuple[float, float]:
    widened = max(0.0, least - (high - low)) / 2
    low, high = low - widened, high + widened
    return low - FOOTROOM * (high - low), high + HEADROOM * (high - low)


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten; if they are too few, also 2 and 5 times these, and so on down to even steps."""
    decades = _multiples((1,), low, high)
    if len(decades) > MOST:
        return decades[:: -(-len(decades) // MOST)]
    for factors in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        ticks = _multiples(factors, low, high)
        if len(ticks) >= FEWEST:
            return ticks
    return _even_ticks(low, high, most=MOST - 2)


def _multiples(factors: Sequence[float], low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = (float(f"{factor}e{power}") for power in powers for factor in factors)
    return [tick for tick in found if low <= tick <= high]


def _even_ticks(low: float, high: float, *, most: int, integer: bool = False) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    found = MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10], integer=integer).tick_values(low, high)
    return [float(tick) for tick in found if low <= tick <= high]


def plain(written: str) -> str:
    """A written number with a minus sign, and without zeros and a plus in its exponent."""
    return written.replace("e-0", "e-").replace("e+0", "e").replace("e+", "e").replace("-", "\N{MINUS SIGN}")
