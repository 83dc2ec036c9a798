"""What each of several runs came to, split by split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from autoenc.pictures.axis_ticks import number, value_axis
from autoenc.pictures.page import GRID, SMALL, Page, line_height, text_width
from autoenc.pictures.panels import SPACE, Corner, panel_page
from autoenc.pictures.row_charts import RowLayout, row_axes, row_layout

WIDTH = 1550
MOST_NAME = 520  # pixels of a run's name, then it is wrapped
NOTHING = "\N{EN DASH}"


class FinalLosses(NamedTuple):
    """A run's numbers."""

    label: str
    values: Mapping[str, float | None]
    """By split: `train`, `validation`, `test`; None where there is none."""


class _Look(NamedTuple):
    split: str
    sign: str
    """The marker as a letter."""
    marker: str
    color: str


LOOKS = (
    _Look("train", "\N{WHITE UP-POINTING TRIANGLE}", "^", "#d55e00"),
    _Look("validation", "\N{WHITE SQUARE}", "s", "#3f90da"),
    _Look("test", "\N{BLACK CIRCLE}", "o", "#12355b"),
)


def final_losses(rows: Sequence[tuple[str, Mapping[str, float | None]]], *, metric_label: str, title: str) -> Figure:
    """A row a run, in the order given: a mark for each split, and the numbers. To be made inside `house_style`.

    Splits that no run has are left out. Errors have a logarithmic axis (see `value_axis`).

    Args:
        rows: of each run a name and its numbers by split, `train`, `validation`, `test`: `FinalLosses`, or the like.
        metric_label: what the numbers are, and their unit.
        title: of the page.

    Raises:
        ValueError: there is no row, or a split of another name.
    """
    runs = [FinalLosses(*row) for row in rows]
    known = [look.split for look in LOOKS]
    wrong = sorted({split for run in runs for split in run.values} - set(known))
    if not runs or wrong:
        expected = f"expected at least one, with numbers of {', '.join(known)}"
        raise ValueError(f"rows: {expected}, not {', '.join(wrong) or 'none'}")
    looks = [look for look in LOOKS if any(_value(run, look) is not None for run in runs)]
    column = max(
        text_width(text, SMALL) for look in LOOKS for text in (f"{look.sign} {look.split}", "1.234e\N{MINUS SIGN}5")
    )
    layout = row_layout(
        [[run.label for run in runs]],
        width=WIDTH,
        most_name=MOST_NAME,
        least_height=line_height(SMALL) + 16,
        columns_width=len(looks) * (column + SPACE),
        label=metric_label,
    )
    head = line_height(SMALL)
    page, (corner,), _ = panel_page([""], width=WIDTH, height=head + layout.height, columns=1, title=title, line="")
    finite = [_value(run, look) for run in runs for look in looks]
    scale = value_axis(np.array([value for value in finite if value is not None], dtype=np.float64), unit=metric_label)
    axes = row_axes(page, layout, panel=0, corner=Corner(corner.left, corner.top + head), scale=scale)
    _draw(axes, runs, looks=looks)
    for index, look in enumerate(looks):
        right = corner.left + WIDTH - (len(looks) - 1 - index) * (column + SPACE)
        _write(page, runs, look=look, layout=layout, right=right, top=corner.top + head)
    return page.figure


def _value(row: FinalLosses, look: _Look) -> float | None:
    """What there is to draw."""
    value = row.values.get(look.split)
    return value if value is not None and np.isfinite(value) else None


def _draw(axes: Axes, rows: Sequence[FinalLosses], *, looks: Sequence[_Look]) -> None:
    axes.hlines(np.arange(len(rows)), *axes.get_xlim(), color=GRID, linewidth=0.8)
    for look in looks:
        values = [np.nan if (value := _value(row, look)) is None else value for row in rows]
        axes.plot(
            values,
            np.arange(len(rows)),
            linestyle="none",
            marker=look.marker,
            markersize=10,
            markeredgewidth=2,
            markerfacecolor=look.color if look.split == "test" else "none",
            color=look.color,
            label=look.split,
            clip_on=False,
        )


def _write(page: Page, rows: Sequence[FinalLosses], *, look: _Look, layout: RowLayout, right: int, top: int) -> None:
    """A column of numbers under the name of their split."""
    page.text(f"{look.sign} {look.split}", x=right, y=top, size=SMALL, horizontal="right", vertical="bottom")
    for index, row in enumerate(rows):
        given, value = row.values.get(look.split), _value(row, look)
        written = NOTHING if given is None else "not finite" if value is None else number(value)
        y = top + layout.middle(index)
        page.text(written, x=right, y=y, size=SMALL, horizontal="right", vertical="center")
