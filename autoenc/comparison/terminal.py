"""A comparison on the terminal, or as plain text for another program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from autoenc.comparison.blocks import Block, Grid
from autoenc.comparison.columns import Column, least_wanted_first
from autoenc.comparison.table import WIDEST_RUN, as_table, fitting, print_whole, width
from autoenc.runs import printable

STYLES = {"plain": "", "heading": "bold", "warning": "yellow", "note": "dim"}


def print_blocks(blocks: Iterable[Block], *, metric: str | None, all_columns: bool, to: Console) -> None:
    """Print them. A terminal gets the columns that fit, and a line that names the others.

    Args:
        blocks: the comparison's.
        metric: whose column is always shown.
        all_columns: whether the columns were asked for: then all are shown, in lines as long as they need.
        to: where.
    """
    left_out: dict[str, None] = {}
    after_words = True  # nothing stands above the first line
    for block in blocks:
        if isinstance(block, Grid):
            to.print()
            columns = block.columns
            if to.is_terminal and not all_columns:
                columns = _fitting(columns, metric=metric, width=to.width)
                shown = {one.key for one in columns}
                left_out |= {one.key: None for one in block.columns if one.key not in shown}
            _print_grid(columns, to=to)
        else:
            if block.kind == "heading" or not after_words:
                to.print()
            to.print(Text(printable(block.text), style=STYLES[block.kind]), soft_wrap=not to.is_terminal)
        after_words = not isinstance(block, Grid)
    if left_out:
        keys = ", ".join(printable(key) for key in left_out)
        to.print(Text(f"Too narrow for {keys}: a wider terminal, `| less -S` or --columns shows them.", style="dim"))


def _fitting(columns: Sequence[Column], *, metric: str | None, width: int) -> list[Column]:
    names = columns[0].cells if columns[0].key == "run" else [""] * len(columns[0].cells)
    return fitting(columns, into=width, unwanted=least_wanted_first(columns, metric=metric or "", names=names))


def _print_grid(columns: Sequence[Column], *, to: Console) -> None:
    if to.is_terminal and width(columns, widest_run=WIDEST_RUN) <= to.width:
        to.print(as_table(columns, widest_run=WIDEST_RUN))
    else:
        print_whole(as_table(columns), to=to)
