"""The distribution of the test error over the images of each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from autoenc.pictures.class_colors import draw_legend, legend, look
from autoenc.pictures.code_axes import Box, ticks
from autoenc.pictures.code_panels import shared_names
from autoenc.pictures.image_pixels import DENOISING_PROTOCOL, error_text
from autoenc.pictures.page import INK, LABEL, SMALL, line_height, text_width, wrapped
from autoenc.pictures.panels import SPACE, panel_page
from autoenc.pictures.picture import Panel, Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from autoenc.pictures.subject import Subject

WIDTH = 1300  # of the axes
MAX_NAME = 260  # pixels of a class's name, then it is wrapped
THICKEST, THINNEST = 34, 16  # of a box: of a single run, of one among many
BETWEEN = 16  # classes
MOST_ROWS = 30  # classes: of more, half as many of the hardest and of the easiest
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
SINGLE = "#7da7d0"  # the boxes of a single run


@dataclass(frozen=True, kw_only=True, eq=False)
class ErrorByClass(Picture):
    """The mean squared error of every test image, and its class."""

    errors: NDArray[Any]
    """(N,): the mean squared error over pixels; with noise, the denoising error."""
    labels: NDArray[Any]
    """(N,), indices into `class_names`."""
    class_names: tuple[str, ...]
    noisy: bool
    """Whether the model's inputs were noisy."""

    @classmethod
    def measure(cls, subject: Subject) -> Self | None:
        """Measure the error of every test image; None if the test images are of fewer than two classes."""
        labels = subject.splits.test.labels
        if len(labels.unique()) < 2:
            return None
        return cls(
            errors=np.concatenate([batch.errors.numpy() for batch in subject.scored_test_batches()]),
            labels=labels.numpy(),
            class_names=tuple(subject.splits.class_names),
            noisy=subject.noise.corrupts,
        )

    @classmethod
    def figure(cls, panels: Sequence[Panel[Self]], *, title: str) -> Figure:
        """Draw a row for all images and for each class, in it a box for each panel, all on one axis from zero.

        The classes with the largest errors stand first. Of very many, the hardest and the easiest are shown.
        """
        pictures = [panel.picture for panel in panels]
        together, *classes = _rows(pictures)
        left_out = max(0, len(classes) - MOST_ROWS)
        if left_out:
            classes = [*classes[: MOST_ROWS // 2], *classes[-(MOST_ROWS // 2) :]]
        rows = [together, *classes]
        labels = [panel.label for panel in panels]
        shown = legend(labels, height=10_000, most_name=MAX_NAME) if len(panels) > 1 else None
        left = max(text_width(name, SMALL) for name, _ in rows) + SPACE
        thickness = THICKEST if len(panels) == 1 else max(THINNEST, THICKEST - 6 * len(panels))
        row_height = max(2 * line_height(SMALL), thickness * len(panels)) + BETWEEN
        height = row_height * len(rows)
        page, corners, side = panel_page(
            [""],
            width=left + WIDTH,
            height=height + line_height(SMALL) + line_height(LABEL) + 2 * SPACE,
            title=title,
            line=_line(pictures, left_out=left_out),
            side=shown.width if shown else 0,
        )
        axes = Box(corners[0].left + left, corners[0].top, WIDTH, height).axes(page)
        _prepare(axes, rows, noisy=all(picture.noisy for picture in pictures))
        if left_out:
            axes.axhline(MOST_ROWS // 2 + 0.5, color=INK, linewidth=0.8, linestyle=(0, (6, 6)))
        _draw_boxes(axes, rows, thickness=thickness / row_height)
        if shown:
            draw_legend(page, shown, corner=side)
        return page.figure


Row = tuple[str, list[NDArray[np.float64]]]
"""The name of a class, and for each panel the quantiles of its errors, (5,); NaN if no error is finite."""


def _rows(pictures: Sequence[ErrorByClass]) -> list[Row]:
    """All images, then the classes, the hardest first; without those that have no images."""
    names = shared_names([picture.class_names for picture in pictures])
    rows = []
    for index, name in enumerate(names):
        errors = [picture.errors[picture.labels == index] for picture in pictures]
        if any(len(part) for part in errors):
            rows.append(_row(name, errors))
    rows.sort(key=lambda row: -_hardness(row[1]))
    return [_row("all", [picture.errors for picture in pictures]), *rows]


def _hardness(quantiles: Sequence[NDArray[np.float64]]) -> float:
    """The median error, averaged over the panels that have one; infinite if none has."""
    medians = [each[2] for each in quantiles if np.isfinite(each[2])]
    return float(np.mean(medians)) if medians else np.inf


def _row(name: str, errors: Sequence[NDArray[Any]]) -> Row:
    counts = {len(part) for part in errors}
    images = " to ".join(f"{count:,}" for count in sorted({min(counts), max(counts)}))
    finite = [part[np.isfinite(part)].astype(np.float64) for part in errors]
    quantiles = [np.quantile(part, QUANTILES) if len(part) else np.full(len(QUANTILES), np.nan) for part in finite]
    return f"{wrapped(name, width=MAX_NAME, size=SMALL)}\n{images} images", quantiles


def _prepare(axes: Axes, rows: Sequence[Row], *, noisy: bool) -> None:
    values = np.array([quantiles for _, quantiles in rows])  # (rows, panels, 5)
    largest = float(np.nan_to_num(values).max()) or 1.0
    limit = (1.18 if values.shape[1] == 1 else 1.04) * largest  # a single box has its median next to it
    axes.set_xlim(0, limit)
    axes.set_xticks(*ticks(0, limit, pixels=WIDTH))
    axes.set_xlabel(f"{'denoising error: ' if noisy else ''}mean squared error over pixels in [0, 1]")
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.axhline(0.5, color=INK, linewidth=0.8)  # below it, the classes


def _draw_boxes(axes: Axes, rows: Sequence[Row], *, thickness: float) -> None:
    """A box in each row for each panel; that of a single panel has its median next to it."""
    for number, (_, boxes) in enumerate(rows):
        single = len(boxes) == 1
        for index, quantiles in enumerate(boxes):
            middle = number + (index - (len(boxes) - 1) / 2) * thickness
            color = SINGLE if single else look(index).color
            _draw_box(axes, quantiles, middle=middle, thickness=0.8 * thickness, color=color)
            if single and np.isfinite(quantiles).all():
                text, end = f"median {error_text(float(quantiles[2]))}", (quantiles[-1], middle)
                axes.annotate(text, end, (8, 0), textcoords="offset pixels", va="center", size=SMALL)


def _draw_box(axes: Axes, quantiles: NDArray[np.float64], *, middle: float, thickness: float, color: str) -> None:
    if np.isnan(quantiles).any():
        axes.text(0, middle, " no finite error", size=SMALL, va="center")
        return
    low, first, median, third, high = quantiles
    axes.hlines([middle, middle], [low, third], [first, high], color=INK, linewidth=1.2)
    axes.barh(middle, third - first, left=first, height=thickness, color=color, edgecolor=INK, linewidth=0.8)
    axes.vlines(median, middle - thickness / 2, middle + thickness / 2, color=INK, linewidth=3)


def _line(pictures: Sequence[ErrorByClass], *, left_out: int) -> str:
    noisy = [picture.noisy for picture in pictures]
    error = f"Denoising error of the test images, {DENOISING_PROTOCOL}" if all(noisy) else "Test error"
    mixed = any(noisy) and not all(noisy)
    explained = f" Errors of runs with noise are denoising errors, {DENOISING_PROTOCOL}." if mixed else ""
    odd = sum(int((~np.isfinite(picture.errors)).sum()) for picture in pictures)
    order = "by median, the hardest class first" + (", averaged over the runs" if len(pictures) > 1 else "")
    if left_out:
        order += (
            f"; the {MOST_ROWS // 2} hardest and, below the dashed line, the {MOST_ROWS // 2} easiest classes: "
            f"{left_out:,} between them are left out"
        )
    said = f" {odd:,} errors are not finite and left out." if odd else ""
    return (
        f"{error}: a box reaches from the lower to the upper quartile of a class's images, the thick line is the "
        f"median, the thin lines reach from 5 % to 95 %. Sorted {order}.{explained}{said}"
    )
