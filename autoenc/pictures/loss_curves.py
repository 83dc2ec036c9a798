"""The loss by epoch, of one run or of several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autoenc.evaluation.overfitting import overfitting_onset
from autoenc.pictures.axis_ticks import integer_axis, number, value_axis
from autoenc.pictures.charts import (
    TRAINING_LINE,
    VALIDATION_LINE,
    LineLabel,
    chart_axes,
    draw_ring,
    names_height,
    write_in_middle,
)
from autoenc.pictures.class_colors import look
from autoenc.pictures.image_pixels import DENOISING_ERROR
from autoenc.pictures.page import FRAME, GRID, INK, LABEL, MARGIN, SMALL, house_style, save, wrapped
from autoenc.pictures.panels import SPACE, Corner, PanelPage, panel_page

WIDTH, HEIGHT = 1600 - 2 * MARGIN, 800
RUNS_WIDTH, LEAST_WIDTH = 1400 - 2 * MARGIN, 1000 - 2 * MARGIN  # of several runs: of the only chart, of one of several
RUNS_HEIGHT, MOST_HEIGHT = 680, 820  # a chart grows with the names beside it; at the most, it names the best runs only
MOST_NAME = 420  # pixels of a run's name beside its curve, then it is wrapped
MARKS = 8  # on a curve, about
TRAIN, VALIDATION = "#12355b", "#d55e00"
LINE = (
    "Solid: validation loss; dashed: training loss. The number is the last validation loss, or the last training loss "
    "of a run without a validation split."
)
OVERFITTING = (
    "Grey: overfitting, which begins after epoch {}. The validation loss rises while the training loss still falls."
)
NAME_BELOW = 0.85  # of the axes' height: higher curves would cross the name
DENOISING_LOSS = "Denoising loss: the input is noisy, the target is the clean image."
SEEDS = (
    "Lines: means over seeds, to the last epoch that all of them have. Band: from the lowest to the highest validation "
    "loss of the seeds."
)
ONSET = "Ring: overfitting begins; from here on the validation loss rises while the training loss falls."

Row = Mapping[str, float | int | None]


class Loss(NamedTuple):
    """The quantity on the axis of a loss."""

    unit: str
    """As `summary.json` has it: "nats an image, Bernoulli likelihood, plus the divergence from N(0, I) in nats"."""
    denoising: bool = False
    """Whether it is measured from the noisy input to the clean image."""

    @property
    def label(self) -> str:
        """The unit for an axis, without the likelihood and the kind of the penalty: "nats an image + penalty"."""
        short, _, _ = self.unit.partition(", ")
        penalty = " + penalty" if self._has_penalty else ""
        denoising = "" if not self.denoising else "denoising error: " if self._is_error else "denoising loss: "
        return f"{denoising}{short}{penalty}"

    @property
    def explanation(self) -> str:
        """The details that the label leaves out, in sentences."""
        details = f"Loss: {self.unit}." if ", " in self.unit else ""
        denoising = DENOISING_ERROR if self._is_error else DENOISING_LOSS
        return " ".join(filter(None, [details, denoising if self.denoising else ""]))

    @property
    def _has_penalty(self) -> bool:
        return ", plus " in self.unit

    @property
    def _is_error(self) -> bool:
        """False for a likelihood, and for a loss with a penalty."""
        return not self._has_penalty and "nats an image" not in self.unit


def draw_loss_curves(history: Sequence[Row], *, path: Path, loss: Loss, best_epoch: int | None, title: str) -> None:
    """Draw `train/loss` and, if there is one, `validation/loss` by `epoch`; mark the best epoch and overfitting.

    `history` are the rows of metrics.jsonl. Values that are not finite leave a gap.

    Raises:
        OSError: the picture cannot be written; an older one stays as it was.
    """
    style = {"name": "training", "color": TRAIN, "marker": "o", "dashes": TRAINING_LINE}
    train = _Curve.of("train/loss", history, **style)
    style = {"name": "validation", "color": VALIDATION, "marker": "s", "dashes": VALIDATION_LINE}
    validation = _Curve.of("validation/loss", history, **style)
    curves = [curve for curve in (train, validation) if math.isfinite(curve.last)]
    place = overfitting_onset(train.losses.tolist(), validation.losses.tolist())
    onset = None if place is None else int(train.epochs[place - 1])
    line = " ".join(filter(None, [loss.explanation, "" if onset is None else OVERFITTING.format(onset)]))
    with house_style():
        page = panel_page([""], width=WIDTH, height=HEIGHT, title=title, line=line)
        chart = _Chart(loss, curves or [train], [curve.label for curve in curves])
        axes = _draw_chart(page, chart, corner=page.corners[0], width=WIDTH, height=HEIGHT)
        if best_epoch is not None:
            _mark_best(axes, curves, best_epoch=best_epoch)
        if onset is not None:
            _mark_overfitting(axes, curves, onset=onset)
        save(page.page.figure, path)


def loss_curves_by_run(
    histories: Sequence[tuple[str, Sequence[Sequence[Row]]]], *, losses: Sequence[Loss], title: str
) -> Figure:
    """The losses of several settings by epoch, in one chart for each kind of loss; call it inside `house_style`.

    Of each setting there is a name, for each of its seeds the rows of metrics.jsonl, and what its loss is. Several
    seeds have a line through their mean, as far as all of them go, and a band. Of very many settings, those with
    the lowest last loss are named. Values that are missing or not finite leave a gap.

    Raises:
        ValueError: there is no run, or a run has no epoch.
    """
    if not histories or not all(seeds and all(seeds) for _, seeds in histories):
        raise ValueError("histories: expected at least one run, each with at least one epoch")
    runs = [_curves_of_setting(name, seeds, index=index) for index, (name, seeds) in enumerate(histories)]
    charts = [
        _chart([run for run, other in zip(runs, losses, strict=True) if other == loss], loss=loss)
        for loss in dict.fromkeys(losses)
    ]
    width = RUNS_WIDTH if len(charts) == 1 else LEAST_WIDTH
    height = max(RUNS_HEIGHT, *(names_height(chart.names) for chart in charts))
    seeds = SEEDS if any(len(seeds) > 1 for _, seeds in histories) else ""
    onset = ONSET if any(curve.onset is not None for chart in charts for curve in chart.curves) else ""
    line = " ".join(filter(None, [LINE, seeds, onset, *(chart.remark for chart in charts)]))
    headings = [chart.loss.explanation for chart in charts]
    page = panel_page(headings, width=width, height=height, columns=2, title=title, line=line)
    for chart, corner in zip(charts, page.corners, strict=True):
        _draw_chart(page, chart, corner=corner, width=width, height=height)
    return page.page.figure


@dataclass(frozen=True, kw_only=True, eq=False)
class _Curve:
    """Losses by epoch, (E,) each, NaN for a gap."""

    name: str
    epochs: NDArray[np.int64]
    losses: NDArray[np.float64]
    color: str
    marker: str
    dashes: str = "-"
    thin: bool = False
    shift: int = 0
    """Of the first marker: where curves run together, their markers stand side by side."""
    band: NDArray[np.float64] | None = None
    """The lowest and the highest loss of the seeds, (2, E)."""
    onset: int | None = None
    """The epoch at which overfitting begins."""
    overfitting: str = ""
    """In words, for the name."""

    @classmethod
    def of(cls, key: str, rows: Sequence[Row], **style: Any) -> Self:
        losses = np.array([row.get(key) for row in rows], dtype=np.float64)  # None becomes NaN
        epochs = np.array([int(row["epoch"] or 0) for row in rows])
        return cls(epochs=epochs, losses=np.where(np.isfinite(losses), losses, np.nan), **style)

    @property
    def last(self) -> float:
        """NaN if there is no value at all."""
        values = self.losses[np.isfinite(self.losses)]
        return float(values[-1]) if len(values) else math.nan

    @property
    def label(self) -> LineLabel:
        """Its name with the last value, and where overfitting begins."""
        words = ", ".join(filter(None, [f"{self.name} {number(self.last)}", self.overfitting]))
        text = wrapped(words, width=MOST_NAME, size=SMALL)
        return LineLabel(text, self.last, self.color, self.dashes)

    def draw(self, axes: Axes) -> None:
        finite = np.isfinite(self.losses)
        marked = (np.arange(len(finite)) - self.shift) % max(1, len(finite) // MARKS) == 0
        alone = ~np.append(False, finite[:-1]) & ~np.append(finite[1:], False)  # invisible without a marker
        axes.plot(
            self.epochs,
            self.losses,
            color=self.color,
            linestyle=self.dashes,
            linewidth=1.4 if self.thin else 2.2,
            alpha=0.7 if self.thin else 1,
            marker=self.marker,
            markersize=7,
            markevery=finite & (marked | alone),
            label=self.name,
        )
        if self.band is not None:
            axes.fill_between(self.epochs, *self.band, color=self.color, alpha=0.2, linewidth=0)
        if self.onset is not None:
            draw_ring(axes, self.onset, float(self.losses[self.epochs == self.onset][0]), color=INK)


class _Chart(NamedTuple):
    """The curves of one kind of loss."""

    loss: Loss
    curves: list[_Curve]
    names: list[LineLabel]
    remark: str = ""
    """If not all runs are named."""


def _curves_of_setting(name: str, seeds: Sequence[Sequence[Row]], *, index: int) -> list[_Curve]:
    """The curves of its only run; or those of the mean of its runs, the main one with a band of its seeds."""
    rows = seeds[0] if len(seeds) == 1 else _mean_rows(seeds)
    main, *others = _curves_of_run(name, rows, index=index)
    if len(seeds) > 1:
        every = [_curves_of_run("_seed", rows, index=index)[0] for rows in seeds]
        losses = np.array([curve.losses[np.isin(curve.epochs, main.epochs)] for curve in every])  # (seeds, E)
        main = replace(main, band=np.array([losses.min(0), losses.max(0)]))
    onset = _onset(rows)
    if onset is not None:
        main = replace(main, onset=onset, overfitting=f"overfits after epoch {onset}")
    elif len(seeds) > 1:
        main = replace(main, overfitting=_overfitting_seeds(seeds))
    return [main, *others]


def _onset(rows: Sequence[Row]) -> int | None:
    place = overfitting_onset([row.get("train/loss") for row in rows], [row.get("validation/loss") for row in rows])
    return None if place is None else int(rows[place - 1]["epoch"] or 0)


def _overfitting_seeds(seeds: Sequence[Sequence[Row]]) -> str:
    """Which of several seeds overfit, where their mean does not: `2 of 3 seeds overfit after epochs 24 and 31`."""
    onsets = sorted(onset for rows in seeds if (onset := _onset(rows)) is not None)
    if not onsets:
        return ""
    verb, plural = ("overfits", "") if len(onsets) == 1 else ("overfit", "s")
    *before, last = map(str, onsets)
    when = " and ".join(filter(None, [", ".join(before), last]))
    return f"{len(onsets)} of {len(seeds)} seeds {verb} after epoch{plural} {when}"


def _mean_rows(seeds: Sequence[Sequence[Row]]) -> list[Row]:
    """The losses of the epochs that all seeds have, averaged."""
    by_epoch = [{row["epoch"]: row for row in rows} for rows in seeds]
    shared = [row["epoch"] for row in seeds[0] if all(row["epoch"] in rows for rows in by_epoch)]
    return [{"epoch": epoch, **_mean_losses([rows[epoch] for rows in by_epoch])} for epoch in shared]


def _mean_losses(rows: Sequence[Row]) -> dict[str, float]:
    """None of a loss that a seed lacks."""
    values = {key: [row.get(key) for row in rows] for key in ("train/loss", "validation/loss")}
    return {
        key: float(np.mean(np.array(found, dtype=np.float64))) for key, found in values.items() if None not in found
    }


def _curves_of_run(name: str, rows: Sequence[Row], *, index: int) -> list[_Curve]:
    """The loss that carries the name, then the training loss if that is another one."""
    color, marker = look(index)
    style = {"name": name, "color": color, "marker": marker, "shift": index}
    validation = _Curve.of("validation/loss", rows, **style)
    if math.isnan(validation.last):
        return [_Curve.of("train/loss", rows, **style, dashes=TRAINING_LINE)]
    return [
        validation,
        _Curve.of("train/loss", rows, name="_train", color=color, marker="", dashes=TRAINING_LINE, thin=True),
    ]


def _chart(runs: Sequence[list[_Curve]], *, loss: Loss) -> _Chart:
    ended = sorted((run for run in runs if math.isfinite(run[0].last)), key=lambda run: run[0].last)
    names = [run[0].label for run in ended]
    while names_height(names) > MOST_HEIGHT:
        names.pop()
    unnamed = [run for run in runs if run not in ended[: len(names)]]
    grey = [replace(run[0], color=FRAME, marker="", thin=True) for run in unnamed]
    curves = [curve for run in runs if run not in unnamed for curve in run]
    remark = f"Of {len(ended)} runs the {len(names)} best are named, by this last value; the others are grey."
    return _Chart(loss, grey + curves, names, remark if len(names) < len(ended) else "")


def _draw_chart(page: PanelPage, chart: _Chart, *, corner: Corner, width: int, height: int) -> Axes:
    bands = [curve.band.ravel() for curve in chart.curves if curve.band is not None]
    values = np.concatenate([*(curve.losses for curve in chart.curves), *bands])
    epochs = np.concatenate([curve.epochs for curve in chart.curves])
    axes = chart_axes(
        page.page,
        corner,
        width=width,
        height=height,
        upright=value_axis(values, unit=chart.loss.unit),
        across=integer_axis(int(epochs.min()), int(epochs.max())),
        labels=(chart.loss.label, "epoch"),
        names=chart.names,
    )
    for curve in chart.curves:
        curve.draw(axes)
    if not np.isfinite(values).any():
        write_in_middle(axes, "no finite value to draw")
    return axes


def _mark_best(axes: Axes, curves: Sequence[_Curve], *, best_epoch: int) -> None:
    """A ring around the best value, validation's if there is one, and a line down to its label at the foot."""
    found = [float(loss) for curve in curves for loss in curve.losses[curve.epochs == best_epoch] if np.isfinite(loss)]
    label = f"best: epoch {best_epoch}" + (f", {number(found[-1])}" if found else "")
    low, high = axes.get_ylim()
    axes.vlines(best_epoch, low, found[-1] if found else high, color=INK, linewidth=1, linestyle=":")
    if found:
        draw_ring(axes, best_epoch, found[-1], color=INK)
    side, offset = ("right", -SPACE) if best_epoch > sum(axes.get_xlim()) / 2 else ("left", SPACE)
    box = {"facecolor": "white", "edgecolor": "none", "pad": 2}  # hides the grid line behind it
    place: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset pixels", "ha": side}
    axes.annotate(label, (best_epoch, 0), (offset, SPACE), **place, va="bottom", size=LABEL, bbox=box)


def _mark_overfitting(axes: Axes, curves: Sequence[_Curve], *, onset: int) -> None:
    """Grey from the onset to the last epoch, with a name at the upper edge unless a curve is there."""
    last = axes.get_xlim()[1]
    axes.axvspan(onset, last, color=GRID, alpha=0.5, linewidth=0, zorder=0)
    points = np.concatenate([np.column_stack([curve.epochs, curve.losses]) for curve in curves])  # (N, 2)
    heights = (axes.transData - axes.transAxes).transform(points[points[:, 0] >= onset])[:, 1]
    if np.nanmax(heights) < NAME_BELOW:
        place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset pixels", "ha": "right"}
        axes.annotate("overfitting", (1, 1), (-SPACE, -SPACE), **place, va="top", size=LABEL)
