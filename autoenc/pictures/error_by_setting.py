"""The errors of many runs against a numeric setting in which they differ."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.evaluation.estimates import Estimate, estimate
from autoenc.pictures.axis_ticks import number, setting_axis, value_axis
from autoenc.pictures.charts import (
    BASELINE_COLOR,
    BASELINE_LINE,
    TRAINING_LINE,
    VALIDATION_LINE,
    LineLabel,
    chart_axes,
    names_height,
)
from autoenc.pictures.class_colors import look
from autoenc.pictures.page import MARGIN, SMALL, wrapped
from autoenc.pictures.panels import panel_page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 1400 - 2 * MARGIN, 640  # the least height: the chart grows with the names of the series
MOST_NAME = 420  # pixels of a series' name beside its line, then it is wrapped
WIDE = 8  # times the smallest: settings with such a range are drawn on a logarithmic axis
LINE = "Solid: test; dashed: training. Each mark is a run."
SEEDS = (
    "Solid: test; dashed: training. Marks: means over {} seeds. Band: from the lowest to the highest test error of the "
    "seeds."
)
BASELINES = " Dotted: baselines on test."
DOTS = (BASELINE_LINE, (0, (1, 3)), (0, (1, 1, 4, 1)), (0, (1, 1, 1, 1, 4, 1)))
"""The dots of several baselines."""
MOST_SERIES = 20


class Point(NamedTuple):
    """A run. Runs of one series with the same x differ only in their seed."""

    series: str
    x: float
    test: float | None
    train: float | None


def error_by_setting(
    points: Sequence[Point],
    *,
    x_label: str,
    metric_label: str,
    title: str,
    baselines: Mapping[str, Sequence[tuple[float, float]]],
    note: str = "",
    scale: str = "log",
) -> Figure:
    """Test and training errors by series against a number, with baselines on test; call it inside `house_style`.

    The setting's axis is logarithmic if its numbers are above zero and have a wide range. The errors' axis is as in
    `value_axis`, of the metric's `scale`. Errors that are missing or not finite are left out. Of very many series,
    those with the lowest last errors are drawn.

    Raises:
        ValueError: there is no point with a finite error.
    """
    every = _series(points)
    series = sorted(every, key=lambda line: line.label.value)[:MOST_SERIES]
    left_out = f"The {MOST_SERIES} lowest of {len(every)} lines." if len(every) > MOST_SERIES else ""
    explained = " ".join(filter(None, [_line(series) + (BASELINES if baselines else ""), left_out, note]))
    for dots, (name, errors) in zip(itertools.cycle(DOTS), baselines.items(), strict=False):
        series.append(_Series(name, _finite(errors), np.zeros((0, 2)), BASELINE_COLOR, "", dots))
    names = [line.label for line in series]
    found = np.concatenate([part for line in series for part in (line.test, line.train)])  # (N, 2)
    settings = np.unique(found[:, 0]).tolist()
    upright = value_axis(found[:, 1], unit=metric_label, scale=scale)
    across = setting_axis(settings, logarithmic=settings[-1] >= WIDE * settings[0] > 0, ticks=settings)
    size: dict[str, Any] = {"width": WIDTH, "height": max(HEIGHT, names_height(names))}
    page, (corner,), _ = panel_page([""], **size, title=title, line=explained)
    labels = (metric_label, x_label)
    axes = chart_axes(page, corner, **size, upright=upright, across=across, labels=labels, names=names)
    for line in series:
        line.draw(axes)
    return page.figure


def _line(series: Sequence[_Series]) -> str:
    counts = [found.count for line in series for _, found in _estimates(line.test if len(line.test) else line.train)]
    fewest, most = min(counts), max(counts)
    return LINE if most == 1 else SEEDS.format(most if fewest == most else f"{fewest} to {most}")


def _series(points: Sequence[Point]) -> list[_Series]:
    series = []
    for index, name in enumerate(dict.fromkeys(run.series for run in points)):
        own = [run for run in points if run.series == name]
        test, train = _finite((run.x, run.test) for run in own), _finite((run.x, run.train) for run in own)
        if len(test) + len(train):
            series.append(_Series(name, test, train, *look(index)))
    if not series:
        raise ValueError("points: expected at least one with a finite error")
    return series


class _Series(NamedTuple):
    """A line: its points (N, 2), x and error, by x. A baseline has no marker and no training errors."""

    name: str
    test: NDArray[np.float64]
    train: NDArray[np.float64]
    color: str
    marker: str
    dots: Any = BASELINE_LINE
    """Of a baseline."""

    @property
    def label(self) -> LineLabel:
        """Its name with the mean error at the greatest x."""
        last = _estimates(self.test if len(self.test) else self.train)[-1][1].mean
        text = wrapped(f"{self.name} {number(last)}".strip(), width=MOST_NAME, size=SMALL)
        return LineLabel(text, last, self.color)

    def draw(self, axes: Axes) -> None:
        if not self.marker:
            axes.plot(*self.test.T, color=self.color, linestyle=self.dots, linewidth=3, label=self.name)
            return
        splits = (
            ("train", self.train, TRAINING_LINE, 0.7, "white"),
            ("test", self.test, VALIDATION_LINE, 1.0, self.color),
        )
        for split, points, dashes, alpha, face in splits:
            style: dict[str, Any] = {"color": self.color, "markersize": 8, "markerfacecolor": face}
            means = _estimates(points)
            places = ([x for x, _ in means], [found.mean for _, found in means])
            axes.plot(*places, color=self.color, linestyle=dashes, linewidth=2.2 * alpha, alpha=alpha)
            axes.plot(*places, self.marker, label=f"{self.name} {split}".strip(), **style)
        settings = np.unique(self.test[:, 0])
        ends = np.array([[errors.min(), errors.max()] for errors in _by_place(self.test, settings)]).reshape(-1, 2)
        axes.fill_between(settings, *ends.T, color=self.color, alpha=0.2, linewidth=0)


def _finite(pairs: Iterable[tuple[float, float | None]]) -> NDArray[np.float64]:
    """Those with a finite error, (N, 2), by x."""
    kept = sorted((x, error) for x, error in pairs if error is not None and np.isfinite(error))
    return np.array(kept, dtype=np.float64).reshape(-1, 2)


def _estimates(points: NDArray[np.float64]) -> list[tuple[float, Estimate]]:
    """The mean of the runs at each x."""
    places = np.unique(points[:, 0])
    return [(float(x), estimate(errors.tolist())) for x, errors in zip(places, _by_place(points, places), strict=True)]


def _by_place(points: NDArray[np.float64], places: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """The errors of the runs at each x."""
    return [points[points[:, 0] == x, 1] for x in places]
