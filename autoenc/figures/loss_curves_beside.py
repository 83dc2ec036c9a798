"""The loss curves of several runs in one chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autoenc.figures.axis_ticks import integer_ticks, number, value_axis
from autoenc.figures.chart_axes import ChartBox, chart_axes
from autoenc.figures.class_colors import look
from autoenc.figures.line_labels import LEADER, LineLabel, label_lines
from autoenc.figures.loss_curves import Row
from autoenc.figures.page import LABEL, MARGIN, SMALL, text_width, wrapped
from autoenc.figures.panels import panel_page

WIDTHS = {1: 1600}  # of a chart that stands alone; of several, the other
LEAST_WIDTH = 1000
HEIGHT = 800
MOST_NAME = 420  # pixels of a run's name beside its curve, then it is wrapped
MARKS = 8  # on a curve, about
LINE = (
    "Solid: validation loss, with its last value; dashed: training loss. A run without a validation split has its "
    "training loss solid."
)


def loss_curves_beside(
    histories: Sequence[tuple[str, Sequence[Row]]], *, loss_label: str | Sequence[str], title: str
) -> Figure:
    """All runs' losses by epoch, in a chart for each unit of the loss; to be made inside `house_style`.

    The axes are logarithmic unless a value is zero or less. A value that is missing or not finite leaves a gap.

    Args:
        histories: of each run a name and the rows of its metrics.jsonl: `epoch`, `train/loss`, and `validation/loss`
            where there is a validation split.
        loss_label: the loss and its unit, of all runs or one for each. Runs with different ones have charts of their
            own.
        title: of the page.

    Raises:
        ValueError: there is no run, or one without an epoch, or not one `loss_label` for each.
    """
    if not histories or not all(rows for _, rows in histories):
        raise ValueError("histories: expected at least one run, each with at least one epoch")
    labels = [loss_label] * len(histories) if isinstance(loss_label, str) else list(loss_label)
    if len(labels) != len(histories):
        raise ValueError(f"loss_label: expected one for each of {len(histories)} runs, not {len(labels)}")
    runs = [
        _run(name, rows, loss_label=label, index=index)
        for index, ((name, rows), label) in enumerate(zip(histories, labels, strict=True))
    ]
    charts = [[run for run in runs if run.loss_label == unit] for unit in dict.fromkeys(labels)]
    width = WIDTHS.get(len(charts), LEAST_WIDTH) - 2 * MARGIN
    page, corners, _ = panel_page([""] * len(charts), width=width, height=HEIGHT, columns=2, title=title, line=LINE)
    for chart, corner in zip(charts, corners, strict=True):
        scale = value_axis(np.concatenate([run.finite for run in chart]))
        names = LEADER + max(text_width(run.name, SMALL) for run in chart)
        box = ChartBox(corner, width, HEIGHT, names)
        axes = chart_axes(page, box, scale=scale, label=chart[0].loss_label, across="epoch")
        _draw(axes, chart)
        label_lines(axes, [LineLabel(run.name, run.last, run.color) for run in chart if run.ends], scale=scale)
    return page.figure


@dataclass(frozen=True)
class _Run:
    """What is drawn of a run: `solid` is the loss that has the name, `dashed` the other or nothing; (E,) each."""

    label: str
    loss_label: str
    epochs: NDArray[np.int64]
    solid: NDArray[np.float64]
    dashed: NDArray[np.float64]
    color: str
    marker: str
    index: int

    @property
    def finite(self) -> NDArray[np.float64]:
        both = np.concatenate([self.solid, self.dashed])
        return np.asarray(both[np.isfinite(both)], dtype=np.float64)

    @property
    def ends(self) -> bool:
        """Whether there is a last value."""
        return bool(np.isfinite(self.solid).any())

    @property
    def last(self) -> float:
        return float(self.solid[np.isfinite(self.solid)][-1])

    @property
    def name(self) -> str:
        """As it stands beside the curve; to be asked inside `house_style`."""
        written = f"{self.label} {number(self.last)}" if self.ends else f"{self.label}: no finite value"
        return wrapped(written, width=MOST_NAME, size=SMALL)


def _run(name: str, rows: Sequence[Row], *, loss_label: str, index: int) -> _Run:
    def values(key: str) -> NDArray[np.float64]:
        found = np.array([np.nan if row.get(key) is None else row[key] for row in rows], dtype=np.float64)
        return np.where(np.isfinite(found), found, np.nan)

    train, validation = values("train/loss"), values("validation/loss")
    has_validation = np.isfinite(validation).any()
    epochs = np.array([int(row["epoch"] or 0) for row in rows])
    color, marker = look(index)
    return _Run(
        label=name,
        loss_label=loss_label,
        epochs=epochs,
        solid=validation if has_validation else train,
        dashed=train if has_validation else np.full_like(train, np.nan),
        color=color,
        marker=marker,
        index=index,
    )


def _draw(axes: Axes, runs: Sequence[_Run]) -> None:
    first = min(int(run.epochs.min()) for run in runs)
    last = max(int(run.epochs.max()) for run in runs)
    padding = 0.02 * (last - first) or 0.5
    axes.set_xlim(first - padding, last + padding)
    ticks = integer_ticks(first, last)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    for run in runs:
        every = max(1, len(run.epochs) // MARKS)
        axes.plot(
            run.epochs,
            run.solid,
            color=run.color,
            linewidth=2.2,
            marker=run.marker,
            markersize=7,
            markevery=(run.index % every, every),  # where curves run together, markers stand side by side
            label=run.label,
        )
        axes.plot(run.epochs, run.dashed, color=run.color, linewidth=1.4, linestyle="--", alpha=0.7)
    if not any(run.ends for run in runs):
        axes.text(0.5, 0.5, "no finite value to draw", transform=axes.transAxes, ha="center", size=LABEL)
