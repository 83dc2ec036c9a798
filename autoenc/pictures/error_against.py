"""The error of many runs against a setting that was varied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autoenc.pictures.axis_ticks import ValueAxis, number, value_axis
from autoenc.pictures.chart_axes import ChartBox, chart_axes, foot_height
from autoenc.pictures.class_colors import look
from autoenc.pictures.line_labels import LEADER, LineLabel, label_lines, names_height
from autoenc.pictures.page import INK, MARGIN, SMALL, text_width, wrapped
from autoenc.pictures.panels import SPACE, panel_page

WIDTH, HEIGHT = 1600 - 2 * MARGIN, 800  # the height at least: it grows with the names of the series
MOST_NAME = 420  # pixels of a series' name beside its line, then it is wrapped
WIDE = 8  # times the smallest: settings that reach so far are drawn on a logarithmic axis
PADDING = 0.04  # of the axis, at both ends
LINE = (
    "Solid: test; dashed: training. Each mark is a run; where runs share a setting, the line goes through their mean."
)


class Point(NamedTuple):
    """A run."""

    series: str
    x: float
    test: float | None
    train: float | None


def error_against(
    points: Sequence[tuple[str, float, float | None, float | None]],
    *,
    x_label: str,
    metric_label: str,
    title: str,
    baseline: Sequence[tuple[float, float]] | None,
    baseline_label: str = "PCA",
) -> Figure:
    """Test and training errors by series against a number, with a baseline; to be made inside `house_style`.

    Each axis is logarithmic where its numbers are above zero and reach far (of the errors, see `value_axis`). Errors
    that are missing or not finite are left out.

    Raises:
        ValueError: there is no point with a finite error.
    """
    runs = [Point(*point) for point in points]
    series = [_series(name, runs, index=index) for index, name in enumerate(_names(runs))]
    if baseline is not None:
        series.append(_baseline(baseline, label=baseline_label))
    errors = np.concatenate([np.concatenate([line.test[:, 1], line.train[:, 1]]) for line in series] or [np.zeros(0)])
    if not len(errors) or not any(len(line.test) + len(line.train) for line in series if not line.is_baseline):
        raise ValueError("points: expected at least one with a finite error")
    labels = [LineLabel(line.name, line.last, line.color) for line in series if line.ends]
    height = max(HEIGHT, names_height(labels) + foot_height())
    page, (corner,), _ = panel_page([""], width=WIDTH, height=height, columns=1, title=title, line=LINE)
    scale = value_axis(errors, unit=metric_label)
    names = LEADER + max(text_width(line.name, SMALL) for line in series)
    axes = chart_axes(page, ChartBox(corner, WIDTH, height, names), scale=scale, label=metric_label, across=x_label)
    _set_settings(axes, np.concatenate([np.concatenate([line.test[:, 0], line.train[:, 0]]) for line in series]))
    for line in series:
        _draw(axes, line)
    label_lines(axes, labels, scale=scale)
    return page.figure


class _Series(NamedTuple):
    """A line: the points of it, (N, 2), x and error."""

    label: str
    test: NDArray[np.float64]
    train: NDArray[np.float64]
    color: str
    marker: str
    is_baseline: bool

    @property
    def ends(self) -> bool:
        return len(self.test) + len(self.train) > 0

    @property
    def last(self) -> float:
        """The mean error at the greatest x."""
        return float(_means(self.test if len(self.test) else self.train)[-1, 1])

    @property
    def name(self) -> str:
        """As it stands beside the line; to be asked inside `house_style`."""
        written = f"{self.label} {number(self.last)}".strip() if self.ends else self.label
        return wrapped(written, width=MOST_NAME, size=SMALL)


def _names(points: Sequence[Point]) -> list[str]:
    return list(dict.fromkeys(point.series for point in points))


def _series(name: str, points: Sequence[Point], *, index: int) -> _Series:
    own = [point for point in points if point.series == name]
    color, marker = look(index)
    return _Series(
        name,
        test=_finite([(point.x, point.test) for point in own]),
        train=_finite([(point.x, point.train) for point in own]),
        color=color,
        marker=marker,
        is_baseline=False,
    )


def _baseline(points: Sequence[tuple[float, float]], *, label: str) -> _Series:
    nothing = np.zeros((0, 2))
    return _Series(label, _finite(points), nothing, color=INK, marker="", is_baseline=True)


def _finite(pairs: Sequence[tuple[float, float | None]]) -> NDArray[np.float64]:
    """Those with a finite error, (N, 2), by x."""
    kept = sorted((float(x), float(error)) for x, error in pairs if error is not None and np.isfinite(error))
    return np.array(kept, dtype=np.float64).reshape(-1, 2)


def _means(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(M, 2): of the points with the same x, the mean error."""
    settings = np.unique(points[:, 0])
    return np.array([[setting, points[points[:, 0] == setting, 1].mean()] for setting in settings])


def _set_settings(axes: Axes, settings: NDArray[np.float64]) -> None:
    """The horizontal axis, with a tick at each setting that there is room to name."""
    values = np.unique(settings)
    low, high = float(values[0]), float(values[-1])
    logarithmic = low > 0 and high >= WIDE * low
    ends = np.log([low, high]) if logarithmic else np.array([low, high])
    padding = PADDING * (ends[1] - ends[0]) or (0.1 if logarithmic else 0.5)
    limits = [float(ends[0] - padding), float(ends[1] + padding)]
    axes.set_xscale("log" if logarithmic else "linear")
    axes.set_xlim(*(np.exp(limits) if logarithmic else limits))
    scale = ValueAxis("log" if logarithmic else "linear", *axes.get_xlim(), list(values), minor_ticks=[], note="")
    width = axes.get_window_extent().width
    ticks: list[float] = []
    free = -np.inf
    for value in values:
        center, half = scale.share(float(value)) * width, text_width(_written(value), SMALL) / 2
        if center - half >= free:
            ticks.append(float(value))
            free = center + half + SPACE
    axes.set_xticks(ticks, [_written(tick) for tick in ticks])
    axes.set_xticks([], [], minor=True)


def _written(setting: float) -> str:
    return f"{setting:.6g}".replace("-", "\N{MINUS SIGN}")


def _draw(axes: Axes, line: _Series) -> None:
    if line.is_baseline:
        axes.plot(*line.test.T, color=line.color, linestyle=(0, (6, 3)), linewidth=2, label=line.label)
        return
    for points, dashes, alpha, filled in ((line.train, "--", 0.7, False), (line.test, "-", 1.0, True)):
        if not len(points):
            continue
        axes.plot(*_means(points).T, color=line.color, linestyle=dashes, linewidth=2.2 * alpha, alpha=alpha)
        axes.plot(
            *points.T,
            color=line.color,
            linestyle="none",
            marker=line.marker,
            markersize=8,
            markerfacecolor=line.color if filled else "white",
            markeredgecolor=line.color,
            label=f"{line.label} {'test' if filled else 'train'}".strip(),
        )
