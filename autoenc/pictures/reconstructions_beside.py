"""The same test images and what one autoencoder, or several, make of them: at the end, and through training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autoenc.pictures.image_grid import ColumnTexts, ImageRow, image_grid
from autoenc.pictures.image_pixels import Given, as_pixels, check_images, error_text, grouped, input_label, remark
from autoenc.pictures.picture import Panel, Picture
from autoenc.pictures.reconstructions import (
    MAX_EPOCHS_SHOWN,
    NO_TEXTS,
    draw_progress,
    draw_reconstructions,
    evenly_chosen,
)

MOST_RUNS, MOST_RUNS_AND_INPUTS = 24, 32  # beyond that the best
MOST_RUNS_THROUGH_TIME = 12  # the same, where each has several rows
MOST_ROWS = 16  # of reconstructions at several epochs; but for two epochs of each panel


@dataclass(frozen=True, kw_only=True, eq=False)
class Reconstructions(Picture):
    """Test images, what the model was given of them, and what it made of that."""

    kind: ClassVar[str] = "reconstructions"

    clean: NDArray[Any]
    """(K, C, H, W) in [0, 1]."""
    given: NDArray[Any]
    """(K, C, H, W): the same as `clean` where there is no noise."""
    final: NDArray[Any]
    """(K, C, H, W) in [0, 1] scale."""
    captions: tuple[str, ...]
    """The images' classes, (K,)."""

    def __post_init__(self) -> None:
        check_images(self.clean, name="clean", dimensions=4)
        _check_alike(self.clean, captions=self.captions, given=self.given, final=self.final)

    @property
    def noisy(self) -> bool:
        """Whether the model was given something else than the clean images."""
        return not np.array_equal(self.given, self.clean)

    def draw(self, folder: Path, *, title: str) -> Path:
        """Write `reconstructions.png`, with the errors as images, and the `.npz`."""
        path = folder / f"{self.kind}.png"
        draw_reconstructions(
            self.clean,
            noisy=self.given if self.noisy else None,
            reconstructions=self.final,
            path=path,
            title=title,
            captions=self.captions,
        )
        self.save(path.with_suffix(".npz"))
        return path

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """The originals, and a row of reconstructions for each panel with the errors below; of very many, of the best.

        Where there is noise, panels that were given the same stand together, and what they were given stands above them
        once.

        Raises:
            ValueError: the panels do not show the same images.
        """
        shared = _shared([panel.picture for panel in panels])
        finals = [panel.picture.final for panel in panels]
        best = _best(panels, finals, most=MOST_RUNS)
        inputs = len(grouped([Given(panels[index].label, panels[index].picture.given) for index in best.kept]))
        if len(best.kept) + inputs > MOST_RUNS_AND_INPUTS:
            best = _best(panels, finals, most=MOST_RUNS_AND_INPUTS // 2)
        groups = grouped([Given(panels[index].label, panels[index].picture.given) for index in best.kept])
        rows = [_row("original", shared.clean)]
        for group in groups:
            members = [panels[best.kept[member]] for member in group.members]
            begins = len(groups) > 1
            if members[0].picture.noisy:
                rows.append(_row(input_label(group, groups), members[0].picture.given, begins=begins))
                begins = False
            for label, picture in members:
                rows.append(_reconstructed(label, picture, begins=begins))
                begins = False
        captions = ColumnTexts("", shared.captions)
        return image_grid(rows, title=title, captions=captions, notes=NO_TEXTS, color_scale=None, line=best.remark)


@dataclass(frozen=True, kw_only=True, eq=False)
class Progress(Picture):
    """Test images and their reconstructions at several epochs."""

    kind: ClassVar[str] = "progress"

    clean: NDArray[Any]
    """(K, C, H, W) in [0, 1]."""
    epochs: tuple[int, ...]
    """Rising; 0 is before training."""
    snapshots: NDArray[Any]
    """(E, K, C, H, W) in [0, 1] scale."""
    captions: tuple[str, ...]
    """The images' classes, (K,)."""

    def __post_init__(self) -> None:
        check_images(self.snapshots, name="snapshots", dimensions=5)
        check_images(self.clean, name="clean", dimensions=4)
        _check_alike(self.clean, captions=self.captions, snapshots=self.snapshots[0])
        if len(self.epochs) != len(self.snapshots) or list(self.epochs) != sorted(set(self.epochs)):
            raise ValueError(f"epochs: expected {len(self.snapshots)} in rising order, not {self.epochs}")

    def only(self, epochs: Sequence[int]) -> Self:
        """The same with those of these epochs that it has.

        Raises:
            ValueError: it has none of them.
        """
        kept = [index for index, epoch in enumerate(self.epochs) if epoch in set(epochs)]
        if not kept:
            raise ValueError(f"epochs: there are reconstructions of {_listed(self.epochs)}, not of {_listed(epochs)}")
        return replace(self, epochs=tuple(self.epochs[index] for index in kept), snapshots=self.snapshots[kept])

    def draw(self, folder: Path, *, title: str) -> Path:
        """Write `progress.png` and the `.npz`."""
        path = folder / f"{self.kind}.png"
        snapshots = list(zip(self.epochs, self.snapshots, strict=True))
        draw_progress(self.clean, snapshots=snapshots, path=path, title=title, captions=self.captions)
        self.save(path.with_suffix(".npz"))
        return path

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """The originals, then for each epoch that all panels have a row for each panel; of many epochs or panels some.

        Raises:
            ValueError: the panels do not show the same images, or have no epoch in common.
        """
        pictures = [panel.picture for panel in panels]
        shared = _shared(pictures)
        epochs = sorted(set.intersection(*(set(picture.epochs) for picture in pictures)))
        if not epochs:
            raise ValueError("epochs: the panels have no epoch in common")
        last = [picture.snapshots[picture.epochs.index(epochs[-1])] for picture in pictures]
        best = _best(panels, last, most=MOST_RUNS_THROUGH_TIME)
        panels = [panels[index] for index in best.kept]
        most = max(2, min(MAX_EPOCHS_SHOWN, MOST_ROWS // len(panels)))
        rows = [_row("original", shared.clean)]
        for index in evenly_chosen(len(epochs), most=most):
            for number, (label, picture) in enumerate(panels):
                when = f"epoch {epochs[index]}" if epochs[index] else "before training"
                made = picture.snapshots[picture.epochs.index(epochs[index])]
                rows.append(_row(f"{when} \N{MIDDLE DOT} {label}" if label else when, made, begins=number == 0))
        captions = ColumnTexts("", shared.captions)
        return image_grid(rows, title=title, captions=captions, notes=NO_TEXTS, color_scale=None, line=best.remark)


class _Best(NamedTuple):
    """Which panels are shown."""

    kept: list[int]
    """In the order given."""
    remark: str
    """What was left out."""


def _best(panels: Sequence[Panel[Any]], made: Sequence[NDArray[Any]], *, most: int) -> _Best:
    """Those whose images `made`, (K, C, H, W) each, are nearest to the clean ones; what is not a number is farthest."""
    if len(panels) <= most:
        return _Best(list(range(len(panels))), "")
    errors = [_squared_errors(images, panel.picture.clean).mean() for panel, images in zip(panels, made, strict=True)]
    kept = sorted(int(index) for index in np.argsort(np.nan_to_num(errors, nan=np.inf), kind="stable")[:most])
    return _Best(kept, f"Of {len(panels)} runs the {most} best, by the mean MSE of these images, are shown.")


def _reconstructed(label: str, picture: Reconstructions, *, begins: bool) -> ImageRow:
    squared = _squared_errors(picture.final, picture.clean)
    name = f"{label or 'reconstruction'}\nmean MSE {error_text(float(squared.mean()))}"
    notes = tuple(error_text(float(value)) for value in squared)
    return _row(name, picture.final, notes=notes, begins=begins)


def _shared(pictures: Sequence[Reconstructions | Progress]) -> Reconstructions | Progress:
    """The first, whose images and captions are those of all."""
    for picture in pictures[1:]:
        if picture.captions != pictures[0].captions or not np.array_equal(picture.clean, pictures[0].clean):
            raise ValueError("the panels show different test images")
    return pictures[0]


def _row(label: str, images: NDArray[Any], *, notes: tuple[str, ...] = (), begins: bool = False) -> ImageRow:
    return ImageRow(f"{label}\n{remark(images)}".strip(), as_pixels(images), notes=notes, begins=begins)


def _squared_errors(made: NDArray[Any], clean: NDArray[Any]) -> NDArray[np.float64]:
    """The mean over pixels and channels of each image's squared error, (K,)."""
    errors: NDArray[np.float64] = ((made.astype(np.float64) - clean) ** 2).mean(axis=(1, 2, 3))
    return errors


def _check_alike(clean: NDArray[Any], *, captions: Sequence[str], **others: NDArray[Any]) -> None:
    for name, images in others.items():
        if images.shape != clean.shape:
            raise ValueError(f"{name}: expected the shape of the clean images, {clean.shape}, not {images.shape}")
    if len(captions) != len(clean):
        raise ValueError(f"captions: expected one for each of {len(clean)} images, not {len(captions)}")


def _listed(epochs: Sequence[int]) -> str:
    return "epochs " + ", ".join(str(epoch) for epoch in epochs)
