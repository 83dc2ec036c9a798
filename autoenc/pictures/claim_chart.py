"""The values of a claim's tests, each on its own axis, next to the band in which they lie if the claim is true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from autoenc.evaluation.estimates import estimate
from autoenc.pictures.page import DPI, INK, MARGIN, SMALL, Page, block_height, line_height, wrapped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 1400
NAMES = 560  # pixels for the words of a test
ROW, APART = 92, 18
HALF_NUMBER = 40  # pixels for half of the first or last number below an axis
TITLE = 13.0
HOLDS, CONTROL = "#009e73", "#e69f00"
MARGIN_OF_AXIS = 0.12  # of what an axis shows, on both sides


class Band(NamedTuple):
    """A test of a claim."""

    means: str
    control: bool
    values: Sequence[float]
    """One for each seed."""
    band: tuple[float | None, float | None]


def claim_chart(bands: Sequence[Band], *, title: str) -> Figure:
    """Call it inside `house_style`."""
    heading = wrapped(title, width=WIDTH - 2 * MARGIN, size=TITLE)
    line = wrapped(
        "Points: seeds. Bar: the mean's 95 % interval. Shaded: where the claim is true; orange for controls.",
        width=WIDTH - 2 * MARGIN,
        size=SMALL,
    )
    top = MARGIN + block_height(heading, TITLE) + block_height(line, SMALL) + APART
    page = Page(width=WIDTH, height=top + len(bands) * (ROW + APART) + MARGIN)
    page.text(heading, x=MARGIN, y=MARGIN, size=TITLE)
    page.text(line, x=MARGIN, y=MARGIN + block_height(heading, TITLE), size=SMALL)
    for number, each in enumerate(bands):
        _draw(page, each, top=top + number * (ROW + APART))
    return page.figure


def _draw(page: Page, test: Band, *, top: int) -> None:
    words = wrapped(f"control: {test.means}" if test.control else test.means, width=NAMES, size=SMALL)
    page.text(words, x=MARGIN, y=top, size=SMALL)
    left = MARGIN + NAMES + HALF_NUMBER
    height = ROW - 2 * line_height(SMALL)
    place = page.rectangle(left=left, top=top, width=WIDTH - HALF_NUMBER - left, height=height)
    axes = page.figure.add_axes(place)
    found = estimate(test.values)
    half = found.half_width or 0.0
    shown = [*test.values, found.mean - half, found.mean + half, *(edge for edge in test.band if edge is not None)]
    room = MARGIN_OF_AXIS * (max(shown) - min(shown) or abs(shown[0]) or 1.0)
    lowest, highest = min(shown) - room, max(shown) + room
    low, high = test.band
    axes.set(xlim=(lowest, highest), ylim=(-1, 1), yticks=[])
    axes.spines["left"].set_visible(False)
    axes.axvspan(
        lowest if low is None else low,
        highest if high is None else high,
        color=CONTROL if test.control else HOLDS,
        alpha=0.2,
        linewidth=0,
    )
    axes.plot([found.mean - half, found.mean + half], [0, 0], color=INK, linewidth=2, solid_capstyle="butt")
    axes.plot(test.values, [0.0] * len(test.values), "o", color=INK, markersize=4, alpha=0.5)
    axes.plot([found.mean], [0], "|", color=INK, markersize=DPI / 8, markeredgewidth=2)
    axes.tick_params(labelsize=SMALL)
