"""The loss of both splits against the epoch."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autoenc.pictures.axis_ticks import ValueAxis, integer_ticks, number, value_axis
from autoenc.pictures.page import (
    INK,
    LABEL,
    MARGIN,
    SMALL,
    TITLE,
    Page,
    block_height,
    house_style,
    line_height,
    save,
    text_width,
    wrapped,
)

WIDTH, HEIGHT = 1600, 900
MOST_MARKERS = 30  # beyond this many epochs, markers would run together into a thick line
SPACE = 12

Row = Mapping[str, float | int | None]


def draw_loss_curves(
    history: Sequence[Row],
    *,
    path: Path,
    loss_label: str,
    best_epoch: int | None,
    title: str,
) -> None:
    """Draw `train/loss` and, where the rows have it, `validation/loss` against `epoch`, the best epoch marked.

    `history` are the rows of metrics.jsonl; `loss_label` names the loss and its unit, which decides on the
    axis (see `value_axis`). A value that is missing or not finite leaves a gap.

    Raises:
        ValueError: there are no rows, their epochs do not rise, or `best_epoch` is not among them.
        OSError: the picture cannot be written; an old one is kept.
    """
    with house_style():
        save(loss_curves_figure(history, loss_label=loss_label, best_epoch=best_epoch, title=title), path)


def loss_curves_figure(history: Sequence[Row], *, loss_label: str, best_epoch: int | None, title: str) -> Figure:
    """The picture before it is saved; to be made inside `house_style`."""
    epochs = _epochs(history, best_epoch=best_epoch)
    curves = [curve for curve in _curves(history) if np.isfinite(curve.values).any()]
    values = np.concatenate([curve.values for curve in curves]) if curves else np.array([])
    scale = value_axis(values[np.isfinite(values)], unit=loss_label)
    page = Page(width=WIDTH, height=HEIGHT)
    axes = _axes(page, title=title, label=loss_label, scale=scale, curve_labels=[curve.label for curve in curves])
    _set_epochs(axes, epochs)
    for curve in curves:
        _draw_curve(axes, epochs, curve)
    _label_curves(axes, curves, scale=scale)
    if best_epoch is not None:
        _mark_best(axes, epochs, curves, best_epoch=best_epoch)
    return page.figure


@dataclass(frozen=True)
class _Curve:
    """A split's losses, (E,), with NaN for a gap. The two differ in lightness, dashes and markers, not in hue alone."""

    name: str
    values: NDArray[np.float64]
    color: str
    dashes: str
    marker: str

    @property
    def last(self) -> float:
        return float(self.values[np.isfinite(self.values)][-1])

    @property
    def label(self) -> str:
        return f"{self.name} {number(self.last)}"


def _epochs(history: Sequence[Row], *, best_epoch: int | None) -> NDArray[np.int64]:
    epochs = [int(row["epoch"] or 0) for row in history]
    if not epochs or any(later <= earlier for earlier, later in itertools.pairwise(epochs)):
        raise ValueError(f"history: expected at least one row, in the order of their epochs, not epochs {epochs}")
    if best_epoch is not None and best_epoch not in epochs:
        raise ValueError(f"best_epoch={best_epoch}: expected an epoch of the history, {epochs[0]} to {epochs[-1]}")
    return np.array(epochs)


def _curves(history: Sequence[Row]) -> list[_Curve]:
    def values(key: str) -> NDArray[np.float64]:
        found = (row.get(key) for row in history)
        numbers = np.array([np.nan if value is None else value for value in found], dtype=np.float64)
        return np.where(np.isfinite(numbers), numbers, np.nan)

    train = _Curve("train", values("train/loss"), color="#12355b", dashes="-", marker="o")
    validation = _Curve("validation", values("validation/loss"), color="#d55e00", dashes="--", marker="s")
    return [train, validation]


