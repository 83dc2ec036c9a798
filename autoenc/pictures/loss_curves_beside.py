"""The loss curves of several runs in one chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autoenc.pictures.axis_ticks import integer_ticks, number, value_axis
from autoenc.pictures.chart_axes import ChartBox, chart_axes, foot_height
from autoenc.pictures.class_colors import look
from autoenc.pictures.line_labels import LEADER, LineLabel, label_lines, names_height
from autoenc.pictures.loss_curves import Row
from autoenc.pictures.page import FRAME, LABEL, MARGIN, SMALL, text_width, wrapped
from autoenc.pictures.panels import panel_page

WIDTHS = {1: 1600}  # of a chart that stands alone; of several, the other
LEAST_WIDTH = 1000
HEIGHT, MOST_HEIGHT = 800, 1900  # a chart grows with the names beside it, and beyond that names the best alone
MOST_NAME = (420, 560)  # pixels of a run's name beside its curve, then it is wrapped; the other where names are many
MARKS = 8  # on a curve, about
LINE = (
    "Solid: validation loss, with its last value; dashed: training loss. A run without a validation split has its "
    "training loss solid."
)


def loss_curves_beside(
    histories: Sequence[tuple[str, Sequence[Row]]], *, loss_label: str | Sequence[str], title: str
) -> Figure:
    """All runs' losses by epoch, in a chart for each unit of the loss; to be made inside `house_style`.

    A chart grows with the names of its runs; of very many only the best are named, those whose last loss is lowest, and
    the page says so. Errors have a logarithmic axis (see `value_axis`). A value that is missing
    or not finite leaves a gap.

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
    charts = [_chart([run for run in runs if run.loss_label == unit]) for unit in dict.fromkeys(labels)]
    width = WIDTHS.get(len(charts), LEAST_WIDTH) - 2 * MARGIN
    height = max(HEIGHT, *(names_height(chart.names) + foot_height() for chart in charts))
    line = " ".join([LINE, *(chart.remark for chart in charts if chart.remark)])
    page, corners, _ = panel_page([""] * len(charts), width=width, height=height, columns=2, title=title, line=line)
    for chart, corner in zip(charts, corners, strict=True):
        unit = chart.runs[0].loss_label
        scale = value_axis(np.concatenate([run.finite for run in chart.runs]), unit=unit)
        names = LEADER + max((text_width(name.text, SMALL) for name in chart.names), default=0)
        axes = chart_axes(page, ChartBox(corner, width, height, names), scale=scale, label=unit, across="epoch")
        _draw(axes, chart)
        label_lines(axes, chart.names, scale=scale)
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

    def name(self, *, width: int) -> LineLabel:
        """As it stands beside the curve, with the last value; to be asked inside `house_style`."""
        return LineLabel(wrapped(f"{self.label} {number(self.last)}", width=width, size=SMALL), self.last, self.color)


class _Chart(NamedTuple):
    """Runs whose losses have the same unit."""

    runs: list[_Run]
    names: list[LineLabel]
    """Of the best runs, the lowest first; of all that have a last value, if there is room."""
    named: frozenset[int]
    """The `index` of those."""

    @property
    def remark(self) -> str:
        """What is not to be seen of it."""
        ended = sum(run.ends for run in self.runs)
        if len(self.named) == ended:
            return ""
        return f"Of {ended} runs the {len(self.named)} best are named, by this last value; the others are grey."


def _chart(runs: list[_Run]) -> _Chart:
    """As many names as the highest chart has room for; in wider lines, and so less high, before any is left out."""
    room = MOST_HEIGHT - foot_height()
    ended = sorted((run for run in runs if run.ends), key=lambda run: run.last)
    for width in MOST_NAME:
        names = [run.name(width=width) for run in ended]
        if names_height(names) <= room:
            break
    while len(names) > 1 and names_height(names) > room:
        names.pop()
    return _Chart(runs, names, frozenset(run.index for run in ended[: len(names)]))


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


def _draw(axes: Axes, chart: _Chart) -> None:
    runs = chart.runs
    first = min(int(run.epochs.min()) for run in runs)
    last = max(int(run.epochs.max()) for run in runs)
    padding = 0.02 * (last - first) or 0.5
    axes.set_xlim(first - padding, last + padding)
    ticks = integer_ticks(first, last)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    for run in runs:
        if run.index in chart.named:
            _draw_run(axes, run)
        else:
            axes.plot(run.epochs, run.solid, color=FRAME, linewidth=1, alpha=0.6, zorder=1.5, label=run.label)
    if not any(run.ends for run in runs):
        axes.text(0.5, 0.5, "no finite value to draw", transform=axes.transAxes, ha="center", size=LABEL)


def _draw_run(axes: Axes, run: _Run) -> None:
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
