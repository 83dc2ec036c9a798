"""Where the codes of the test images lie, by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autoenc.pictures.class_colors import draw_legend
from autoenc.pictures.code_axes import Cloud, Window, window
from autoenc.pictures.code_panels import check_codes, code_axes, explanation, left_out, shared_names
from autoenc.pictures.panels import panel_page
from autoenc.pictures.picture import Panel, Picture

HEIGHTS = {1: 860, 2: 760, 3: 560}  # of the axes, by how many stand side by side
LEAST_ASPECT, MOST_ASPECT = 1.0, 1.5  # of a single panel; several are square


@dataclass(frozen=True, kw_only=True, eq=False)
class Codes(Picture):
    """Codes of one number or two, or what a projection makes of them, and the classes they belong to."""

    kind: ClassVar[str] = "codes"

    points: NDArray[Any]
    """(N, 1) or (N, 2)."""
    labels: NDArray[Any]
    """(N,), indices into `class_names`."""
    class_names: tuple[str, ...]
    axis_labels: tuple[str, ...]
    """One or two."""
    notes: tuple[str, ...]
    """Sentences: which images these are, and how their codes were projected."""

    def __post_init__(self) -> None:
        check_codes(self.points, self.labels, class_names=self.class_names, axis_labels=self.axis_labels)

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """Scatters, or of single numbers histograms by class, each on axes of its own; one legend for all."""
        pictures = [panel.picture for panel in panels]
        clouds = [Cloud.of(picture.points, picture.labels) for picture in pictures]
        windows = [window(cloud.points) for cloud in clouds]
        columns = min(len(panels), max(HEIGHTS))
        layout = code_axes(
            windows,
            names=shared_names([picture.class_names for picture in pictures]),
            axis_labels=[picture.axis_labels for picture in pictures],
            height=HEIGHTS[columns],
            aspect=_aspect(windows),
        )
        alike = [note for note in pictures[0].notes if all(note in picture.notes for picture in pictures)]
        own = ["Each panel has axes of its own."] if len(panels) > 1 else []
        line = [explanation(layout), *own, *alike]
        page = panel_page(
            [
                "\n".join([panel.label, *(note for note in panel.picture.notes if note not in alike)]).strip()
                for panel in panels
            ],
            width=layout.width,
            height=layout.height,
            columns=columns,
            title=title,
            line=" ".join(line) + _left_out(pictures, clouds, windows=layout.windows),
            side=layout.side,
        )
        for panel, cloud, seen, corner in zip(panels, clouds, layout.windows, page.corners, strict=True):
            layout.draw(page.page, cloud, seen=seen, corner=corner, axis_labels=panel.picture.axis_labels)
        if layout.legend:
            draw_legend(page.page, layout.legend, corner=page.side)
        return page.page.figure


def _aspect(windows: Sequence[Window]) -> float:
    """Of all axes, width by height: a single scatter's is that of its codes, so that little stays empty."""
    if len(windows) > 1:
        return 1.0
    return float(np.clip(windows[0].aspect, LEAST_ASPECT, MOST_ASPECT)) if windows[0].dimensions == 2 else MOST_ASPECT


def _left_out(pictures: Sequence[Codes], clouds: Sequence[Cloud], *, windows: Sequence[Window]) -> str:
    """Sentences on the codes that are not where they would have to be."""
    total = sum(len(picture.points) for picture in pictures)
    finite = sum(len(cloud.points) for cloud in clouds)
    beyond = sum(int(seen.outside(cloud.points).sum()) for cloud, seen in zip(clouds, windows, strict=True))
    return left_out(odd=total - finite, beyond=beyond, of=total)
