"""Columns as a table of the terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from autoenc.comparison.columns import Column
from autoenc.runs import printable

WIDEST_RUN = 40
"""Characters of a run's name in a line of a terminal; it goes on in the next."""
WIDEST = 10_000
"""Characters of a line that goes to a file or another program."""
BETWEEN = 2
"""Characters between columns."""


def as_table(columns: Sequence[Column], *, title: str = "", widest_run: int | None = None) -> Table:
    """Columns as rich shows them. Nothing of their texts is taken for markup or does anything to a terminal.

    Args:
        columns: equally long.
        title: above the table; nothing where it is empty.
        widest_run: where to break the lines of the columns that are not numbers; None for nowhere.
    """
    table = Table(
        title=Text(printable(title), style="bold", no_wrap=True) if title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        padding=(0, BETWEEN - 1, 0, 0),
    )
    headings = [heading(printable(one.key)) for one in columns]
    deepest = max(len(lines) for lines in headings)
    for one, lines in zip(columns, headings, strict=True):
        text = Text("\n".join([*[""] * (deepest - len(lines)), *lines]))
        folded = widest_run is not None and not one.right
        table.add_column(
            text,
            justify="right" if one.right else "left",
            no_wrap=not folded,
            overflow="fold",
            max_width=widest_run if folded else None,
        )
    for number in range(len(columns[0].cells)):
        cells = [Text(printable(one.cells[number]), style="bold" if number in one.best else "") for one in columns]
        table.add_row(*cells)
    return table


def heading(key: str) -> list[str]:
    """A key in lines: `optimizer.` and `learning_rate`. Joined they are what the command line takes."""
    parts = key.split(".")
    return [*(f"{part}." for part in parts[:-1]), *_broken(parts[-1])]


def _broken(word: str) -> list[str]:
    """A long word in two lines."""
    cut = word.find("_", len(word) // 2 - 2)
    return [word[: cut + 1], word[cut + 1 :]] if len(word) > LONGEST_WORD and cut > 0 else [word]


LONGEST_WORD = 13


def width(columns: Sequence[Column], *, widest_run: int | None = None) -> int:
    """How many characters a table of these columns is wide."""
    return sum(_width(one, widest_run=widest_run) for one in columns) + BETWEEN * (len(columns) - 1)


def _width(one: Column, *, widest_run: int | None) -> int:
    widest = max((cell_len(cell) for cell in one.cells), default=0)
    if widest_run is not None and not one.right:
        widest = min(widest, widest_run)
    return max(widest, *(cell_len(line) for line in heading(printable(one.key))))


def fitting(columns: Sequence[Column], *, into: int, unwanted: Sequence[str]) -> list[Column]:
    """The columns without as many of the unwanted ones, the first of them first, as do not fit into a width."""
    widths: dict[str, int] = {}
    for one in columns:
        widths[one.key] = widths.get(one.key, 0) + _width(one, widest_run=WIDEST_RUN) + BETWEEN
    taken = sum(widths.values()) - BETWEEN
    without: dict[str, None] = {}
    for key in unwanted:
        if taken <= into:
            break
        without[key] = None
        taken -= widths[key]
    for key in reversed(list(without)):  # a wide one went and left room for a narrow one
        if taken + widths[key] <= into:
            del without[key]
            taken += widths[key]
    return [one for one in columns if one.key not in without]


def print_whole(table: Table, *, to: Console) -> None:
    """Print a table with whole numbers in long lines: a narrow terminal breaks them, and a file keeps them."""
    like = io.TextIOWrapper(io.BytesIO(), encoding=to.encoding)  # without Unicode, lines are drawn in other letters
    wide = Console(file=like, width=WIDEST, force_terminal=to.is_terminal, highlight=False)
    with wide.capture() as captured:
        wide.print(table)
    lines = [line.rstrip() for line in captured.get().splitlines()]
    to.print(Text.from_ansi("\n".join(lines)), soft_wrap=True)
