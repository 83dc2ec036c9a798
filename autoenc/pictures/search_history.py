"""The history of a search: the objective by trial, and against each setting that was varied."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from numpy.typing import NDArray

from autoenc.pictures.axis_ticks import ValueAxis, integer_axis, number, setting_axis, value_axis
from autoenc.pictures.charts import LineLabel, chart_axes, draw_ring
from autoenc.pictures.page import FRAME, INK, MARGIN, SMALL, Page, house_style, line_height, wrapped
from autoenc.pictures.panels import GUTTER, SPACE, Corner, panel_page, save_stacked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 1600 - 2 * MARGIN
HEIGHT = 560  # of the history
PANEL_WIDTH, PANEL_HEIGHT = (WIDTH - GUTTER) // 2, 440
MARK = 16  # pixels above the axes, for half a marker at their edge
BESIDE = 140  # pixels of a panel's width for the ticks and the label of the upright axis, about
SPREAD = 0.5  # the share of a choice's width over which its trials are spread
BEST = "#d55e00"
_COLORS = LinearSegmentedColormap.from_list("early to late", ["#a9cbea", "#3f90da", "#12355b"])
_LOST = {"diverged": ("x", INK), "failed": ("+", FRAME)}

LINE = (
    "Each point is a trial, the darker the later. The line is the best so far, the ring the best of all. At the edge "
    "of the worst values: x diverged, + failed."
)
IMPORTANCE = (
    "Importance: the share of the objective's variance that the setting alone explains (functional ANOVA); a rough "
    "guess if there are few trials."
)


class Objective(NamedTuple):
    """What a search improves."""

    label: str
    """With its unit."""
    higher_is_better: bool
    scale: str = "log"
    """Of its axis (see `value_axis`)."""

    def axis(self, tried: Sequence[Tried]) -> ValueAxis:
        """The axis of the trials' values."""
        return value_axis(_values(tried), unit=self.label, scale=self.scale)


class Tried(NamedTuple):
    """A trial that has ended."""

    number: int
    state: Literal["finished", "diverged", "failed"]
    value: float | None
    """The objective, if it finished."""


class Setting(NamedTuple):
    """A setting that was varied."""

    name: str
    values: Sequence[float | str]
    """Of each trial, in order: numbers or choices."""
    logarithmic: bool
    choices: Sequence[str] | None
    """All choices; None for a number."""
    importance: float | None
    """From 0 to 1; None if unknown."""


def draw_search(
    tried: Sequence[Tried], settings: Sequence[Setting], objective: Objective, *, title: str, path: Path
) -> None:
    """Write both charts under one another as one picture. At least one trial has finished.

    Raises:
        OSError: the picture cannot be written; an older one stays as it was.
    """
    with house_style():
        charts = [search_history(tried, objective), search_settings(tried, settings, objective)]
    save_stacked(charts, path, title=title)


def search_history(tried: Sequence[Tried], objective: Objective) -> Figure:
    """The objective by trial, with the best so far; call it inside `house_style`."""
    best = (np.fmax if objective.higher_is_better else np.fmin).accumulate(_values(tried))  # NaN until one has finished
    page, (corner,), _ = panel_page([""], width=WIDTH, height=HEIGHT, line=LINE)
    axes = chart_axes(
        page,
        Corner(corner.left, corner.top + MARK),
        width=WIDTH,
        height=HEIGHT - MARK,
        upright=objective.axis(tried),
        across=integer_axis(tried[0].number, tried[-1].number),
        labels=(objective.label, "trial"),
        names=[LineLabel(f"best {number(best[-1])}", float(best[-1]), BEST)],
    )
    numbers = [float(trial.number) for trial in tried]
    axes.step(numbers, best, where="post", color=BEST, linewidth=2.2, label="best so far", zorder=2)
    _draw_trials(axes, numbers, tried, higher_is_better=objective.higher_is_better)
    return page.figure


def search_settings(tried: Sequence[Tried], settings: Sequence[Setting], objective: Objective) -> Figure:
    """The objective against each setting; call it inside `house_style`."""
    lines = max((len(name.splitlines()) for setting in settings for name in _choice_names(setting)), default=1)
    page, corners, _ = panel_page(
        [_heading(setting) for setting in settings],
        width=PANEL_WIDTH,
        height=PANEL_HEIGHT + (lines - 1) * line_height(SMALL),
        columns=2,
        line=IMPORTANCE if any(setting.importance is not None for setting in settings) else "",
    )
    for index, (setting, corner) in enumerate(zip(settings, corners, strict=True)):
        _draw_setting(page, setting, tried, objective, corner=corner, label="" if index % 2 else objective.label)
    return page.figure


def _draw_setting(
    page: Page, setting: Setting, tried: Sequence[Tried], objective: Objective, *, corner: Corner, label: str
) -> None:
    across = _places(setting)
    axis = setting_axis(across, logarithmic=setting.logarithmic, ticks=None if setting.choices is None else ())
    axes = chart_axes(
        page,
        Corner(corner.left, corner.top + MARK),
        width=PANEL_WIDTH,
        height=PANEL_HEIGHT - MARK,
        upright=replace(objective.axis(tried), note=""),  # the history above has the note
        across=replace(axis, note=""),
        labels=(label, axis.note),  # the heading names the setting
    )
    if setting.choices is not None:
        axes.set_xlim(-0.5, len(setting.choices) - 0.5)
        axes.set_xticks(range(len(setting.choices)), _choice_names(setting))
    _draw_trials(axes, across, tried, higher_is_better=objective.higher_is_better)


def _heading(setting: Setting) -> str:
    return setting.name if setting.importance is None else f"{setting.name}\nimportance {setting.importance:.0%}"


def _choice_names(setting: Setting) -> list[str]:
    if setting.choices is None:
        return []
    width = max(24, (PANEL_WIDTH - BESIDE) / len(setting.choices) - SPACE)
    return [wrapped(choice, width=width, size=SMALL) for choice in setting.choices]


def _values(tried: Sequence[Tried]) -> NDArray[np.float64]:
    return np.array([trial.value for trial in tried], dtype=np.float64)


def _draw_trials(axes: Axes, across: Sequence[float], tried: Sequence[Tried], *, higher_is_better: bool) -> None:
    values = _values(tried)
    style: dict[str, Any] = {"s": 70, "edgecolors": "white", "linewidths": 0.8, "zorder": 3, "label": "finished"}
    axes.scatter(across, values, c=np.linspace(0, 1, len(tried)), cmap=_COLORS, **style)
    best = int(np.nanargmax(values) if higher_is_better else np.nanargmin(values))
    draw_ring(axes, across[best], values[best], color=BEST, label="best")
    worst = axes.get_ylim()[0 if higher_is_better else 1]
    for state, (marker, color) in _LOST.items():
        places = [place for place, trial in zip(across, tried, strict=True) if trial.state == state]
        style = {"color": color, "markersize": 10, "markeredgewidth": 2, "clip_on": False, "zorder": 4, "label": state}
        axes.plot(places, [worst] * len(places), marker, **style)


def _places(setting: Setting) -> list[float]:
    """The trials' places: their number, or around their choice, so that they do not hide one another."""
    if setting.choices is None:
        return [float(value) for value in setting.values]
    golden = (math.sqrt(5) - 1) / 2  # its multiples spread evenly, however many there are
    order = [str(choice) for choice in setting.choices]
    places = [order.index(str(value)) for value in setting.values]
    return [place + ((index * golden) % 1 - 0.5) * SPREAD for index, place in enumerate(places)]
