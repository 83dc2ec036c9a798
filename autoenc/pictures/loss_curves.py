"""The loss of one run by epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autoenc.evaluation.overfitting import overfitting_onset
from autoenc.pictures.axis_ticks import number
from autoenc.pictures.charts import (
    TRAINING_COLOR,
    TRAINING_LINE,
    VALIDATION_COLOR,
    VALIDATION_LINE,
    draw_ring,
)
from autoenc.pictures.loss_charts import Chart, Curve, Loss, Row, draw_chart
from autoenc.pictures.page import GRID, INK, LABEL, MARGIN, house_style, save
from autoenc.pictures.panels import SPACE, panel_page

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 1600 - 2 * MARGIN, 800
OVERFITTING = (
    "Grey: overfitting, which begins after epoch {}. The validation loss rises while the training loss still falls."
)
NAME_BELOW = 0.85  # of the axes' height: higher curves would cross the name


def draw_loss_curves(history: Sequence[Row], *, path: Path, loss: Loss, best_epoch: int | None, title: str) -> Path:
    """Draw `train/loss` and, if there is one, `validation/loss` by `epoch`; mark the best epoch and overfitting.

    Returns `path`. `history` are the rows of metrics.jsonl. Values that are not finite leave a gap.

    Raises:
        OSError: the picture cannot be written; an older one stays as it was.
    """
    style = {"name": "training", "color": TRAINING_COLOR, "marker": "o", "dashes": TRAINING_LINE}
    train = Curve.of("train/loss", history, **style)
    style = {"name": "validation", "color": VALIDATION_COLOR, "marker": "s", "dashes": VALIDATION_LINE}
    validation = Curve.of("validation/loss", history, **style)
    curves = [curve for curve in (train, validation) if math.isfinite(curve.last)]
    place = overfitting_onset(train.losses.tolist(), validation.losses.tolist())
    onset = None if place is None else int(train.epochs[place - 1])
    line = " ".join(filter(None, [loss.explanation, "" if onset is None else OVERFITTING.format(onset)]))
    with house_style():
        page = panel_page([""], width=WIDTH, height=HEIGHT, title=title, line=line)
        chart = Chart(loss, curves or [train], [curve.label for curve in curves])
        axes = draw_chart(page, chart, corner=page.corners[0], width=WIDTH, height=HEIGHT)
        if best_epoch is not None:
            _mark_best(axes, curves, best_epoch=best_epoch)
        if onset is not None:
            _mark_overfitting(axes, curves, onset=onset)
        save(page.page.figure, path)
    return path


def _mark_best(axes: Axes, curves: Sequence[Curve], *, best_epoch: int) -> None:
    """A ring around the best value, validation's if there is one, and a line down to its label at the foot."""
    found = [float(loss) for curve in curves for loss in curve.losses[curve.epochs == best_epoch] if np.isfinite(loss)]
    label = f"best: epoch {best_epoch}" + (f", {number(found[-1])}" if found else "")
    low, high = axes.get_ylim()
    axes.vlines(best_epoch, low, found[-1] if found else high, color=INK, linewidth=1, linestyle=":")
    if found:
        draw_ring(axes, best_epoch, found[-1], color=INK, label="best")
    side, offset = ("right", -SPACE) if best_epoch > sum(axes.get_xlim()) / 2 else ("left", SPACE)
    box = {"facecolor": "white", "edgecolor": "none", "pad": 2}  # hides the grid line behind it
    place: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset pixels", "ha": side}
    axes.annotate(label, (best_epoch, 0), (offset, SPACE), **place, va="bottom", size=LABEL, bbox=box)


def _mark_overfitting(axes: Axes, curves: Sequence[Curve], *, onset: int) -> None:
    """Grey from the onset to the last epoch, with a name at the upper edge unless a curve is there."""
    last = axes.get_xlim()[1]
    axes.axvspan(onset, last, color=GRID, alpha=0.5, linewidth=0, zorder=0)
    points = np.concatenate([np.column_stack([curve.epochs, curve.losses]) for curve in curves])  # (N, 2)
    heights = (axes.transData - axes.transAxes).transform(points[points[:, 0] >= onset])[:, 1]
    if np.nanmax(heights) < NAME_BELOW:
        place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset pixels", "ha": "right"}
        axes.annotate("overfitting", (1, 1), (-SPACE, -SPACE), **place, va="top", size=LABEL)
