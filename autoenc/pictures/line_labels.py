"""Names at the right ends of lines, kept apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from autoenc.pictures.axis_ticks import ValueAxis
from autoenc.pictures.page import SMALL, line_height

LEADER = 44  # pixels between the axes and a name, for the line that leads to it
STUB = 5  # of that, where the line is level
BETWEEN = 8  # pixels between names of several lines, that it be seen where one begins


class LineLabel(NamedTuple):
    """A name for a line that ends at a height."""

    text: str
    """Of one line or more."""
    value: float
    color: str
    """Of the line. The text itself is dark: not all colours of lines can be read."""


def label_lines(axes: Axes, labels: Sequence[LineLabel], *, scale: ValueAxis) -> None:
    """Write each name beside the axes at the height where its line ends, or as near to it as leaves room for all.

    A thin line in the line's colour leads from the axes to the name. The names are in the order of the lines' ends, and
    need `LEADER` pixels more than their width. They stay within the axes' height if that is `names_height` or
    more.
    """
    box = axes.get_window_extent()
    ends = [scale.share(label.value) for label in labels]
    places = spread(ends, apart=_apart(labels) / box.height)
    across = [1 + pixels / box.width for pixels in (STUB, 2 * STUB, LEADER - 3 * STUB, LEADER - 2 * STUB)]
    for label, end, place in zip(labels, ends, places, strict=True):
        axes.plot(
            across,
            [end, end, place, place],
            transform=axes.transAxes,
            color=label.color,
            linewidth=1.6,
            clip_on=False,
            label="_leader",
        )
        axes.annotate(
            label.text,
            xy=(1, place),
            xycoords="axes fraction",
            xytext=(LEADER, 0),
            textcoords="offset pixels",
            verticalalignment="center",
            size=SMALL,
            annotation_clip=False,
        )


def names_height(labels: Sequence[LineLabel]) -> int:
    """Pixels that axes must be high for all these names to stand beside them."""
    return len(labels) * _apart(labels)


def _apart(labels: Sequence[LineLabel]) -> int:
    """Pixels from the middle of a name to that of the next."""
    lines = max((len(label.text.splitlines()) for label in labels), default=1)
    return lines * line_height(SMALL) + (BETWEEN if lines > 1 else 0)


def spread(places: Sequence[float], *, apart: float) -> list[float]:
    """Places from 0 to 1 moved as little as may be so that they are at least `apart`, in the same order.

    Those that would be in one another become a group around their middle, and groups that meet become one (the method
    of pool adjacent violators). They stay within 0 and 1 while they fit there.
    """
    order = np.argsort(places, kind="stable")
    groups: list[_Group] = []
    for index in order:
        groups.append(_Group([int(index)], float(places[index])))
        while len(groups) > 1 and groups[-1].low(apart) < groups[-2].high(apart):
            last = groups.pop()
            before = groups.pop()
            members = before.members + last.members
            middle = (before.middle * len(before.members) + last.middle * len(last.members)) / len(members)
            groups.append(_Group(members, _within(middle, len(members) * apart)))
        groups[-1] = groups[-1]._replace(middle=_within(groups[-1].middle, len(groups[-1].members) * apart))
    moved = [0.0] * len(places)
    for group in groups:
        for position, member in enumerate(group.members):
            moved[member] = group.low(apart) + (position + 0.5) * apart
    return moved


class _Group(NamedTuple):
    members: list[int]
    middle: float

    def low(self, apart: float) -> float:
        return self.middle - len(self.members) * apart / 2

    def high(self, apart: float) -> float:
        return self.middle + len(self.members) * apart / 2


def _within(middle: float, extent: float) -> float:
    """The middle moved so that what extends around it is within 0 and 1, if it is not longer."""
    return 0.5 if extent >= 1 else min(max(middle, extent / 2), 1 - extent / 2)
