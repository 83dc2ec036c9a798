"""Pages of panels with codes: scatters or histograms on axes of one size, and a legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.pictures.charts import write_in_middle
from autoenc.pictures.class_colors import MOST_CLASSES, draw_legend, legend, shown_classes
from autoenc.pictures.code_axes import Box, Window, histograms, scatter, ticks
from autoenc.pictures.page import LABEL, SMALL, Page, block_height, line_height, text_width, wrapped
from autoenc.pictures.panels import SPACE, panel_page
from autoenc.pictures.picture import Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ROW, LEAST_ROW = 80, line_height(SMALL) + 4  # the height of a class in a histogram
MOST_COVERED = 0.15  # the share of the axes that names may cover
MANY_EQUAL = 0.2  # the share of codes at one place from which the picture says so


@dataclass(frozen=True, kw_only=True, eq=False)
class PlacedCodesPicture(Picture):
    """Base of the pictures of codes as points of a plane or a line, with the classes of their images."""

    points: NDArray[Any]
    """(..., N, 1) or (..., N, 2)."""
    labels: NDArray[Any]
    """(N,), indices into `class_names`."""
    class_names: tuple[str, ...]
    axis_labels: tuple[str, ...]
    """One or two."""
    notes: tuple[str, ...]
    """Sentences: which images these are, how their codes were projected, and whether they are means."""


class CodePanel(NamedTuple):
    """Codes, and the part of their plane or line that is drawn."""

    heading: str
    points: NDArray[Any]
    """(N, 1) or (N, 2)."""
    labels: NDArray[Any]
    """(N,), the classes."""
    axis_labels: tuple[str, ...]
    seen: Window


def code_page(
    panels: Sequence[CodePanel | None],
    *,
    names: tuple[str, ...],
    width: int,
    height: int,
    columns: int,
    title: str,
    notes: Sequence[str],
) -> Figure:
    """Draw panels with axes of about `width` x `height` pixels; the place of a panel that is None stays empty.

    The `names` are those of the classes. `notes` are further sentences for the line below the title. Call it inside
    `house_style`.
    """
    drawn = [panel for panel in panels if panel]
    names = shown_classes(names)
    scattered, classes = any(panel.seen.dimensions == 2 for panel in drawn), len(names) > 1
    if not scattered:
        height = len(names) * max(LEAST_ROW, min(MOST_ROW, height // len(names)))
    area = sum((text_width(name, SMALL) + 8) * line_height(SMALL) for name in names)
    named = classes and area <= MOST_COVERED * width * height
    left, foot = _margins(drawn, names=names, width=width, height=height)
    rows = -(-len(panels) // columns)
    beside = legend(names, height=rows * height) if scattered and classes else None
    page, corners, side = panel_page(
        [panel.heading if panel else "" for panel in panels],
        width=left + width,
        height=height + foot,
        columns=columns,
        title=title,
        line=" ".join([_explanation(scattered=scattered, classes=classes, named=named), *notes]).strip(),
        side=beside.width if beside else 0,
    )
    if beside:
        draw_legend(page, beside, corner=side)
    for panel, corner in zip(panels, corners, strict=True):
        if panel:
            box = Box(corner.left + left, corner.top, width, height)
            _draw(page, panel, names=names, named=named, box=box)
    return page.figure


def _margins(panels: Sequence[CodePanel], *, names: Sequence[str], width: int, height: int) -> tuple[int, int]:
    upright = [panel for panel in panels if panel.seen.dimensions == 2]
    numbers = [text for panel in upright for text in ticks(panel.seen.low[1], panel.seen.high[1], pixels=height)[1]]
    written = numbers if len(upright) == len(panels) else [*numbers, *names]
    left = max((text_width(text, SMALL) for text in written), default=0) + SPACE
    if upright:
        left += max(_label_height(panel.axis_labels[1], room=height) for panel in upright) + SPACE
    across = max(_label_height(panel.axis_labels[0], room=width) for panel in panels)
    return left, line_height(SMALL) + across + 2 * SPACE


def _label_height(label: str, *, room: int) -> int:
    return block_height(wrapped(label, width=room, size=LABEL), LABEL)


def _draw(page: Page, panel: CodePanel, *, names: Sequence[str], named: bool, box: Box) -> None:
    kept = np.isfinite(panel.points).all(axis=1)
    points, labels, seen = panel.points[kept].astype(np.float64), panel.labels[kept], panel.seen
    labels = np.minimum(labels, MOST_CLASSES)  # the others are one
    collapsed = _most_frequent(points)[1] == len(points)
    axes = box.axes(page)
    axes.set_xlim(seen.low[0], seen.high[0])
    axes.set_xticks(*ticks(seen.low[0], seen.high[0], pixels=box.width))
    axes.set_xlabel(wrapped(panel.axis_labels[0], width=box.width, size=LABEL))
    axes.set_axisbelow(True)
    if seen.dimensions == 2:
        axes.set_ylabel(wrapped(panel.axis_labels[1], width=box.height, size=LABEL))
        scatter(axes, points, labels, names=names if named and not collapsed else (), seen=seen, box=box)
    else:
        histograms(axes, points[:, 0], labels, names=names, seen=seen)
    if not len(points):
        write_in_middle(axes, "no finite code to draw")
    elif collapsed and len(points) > 1:
        axes.set_title("all codes are equal: the code has collapsed", y=0.6, size=LABEL)


def shared_names(names: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The class names of all panels; ValueError if they differ."""
    if len(set(names)) > 1:
        raise ValueError("the panels show images of different classes")
    return names[0]