def _axes(page: Page, *, title: str, label: str, scale: ValueAxis, curve_labels: Sequence[str]) -> Axes:
    """Axes as large as the texts around them leave room for."""
    title = wrapped(title, width=page.width - 2 * MARGIN, size=TITLE)
    page.text(title, x=MARGIN, y=MARGIN, size=TITLE)
    top = MARGIN + block_height(title, TITLE) + 2 * SPACE
    height = page.height - top - (MARGIN + line_height(LABEL) + line_height(SMALL) + SPACE)
    label = wrapped("\n".join(filter(None, (label, scale.note))), width=height, size=LABEL)
    left = MARGIN + block_height(label, LABEL) + max(text_width(tick, SMALL) for tick in scale.labels) + 2 * SPACE
    right = MARGIN + SPACE + max((text_width(curve_label, LABEL) for curve_label in curve_labels), default=0)
    place = page.rectangle(left=left, top=top, width=page.width - left - right, height=height)
    axes = page.figure.add_axes(place)
    axes.set_ylabel(label)
    scale.put_on(axes)
    return axes


def _set_epochs(axes: Axes, epochs: NDArray[np.int64]) -> None:
    first, last = int(epochs[0]), int(epochs[-1])
    padding = 0.02 * (last - first) or 0.5
    axes.set_xlim(first - padding, last + padding)
    ticks = integer_ticks(first, last)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xlabel("epoch")


def _draw_curve(axes: Axes, epochs: NDArray[np.int64], curve: _Curve) -> None:
    finite = np.isfinite(curve.values)
    before, after = np.append(False, finite[:-1]), np.append(finite[1:], False)
    alone = finite & ~before & ~after  # no line leads to it: without a marker it would not be seen
    axes.plot(
        epochs,
        curve.values,
        color=curve.color,
        linestyle=curve.dashes,
        linewidth=2.2,
        marker=curve.marker,
        markersize=6,
        markevery=finite if len(epochs) <= MOST_MARKERS else alone,
        label=curve.name,
    )


def _label_curves(axes: Axes, curves: Sequence[_Curve], *, scale: ValueAxis) -> None:
    """Name each curve at its right end, and keep two names apart whose curves end together."""
    if not curves:
        axes.text(0.5, 0.5, "no finite value to draw", transform=axes.transAxes, ha="center", size=LABEL)
    height = axes.get_window_extent().height
    apart = line_height(LABEL) / height
    heights = [scale.share(curve.last) for curve in curves]
    if len(heights) == 2 and abs(heights[0] - heights[1]) < apart:
        middle, up = sum(heights) / 2, np.sign(heights[0] - heights[1]) or 1
        heights = [middle + up * apart / 2, middle - up * apart / 2]
    for curve, y in zip(curves, heights, strict=True):
        axes.annotate(
            curve.label,
            xy=(1, y),
            xycoords="axes fraction",
            xytext=(SPACE, 0),
            textcoords="offset pixels",
            verticalalignment="center",
            color=curve.color,
            size=LABEL,
        )


def _mark_best(axes: Axes, epochs: NDArray[np.int64], curves: Sequence[_Curve], *, best_epoch: int) -> None:
    """A ring around the best value (validation's, where there is one), and a line down to its label at the foot."""
    index = int(np.flatnonzero(epochs == best_epoch)[0])
    found = [curve.values[index] for curve in curves if np.isfinite(curve.values[index])]
    label = f"best: epoch {best_epoch}" + (f", {number(found[-1])}" if found else "")
    height = found[-1] if found else axes.get_ylim()[1]
    axes.vlines(best_epoch, axes.get_ylim()[0], height, color=INK, linewidth=1, linestyle=":")
    if found:
        _draw_ring(axes, best_epoch, height)
    left, right = axes.get_xlim()
    leftwards = best_epoch > (left + right) / 2
    axes.annotate(
        label,
        xy=(best_epoch, 0),
        xycoords=("data", "axes fraction"),
        xytext=(-SPACE if leftwards else SPACE, SPACE),
        textcoords="offset pixels",
        horizontalalignment="right" if leftwards else "left",
        verticalalignment="bottom",
        size=LABEL,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 2},  # over a grid line
    )


def _draw_ring(axes: Axes, epoch: int, value: float) -> None:
    axes.plot(
        [epoch],
        [value],
        linestyle="none",
        marker="o",
        markersize=15,
        markerfacecolor="none",
        markeredgewidth=2.2,
        color=INK,
        label="best",
        zorder=3,
    )
