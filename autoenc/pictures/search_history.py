"""How a search went: the objective by trial, and against each setting that was varied."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from autoenc.pictures.axis_ticks import ValueAxis, integer_ticks, number, value_axis
from autoenc.pictures.chart_axes import ChartBox, chart_axes
from autoenc.pictures.line_labels import LEADER, LineLabel, label_lines
from autoenc.pictures.page import FRAME, INK, MARGIN, SMALL, house_style, line_height, pieces, text_width, wrapped
from autoenc.pictures.panels import GUTTER, SPACE, Corner, panel_page
from autoenc.pictures.stacked import save_stacked

WIDTH = 1600 - 2 * MARGIN
HEIGHT = 560  # of the history
PANEL_HEIGHT = 440
COLUMNS = 3
MARK = 16  # pixels above the axes, for half a mark at their edge
PADDING = 0.06  # of a horizontal axis, at both ends
BESIDE = 140  # pixels of a panel's width for the numbers and the label beside the axes, about
SPREAD = 0.5  # of the room of a choice, over which its trials are spread
BEST = "#d55e00"
_COLORS = LinearSegmentedColormap.from_list("early to late", ["#a9cbea", "#3f90da", "#12355b"])
_LOST = {"diverged": "x", "failed": "+"}

LINE = (
    "Each point is a trial, the darker the later. The line is the best so far, the ring the best of all. At the edge "
    "of the worst values: x diverged, + failed."
)
IMPORTANCE = (
    "Importance: the share of the objective's spread that the setting by itself accounts for (functional ANOVA); of "
    "few trials a rough guess."
)


class Tried(NamedTuple):
    """A trial that has ended."""

    number: int
    state: Literal["finished", "diverged", "failed"]
    value: float | None
    """The objective of one that finished."""


class Setting(NamedTuple):
    """Something that was varied."""

    name: str
    values: Sequence[float | str]
    """Of each trial, in their order: numbers, or choices."""
    logarithmic: bool
    choices: Sequence[str] | None
    """All that there were; None of a number."""
    importance: float | None
    """From 0 to 1; None where it is not known."""


def draw_search(
    tried: Sequence[Tried],
    settings: Sequence[Setting],
    *,
    metric_label: str,
    higher_is_better: bool,
    title: str,
    path: Path,
) -> None:
    """Write both charts under one another, whole or not at all.

    Raises:
        ValueError: no trial has finished.
        OSError: the picture cannot be written.
    """
    with house_style():
        history = search_history(tried, metric_label=metric_label, higher_is_better=higher_is_better)
        panels = search_settings(tried, settings, metric_label=metric_label, higher_is_better=higher_is_better)
    save_stacked([history, panels], path, title=title)


def search_history(tried: Sequence[Tried], *, metric_label: str, higher_is_better: bool) -> Figure:
    """The objective by trial, with the best so far; to be made inside `house_style`.

    Raises:
        ValueError: no trial has finished.
    """
    values = _values(tried)
    best = _best_so_far(values, higher_is_better=higher_is_better)
    scale = value_axis(values[np.isfinite(values)], unit=metric_label)
    label = LineLabel(f"best {number(best[-1])}", float(best[-1]), BEST)
    page, (corner,), _ = panel_page([""], width=WIDTH, height=HEIGHT, columns=1, title="", line=LINE)
    box = ChartBox(_below_marks(corner), WIDTH, HEIGHT - MARK, LEADER + text_width(label.text, SMALL))
    axes = chart_axes(page, box, scale=scale, label=metric_label, across="trial")
    numbers = np.array([trial.number for trial in tried], dtype=np.float64)
    padding = 0.02 * (numbers[-1] - numbers[0]) or 0.5
    axes.set_xlim(numbers[0] - padding, numbers[-1] + padding)
    ticks = integer_ticks(int(numbers[0]), int(numbers[-1]))
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.step(numbers, best, where="post", color=BEST, linewidth=2.2, label="best so far", zorder=2)
    _draw_trials(axes, numbers, tried, scale=scale, higher_is_better=higher_is_better)
    label_lines(axes, [label], scale=scale)
    return page.figure


def search_settings(
    tried: Sequence[Tried], settings: Sequence[Setting], *, metric_label: str, higher_is_better: bool
) -> Figure:
    """The objective against each setting; to be made inside `house_style`.

    Raises:
        ValueError: no trial has finished.
    """
    values = _values(tried)
    scale = replace(
        value_axis(values[np.isfinite(values)], unit=metric_label), note=""
    )  # the history, above, says it once
    width, columns = _columns(settings)
    line = IMPORTANCE if any(setting.importance is not None for setting in settings) else ""
    names = [_choice_names(setting, width=width) for setting in settings]
    lines = max((len(name.splitlines()) for labels in names for name in labels), default=1)
    height = PANEL_HEIGHT + (lines - 1) * line_height(SMALL)
    headings = [_heading(setting) for setting in settings]
    page, corners, _ = panel_page(headings, width=width, height=height, columns=columns, title="", line=line)
    for index, (setting, corner) in enumerate(zip(settings, corners, strict=True)):
        box = ChartBox(_below_marks(corner), width, PANEL_HEIGHT - MARK, 0)
        axes = chart_axes(page, box, scale=scale, label="" if index % columns else metric_label, across="")
        if setting.choices is None:
            across = np.array(setting.values, dtype=np.float64)
            _set_numbers(axes, across, setting=setting)
        else:
            across = _places(setting)
            axes.set_xlim(-0.5, len(setting.choices) - 0.5)
            axes.set_xticks(range(len(setting.choices)), names[index])
        _draw_trials(axes, across, tried, scale=scale, higher_is_better=higher_is_better)
    return page.figure


def _below_marks(corner: Corner) -> Corner:
    return Corner(corner.left, corner.top + MARK)


class _Columns(NamedTuple):
    width: int
    """Of a panel."""
    number: int


def _columns(settings: Sequence[Setting]) -> _Columns:
    """As many panels beside one another as leave the names of choices their room, but for their wrapping."""
    most = min(COLUMNS, max(2, len(settings)))
    found = [_Columns((WIDTH - (count - 1) * GUTTER) // count, count) for count in range(most, 1, -1)]
    return next((columns for columns in found if all(_fits(setting, columns.width) for setting in settings)), found[-1])


def _fits(setting: Setting, width: int) -> bool:
    parts = [part.strip() for choice in setting.choices or [] for part in pieces(choice)]
    return max((text_width(part, SMALL) for part in parts), default=0) <= _room(setting, width=width)


def _room(setting: Setting, *, width: int) -> float:
    """Pixels that a choice's name may be wide."""
    return (width - BESIDE) / len(setting.choices or "1") - SPACE


