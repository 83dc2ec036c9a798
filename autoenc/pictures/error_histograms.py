"""How the errors of some pictures are spread, before those of ordinary ones."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from autoenc.pictures.axis_ticks import ValueAxis, value_axis
from autoenc.pictures.page import (
    LABEL,
    MARGIN,
    SMALL,
    TITLE,
    Page,
    block_height,
    house_style,
    line_height,
    save,
    wrapped,
)

WIDTH, HEIGHT = 1600, 900
SPACE = 12
FEWEST_BINS, MOST_BINS = 12, 60
FEW = 30
"""So few pictures are drawn as a line each."""

FIRST, ORDINARY, ORDINARY_EDGE = "#d55e00", "#b9cbe0", "#12355b"


class TwoNames(NamedTuple):
    """What the two sets of pictures are called."""

    first: str
    ordinary: str


def draw_error_histograms(
    errors: NDArray[np.float64],
    *,
    ordinary: NDArray[np.float64],
    names: TwoNames,
    path: Path,
    title: str,
    line: str,
) -> None:
    """Draw two histograms of mean squared errors, (N,) and (M,), in shares of their own set, on a common axis.

    The axis is logarithmic, unless an error is zero. Up to 30 errors of the first set are drawn as a line each. `line`
    says in words what is to be seen.

    Raises:
        ValueError: a set is empty, or an error is not finite.
        OSError: the picture cannot be written; an old one is kept.
    """
    with house_style():
        save(error_histograms_figure(errors, ordinary=ordinary, names=names, title=title, line=line), path)


def error_histograms_figure(
    errors: NDArray[np.float64], *, ordinary: NDArray[np.float64], names: TwoNames, title: str, line: str
) -> Figure:
    """The picture before it is saved; to be made inside `house_style`."""
    for name, values in (("errors", errors), ("ordinary", ordinary)):
        if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
            raise ValueError(f"{name}: expected finite errors (N,), at least one, not {values.shape}")
    scale = value_axis(np.concatenate([errors, ordinary]), unit="an error")
    page = Page(width=WIDTH, height=HEIGHT)
    axes = _axes(page, scale=scale, title=title, line=line)
    edges = _edges(scale, count=min(len(ordinary), len(errors) if len(errors) > FEW else len(ordinary)))
    highest = _draw_histogram(axes, ordinary, edges=edges, color=ORDINARY, edge=ORDINARY_EDGE, dashes="-", fill=True)
    if len(errors) > FEW:
        drawn = _draw_histogram(axes, errors, edges=edges, color=FIRST, edge=FIRST, dashes="--", fill=False)
        highest = max(highest, drawn)
    else:
        for error in errors:
            axes.axvline(float(error), ymax=0.5, color=FIRST, linestyle="--", linewidth=2.2)
    axes.set_ylim(0, 1.05 * highest)
    _add_legend(axes, names, counts=(len(errors), len(ordinary)))
    return page.figure


def _axes(page: Page, *, scale: ValueAxis, title: str, line: str) -> Axes:
    room = page.width - 2 * MARGIN
    title, line = wrapped(title, width=room, size=TITLE), wrapped(line, width=room, size=SMALL)
    page.text(title, x=MARGIN, y=MARGIN, size=TITLE)
    line_top = MARGIN + block_height(title, TITLE) + SPACE // 2
    page.text(line, x=MARGIN, y=line_top, size=SMALL)
    legend = line_height(LABEL) + 2 * SPACE
    top = line_top + block_height(line, SMALL) + legend
    left = MARGIN + 2 * line_height(LABEL) + 3 * SPACE
    bottom = MARGIN + line_height(LABEL) + line_height(SMALL) + 2 * SPACE
    if scale.note:
        bottom += line_height(LABEL)
    place = page.rectangle(left=left, top=top, width=page.width - left - 2 * MARGIN, height=page.height - top - bottom)
    axes = page.figure.add_axes(place)
    axes.set_xscale(scale.name)
    axes.set_xlim(scale.low, scale.high)
    axes.set_xticks(scale.ticks, scale.labels)
    axes.set_xticks(scale.minor_ticks, [""] * len(scale.minor_ticks), minor=True)
    what = "error of a picture: mean over pixels of the squared error, pixels in [0, 1]"
    axes.set_xlabel("\n".join(filter(None, (what, scale.note))))
    axes.set_ylabel("share of the pictures (%)")
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    return axes


def _edges(scale: ValueAxis, *, count: int) -> NDArray[np.float64]:
    """Bins that are equally wide on the axis; more of them for more pictures."""
    bins = int(np.clip(round(2 * count ** (1 / 2)), FEWEST_BINS, MOST_BINS))
    spaced = np.geomspace if scale.name == "log" else np.linspace
    return np.asarray(spaced(scale.low, scale.high, bins + 1), dtype=np.float64)


def _draw_histogram(
    axes: Axes,
    values: NDArray[np.float64],
    *,
    edges: NDArray[np.float64],
    color: str,
    edge: str,
    dashes: str,
    fill: bool,
) -> float:
    """Returns the height of the highest bin, in percent."""
    counts, _ = np.histogram(values, bins=edges)
    shares = 100 * counts / len(values)
    if fill:
        axes.stairs(shares, edges, fill=True, color=color)
    axes.stairs(shares, edges, color=edge, linestyle=dashes, linewidth=2.2)
    return float(shares.max())


def _add_legend(axes: Axes, names: TwoNames, *, counts: tuple[int, int]) -> None:
    """Above the axes, where it covers nothing."""
    first = Line2D([], [], color=FIRST, linestyle="--", linewidth=2.2)
    ordinary = Patch(facecolor=ORDINARY, edgecolor=ORDINARY_EDGE, linewidth=2.2)
    each = ", a line for each" if counts[0] <= FEW else ""
    axes.legend(
        [first, ordinary],
        [f"{names.first}: {counts[0]:,}{each}", f"{names.ordinary}: {counts[1]:,}"],
        loc="lower left",
        bbox_to_anchor=(0, 1),
        borderaxespad=0.2,
        ncols=2,
        frameon=False,
        fontsize=LABEL,
    )
