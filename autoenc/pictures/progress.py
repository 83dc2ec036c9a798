"""Reconstructions of the same test images at several epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from autoenc.pictures.image_grid import image_grid
from autoenc.pictures.picture import Panel, Picture, evenly_chosen
from autoenc.pictures.reconstructions import best_panels, check_same_images, image_row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from autoenc.pictures.subject import Subject

MOST_EPOCHS = 8
MOST_RUNS = 12  # of more runs, the best are shown
MOST_ROWS = 16  # of reconstructions, but at least two epochs of each panel


@dataclass(frozen=True, kw_only=True, eq=False)
class Progress(Picture):
    """Test images and their reconstructions at several epochs."""

    clean: NDArray[Any]
    """(K, C, H, W) in [0, 1]."""
    epochs: tuple[int, ...]
    """Rising; 0 is before training."""
    snapshots: NDArray[Any]
    """(E, K, C, H, W) in [0, 1] scale."""
    captions: tuple[str, ...]
    """The images' classes, (K,)."""
    noisy: bool = False
    """Whether the model's inputs were noisy."""

    @classmethod
    def measure(cls, subject: Subject) -> Self | None:
        """Collect the reconstructions that training kept; None if it kept none."""
        if not subject.shown_snapshots:
            return None
        epochs = sorted(subject.shown_snapshots)
        return cls(
            clean=subject.shown.cpu().numpy(),
            epochs=tuple(epochs),
            snapshots=np.stack([subject.shown_snapshots[epoch].numpy() for epoch in epochs]),
            captions=subject.shown_names,
            noisy=subject.noise.corrupts,
        )

    def only(self, epochs: Sequence[int]) -> Self:
        """The same picture with those of these epochs that it has.

        Raises:
            ValueError: it has none of them.
        """
        kept = [index for index, epoch in enumerate(self.epochs) if epoch in set(epochs)]
        if not kept:
            raise ValueError(f"epochs: there are reconstructions of epochs {[*self.epochs]}, not of {[*epochs]}")
        return replace(self, epochs=tuple(self.epochs[index] for index in kept), snapshots=self.snapshots[kept])

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """Draw the originals, then for each epoch that all panels share a row for each panel; of many, some."""
        check_same_images(panels)
        epochs = sorted(set.intersection(*(set(panel.picture.epochs) for panel in panels)))
        if not epochs:
            raise ValueError("epochs: the panels have no epoch in common")
        last = [panel.picture.snapshots[panel.picture.epochs.index(epochs[-1])] for panel in panels]
        best, line = best_panels(panels, last, most=MOST_RUNS)
        if any(panel.picture.noisy for panel in panels):
            line = f"Runs with noise reconstruct from the noisy input, which is not shown. {line}".strip()
        shown = evenly_chosen(len(epochs), most=max(2, min(MOST_EPOCHS, MOST_ROWS // len(best))))
        if len(shown) < len(epochs):
            title += f" ({len(shown)} of {len(epochs)} snapshots)"
        rows = [image_row("original", panels[0].picture.clean)]
        for epoch in (epochs[index] for index in shown):
            for number, (label, picture) in enumerate(best):
                made = picture.snapshots[picture.epochs.index(epoch)]
                when = f"epoch {epoch}" if epoch else "before training"
                name = " \N{MIDDLE DOT} ".join(filter(None, [when, label]))
                rows.append(image_row(name, made, begins=number == 0 and len(best) > 1))
        return image_grid(rows, title=title, captions=panels[0].picture.captions, line=line)