def _explanation(*, scattered: bool, classes: bool, named: bool) -> str:
    if scattered:
        text = "A point is the code of a test image" + (", its colour the class" if classes else "")
        text += "; a class's name stands at the median of its codes, or a line leads there" if named else ""
    else:
        text = "Codes of the test images" + (" by class" if classes else "")
        text += "; heights are shares of a class's images, on one scale"
    return text + "."


def equal_codes(points: NDArray[Any]) -> str:
    """A sentence on how many of the finite ones of points (N, D) are at one place; empty if they are few."""
    points = points[np.isfinite(points).all(axis=1)].astype(np.float64)
    place, count = _most_frequent(points)
    if count < max(2, MANY_EQUAL * len(points)):
        return ""
    written = ", ".join(f"{value + 0.0:.3g}".replace("-", "\N{MINUS SIGN}") for value in place)
    which = "All" if count == len(points) else f"{count:,} of"
    return f"{which} {len(points):,} codes are at ({written})."


def _most_frequent(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """The most frequent of points (N, D), to six digits, and its number; 0 if there are none."""
    if not len(points):
        return np.zeros(points.shape[1]), 0
    unit = 1e-6 * (np.abs(points).max() or 1.0)
    places, counts = np.unique(np.rint(points / unit), axis=0, return_counts=True)
    return places[counts.argmax()] * unit, int(counts.max())


def left_out(clouds: Sequence[NDArray[Any]], windows: Sequence[Window]) -> list[str]:
    """Sentences on how many points (N, D) lie beyond their windows or are not finite."""
    finite = [points[np.isfinite(points).all(axis=1)].astype(np.float64) for points in clouds]
    total = sum(len(points) for points in clouds)
    odd = total - sum(len(points) for points in finite)
    pairs = zip(finite, windows, strict=True)
    beyond = sum(int(((points < seen.low) | (points > seen.high)).any(axis=1).sum()) for points, seen in pairs)
    fates = ((beyond, "beyond the axes, drawn on their border"), (odd, "not finite, and left out"))
    return [f"{count:,} of {total:,} codes {'is' if count == 1 else 'are'} {fate}." for count, fate in fates if count]
