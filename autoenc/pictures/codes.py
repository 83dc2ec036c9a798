"""Where the codes of the test images lie, by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autoenc.pictures.class_colors import draw_legend
from autoenc.pictures.code_axes import Cloud, Window, window
from autoenc.pictures.code_panels import CodeAxes, code_axes, explanation, left_out, shared_names
from autoenc.pictures.panels import PanelPage, panel_page
from autoenc.pictures.picture import Panel, Picture

if TYPE_CHECKING:
    from torch import Tensor

    from autoenc.pictures.code_space import PlacedCodes
    from autoenc.pictures.subject import Subject

MOST, MOST_EMBEDDED = 10_000, 2000
"""How many codes are drawn: projected, and by t-SNE, whose time grows faster than their number."""
FEWEST_EMBEDDED = 10
"""t-SNE looks at the neighbours of each code, so it needs a few codes."""
PERPLEXITY = 30.0

HEIGHTS = {1: 860, 2: 760, 3: 560}  # of the axes, by how many stand side by side
LEAST_ASPECT, MOST_ASPECT = 1.0, 1.5  # of a single panel; several are square


@dataclass(frozen=True, kw_only=True, eq=False)
class Codes(Picture):
    """Codes of one or two numbers, or their projection, with the classes of their images."""

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

    @classmethod
    def measure(cls, subject: Subject) -> Self | None:
        """Encode test images, and project codes of more than two numbers by PCA, or by t-SNE if that was chosen.

        t-SNE (L. van der Maaten and G. Hinton, Visualizing Data using t-SNE, JMLR 9, 2008) keeps neighbours together;
        larger distances mean nothing.

        Returns:
            None with fewer than two test images.
        """
        from autoenc.pictures.code_space import random_indices

        test = subject.splits.test
        embed = subject.projection == "tsne"
        chosen = random_indices(len(test), most=MOST_EMBEDDED if embed else MOST)
        if len(chosen) < 2:
            return None
        codes = subject.codes(subject.test_images[chosen])
        placed = _embedded(codes) if embed else _projected(codes)
        which = f"{len(chosen):,} of {len(test):,}" if len(chosen) < len(test) else f"All {len(test):,}"
        return cls(
            points=placed.points,
            labels=test.labels[chosen].numpy(),
            class_names=tuple(subject.splits.class_names),
            axis_labels=placed.axis_labels,
            notes=(f"{which} test images.", *placed.notes),
        )

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """Draw a scatter for each panel, or histograms by class of single numbers, each on its own axes."""
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
        shared = [note for note in pictures[0].notes if all(note in picture.notes for picture in pictures)]
        page = code_page(
            layout,
            [cloud.points for cloud in clouds],
            total=sum(len(picture.points) for picture in pictures),
            headings=[
                "\n".join([panel.label, *(note for note in panel.picture.notes if note not in shared)]).strip()
                for panel in panels
            ],
            columns=columns,
            title=title,
            notes=[*(["Each panel has axes of its own."] if len(panels) > 1 else []), *shared],
        )
        for panel, cloud, seen, corner in zip(panels, clouds, layout.windows, page.corners, strict=True):
            layout.draw(page.page, cloud, seen=seen, corner=corner, axis_labels=panel.picture.axis_labels)
        return page.page.figure


def code_page(
    layout: CodeAxes,
    finite: Sequence[NDArray[Any]],
    *,
    total: int,
    headings: Sequence[str],
    columns: int,
    title: str,
    notes: Sequence[str],
) -> PanelPage:
    """A page with room for axes with codes on them, a legend, and a count of the codes that are left out.

    `finite` are the finite codes (N, D) of each of the layout's windows, `total` is the number of all codes. The
    `notes` are further sentences for the line below the title.
    """
    beyond = sum(int(seen.outside(points).sum()) for points, seen in zip(finite, layout.windows, strict=True))
    odd = total - sum(len(points) for points in finite)
    page = panel_page(
        headings,
        width=layout.width,
        height=layout.height,
        columns=columns,
        title=title,
        line=" ".join([explanation(layout), *notes]) + left_out(odd=odd, beyond=beyond, of=total),
        side=layout.side,
    )
    if layout.legend:
        draw_legend(page.page, layout.legend, corner=page.side)
    return page


def _projected(codes: Tensor) -> PlacedCodes:
    """On the first two principal components; codes of one or two numbers as they are."""
    from autoenc.pictures.code_space import PlacedCodes, principal_plane, unprojected

    size = codes.shape[1]
    if size <= 2:
        return unprojected(codes)
    plane = principal_plane(codes)
    return PlacedCodes(plane.project(codes), plane.axis_labels, (f"Codes of {size} numbers are projected.",))


def _embedded(codes: Tensor) -> PlacedCodes:
    """By t-SNE, always with the same random state; codes that are not finite stay so."""
    from autoenc.pictures.code_space import PlacedCodes

    kept = codes.isfinite().all(dim=1)
    if codes.shape[1] <= 2 or int(kept.sum()) < FEWEST_EMBEDDED:
        return _projected(codes)
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (int(kept.sum()) - 1) / 3)
    points = np.full((len(codes), 2), np.nan, dtype=np.float32)
    points[kept.numpy()] = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(codes[kept].numpy())
    how = f"By t-SNE from {codes.shape[1]} numbers (perplexity {perplexity:.3g}): distances mean little."
    return PlacedCodes(points, ("t-SNE 1", "t-SNE 2"), (how,))


def _aspect(windows: Sequence[Window]) -> float:
    """Width by height of all axes: a single scatter has the aspect of its codes, so that little stays empty."""
    if len(windows) > 1:
        return 1.0
    return float(np.clip(windows[0].aspect, LEAST_ASPECT, MOST_ASPECT)) if windows[0].dimensions == 2 else MOST_ASPECT
