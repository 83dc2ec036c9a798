"""Losses and their curves by epoch: what the pictures of one run and of several have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from autoenc.pictures.axis_ticks import integer_axis, number, value_axis
from autoenc.pictures.charts import LineLabel, chart_axes, draw_ring, write_in_middle
from autoenc.pictures.image_pixels import DENOISING_ERROR
from autoenc.pictures.page import INK, SMALL, wrapped
from autoenc.pictures.panels import Corner, PanelPage

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_NAME = 420  # pixels of a run's name beside its curve, then it is wrapped
MARKS = 8  # on a curve, about
DENOISING_LOSS = "Denoising loss: the input is noisy, the target is the clean image."

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


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
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
    """The epoch after which the model overfits."""
    overfitting: str = ""
    """In words, for the name."""

    @classmethod
    def of(cls, key: str, rows: Sequence[Row], **style: Any) -> Self:
        """A loss of metrics.jsonl by epoch."""
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
        """Draw its line, its markers, its band and the ring at the onset."""
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
            height = float(self.losses[self.epochs == self.onset][0])
            draw_ring(axes, self.onset, height, color=INK, label="overfitting")


class Chart(NamedTuple):
    """The curves of one kind of loss."""

    loss: Loss
    curves: list[Curve]
    names: list[LineLabel]
    remark: str = ""
    """If not all runs are named."""


def draw_chart(page: PanelPage, chart: Chart, *, corner: Corner, width: int, height: int) -> Axes:
    """Draw the curves into `width` x `height` pixels, with a note if no value is finite."""
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