def _values(tried: Sequence[Tried]) -> NDArray[np.float64]:
    """The objectives, (T,), NaN where there is none."""
    found = np.array([np.nan if trial.value is None else trial.value for trial in tried], dtype=np.float64)
    if not np.isfinite(found).any():
        raise ValueError("tried: expected at least one trial that has finished")
    return found


def _best_so_far(values: NDArray[np.float64], *, higher_is_better: bool) -> NDArray[np.float64]:
    """(T,): NaN until the first that finished."""
    return (np.fmax if higher_is_better else np.fmin).accumulate(values)


def _draw_trials(
    axes: Axes, across: NDArray[np.float64], tried: Sequence[Tried], *, scale: ValueAxis, higher_is_better: bool
) -> None:
    values = _values(tried)
    order = np.linspace(0, 1, len(tried))
    done = np.isfinite(values)
    axes.scatter(
        across[done], values[done], c=_COLORS(order[done]), s=70, edgecolors="white", linewidths=0.8, zorder=3
    ).set_label("finished")
    best = int(np.nanargmax(values) if higher_is_better else np.nanargmin(values))
    axes.plot(
        across[best],
        values[best],
        "o",
        markersize=15,
        markerfacecolor="none",
        markeredgecolor=BEST,
        markeredgewidth=2.2,
    )
    worst = scale.low if higher_is_better else scale.high
    for state, marker in _LOST.items():
        places = [place for place, trial in zip(across, tried, strict=True) if trial.state == state]
        if places:
            axes.plot(
                places,
                np.full(len(places), worst),
                marker,
                color=INK if state == "diverged" else FRAME,
                markersize=10,
                markeredgewidth=2,
                clip_on=False,
                label=state,
                zorder=4,
            )


def _heading(setting: Setting) -> str:
    return setting.name if setting.importance is None else f"{setting.name}\nimportance {setting.importance:.0%}"


def _set_numbers(axes: Axes, across: NDArray[np.float64], *, setting: Setting) -> None:
    low, high = float(across.min()), float(across.max())
    ends = np.log([low, high]) if setting.logarithmic else np.array([low, high])
    padding = PADDING * float(ends[1] - ends[0]) or 0.5
    limits = np.array([ends[0] - padding, ends[1] + padding])
    axes.set_xscale("log" if setting.logarithmic else "linear")
    axes.set_xlim(*(np.exp(limits) if setting.logarithmic else limits))
    whole = bool((across == np.round(across)).all())
    if setting.logarithmic:
        wanted = value_axis(np.array([low, high]), unit="a setting").ticks
    else:
        wanted = list(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10], integer=whole).tick_values(low, high))
    _set_ticks(axes, [tick for tick in wanted if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]])


def _set_ticks(axes: Axes, wanted: Sequence[float]) -> None:
    """Those that there is room to name."""
    left = axes.get_window_extent().x0
    ticks: list[float] = []
    free = -math.inf
    for tick in wanted:
        center = axes.transData.transform((tick, axes.get_ylim()[0]))[0] - left
        half = text_width(_written(tick), SMALL) / 2
        if center - half >= free:
            ticks.append(tick)
            free = center + half + SPACE
    axes.set_xticks(ticks, [_written(tick) for tick in ticks])
    axes.set_xticks([], [], minor=True)


def _written(tick: float) -> str:
    return f"{tick:.6g}".replace("e-0", "e-").replace("e+0", "e").replace("-", "\N{MINUS SIGN}")


def _places(setting: Setting) -> NDArray[np.float64]:
    """Where the trials stand, (T,): around their choice, so that they do not hide one another."""
    assert setting.choices is not None
    golden = (math.sqrt(5) - 1) / 2  # multiples of it spread evenly, however many there are
    offsets = [((index * golden) % 1 - 0.5) * SPREAD for index in range(len(setting.values))]
    order = [str(choice) for choice in setting.choices]
    return np.array([order.index(str(value)) + offset for value, offset in zip(setting.values, offsets, strict=True)])


def _choice_names(setting: Setting, *, width: int) -> list[str]:
    """As they stand under the axis, each no wider than its room."""
    if setting.choices is None:
        return []
    room = max(_room(setting, width=width), text_width("00", SMALL))
    return [wrapped(choice, width=room, size=SMALL) for choice in setting.choices]
