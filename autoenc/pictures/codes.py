"""Where the codes of the test images lie, by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from autoenc.pictures.code_axes import Window, window
from autoenc.pictures.code_panels import (
    CodePanel,
    PlacedCodesPicture,
    code_page,
    equal_codes,
    left_out,
    shared_names,
)
from autoenc.pictures.picture import Panel, columns_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from autoenc.pictures.code_space import PlacedCodes
    from autoenc.pictures.subject import Subject

MOST, MOST_EMBEDDED = 10_000, 2000  # codes: projected, and by t-SNE, whose time grows faster than their number
FEWEST_EMBEDDED = 10  # t-SNE looks at the neighbours of each code
PERPLEXITY = 30.0
HEIGHTS = {1: 860, 2: 760, 3: 560}  # of the axes, by how many stand side by side in a single row
SEVERAL_ROWS = 380  # the height of the axes in each of several rows
LEAST_ASPECT, MOST_ASPECT = 1.0, 1.5  # of a single panel; several in a row are square


@dataclass(frozen=True, kw_only=True, eq=False)
class Codes(PlacedCodesPicture):
    """Codes of one or two numbers, or their projection: points (N, 1) or (N, 2)."""

    @classmethod
    def measure(cls, subject: Subject) -> Self | None:
        """Encode test images, and project codes of more than two numbers by PCA, or by t-SNE if that was chosen.

        t-SNE (L. van der Maaten and G. Hinton, Visualizing Data using t-SNE, JMLR 9, 2008) keeps neighbours together;
        larger distances mean nothing. None with fewer than two test images.
        """
        from autoenc.pictures.code_space import place, random_indices

        test = subject.splits.test
        embed = subject.projection == "tsne"
        chosen = random_indices(len(test), most=MOST_EMBEDDED if embed else MOST)
        if len(chosen) < 2:
            return None
        codes = subject.codes(subject.splits.test.images[chosen])
        finite = codes.isfinite().all(dim=1)
        embed = embed and codes.shape[1] > 2 and int(finite.sum()) >= FEWEST_EMBEDDED
        placed = _embedded(codes, finite) if embed else place(codes, plane_of=codes)
        which = f"{len(chosen):,} of {len(test):,}" if len(chosen) < len(test) else f"All {len(test):,}"
        return cls(
            points=placed.points,
            labels=test.labels[chosen].numpy(),
            class_names=tuple(subject.splits.class_names),
            axis_labels=placed.axis_labels,
            notes=(f"{which} test images.", *placed.notes, *subject.code_notes, *_collapse(subject)),
        )

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """Draw a scatter for each panel, or histograms by class of single numbers, each on its own axes."""
        pictures = [panel.picture for panel in panels]
        columns = columns_of(panels)
        windows = [window(picture.points) for picture in pictures]
        height = HEIGHTS[columns] if len(panels) <= columns else SEVERAL_ROWS
        width = round(height * (_aspect(windows) if len(panels) <= columns else MOST_ASPECT))
        windows = [seen.shaped(width / height) for seen in windows]
        shared = [note for note in pictures[0].notes if all(note in picture.notes for picture in pictures)]
        own = ["Each panel has axes of its own."] if len(panels) > 1 else []
        code_panels = []
        for (label, picture), seen in zip(panels, windows, strict=True):
            own_notes = [note for note in picture.notes if note not in shared]
            heading = "\n".join(filter(None, [label, *own_notes, equal_codes(picture.points)]))
            code_panels.append(CodePanel(heading, picture.points, picture.labels, picture.axis_labels, seen))
        return code_page(
            code_panels,
            names=shared_names([picture.class_names for picture in pictures]),
            width=width,
            height=height,
            columns=columns,
            title=title,
            notes=[*own, *shared, *left_out([picture.points for picture in pictures], windows)],
        )


def _collapse(subject: Subject) -> list[str]:
    """A sentence on the collapsed entries of a variational model's code, if there are any."""
    from autoenc.models.bottlenecks.variational import ACTIVE_VARIANCE

    why = f"the variance of their posterior means is at most {ACTIVE_VARIANCE}, so they hardly depend on the image"
    collapsed, size = int(subject.collapsed_entries.sum()), subject.model.bottleneck.code_size
    which = f"All {size}" if collapsed == size else f"{collapsed} of {size}"
    return [f"{which} entries of the code have collapsed: {why}."] if collapsed else []


def _embedded(codes: Tensor, finite: Tensor) -> PlacedCodes:
    """The finite codes by t-SNE, always with the same random state; the others stay not finite."""
    from sklearn.manifold import TSNE

    from autoenc.pictures.code_space import PlacedCodes

    perplexity = min(PERPLEXITY, (int(finite.sum()) - 1) / 3)
    points = np.full((len(codes), 2), np.nan, dtype=np.float32)
    points[finite.numpy()] = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(
        codes[finite].numpy()
    )
    how = f"By t-SNE from {codes.shape[1]} numbers (perplexity {perplexity:.3g}): distances mean little."
    return PlacedCodes(points, ("t-SNE 1", "t-SNE 2"), (how,))


def _aspect(windows: Sequence[Window]) -> float:
    """Width by height of all axes: a single scatter has the aspect of its codes, so that little stays empty."""
    if len(windows) > 1:
        return 1.0
    return float(np.clip(windows[0].aspect, LEAST_ASPECT, MOST_ASPECT)) if windows[0].dimensions == 2 else MOST_ASPECT
