"""Lines and tables on a terminal, as plain text for another program, or as Markdown."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from autoenc.comparison.columns import Column, least_important_first
from autoenc.comparison.formatting import listed_in_words
from autoenc.comparison.keys import without_split
from autoenc.comparison.tables import Line, Table

STYLES = {"plain": "", "heading": "bold", "warning": "yellow", "note": "dim"}
WIDEST_NAME = 40
"""Characters of a run's name in a line of a terminal; the rest goes into the next line."""
WIDEST = 10_000
"""Characters of a line that goes to a file or another program."""
GAP = 2
"""Characters between columns."""
LONGEST_WORD = 13
"""Characters of a heading that are not broken into two lines."""


def print_tables(parts: Iterable[Line | Table], *, metric: str | None, all_columns: bool, to: Console) -> None:
    """Print a comparison; on a terminal with the columns that fit, and a line that names the others.

    The column of the metric is always shown. With `all_columns` all are, in lines as long as they need. The units of
    columns that are left out are too.
    """
    left_out: dict[str, None] = {}
    shown: set[str] = set()
    after_line = True  # there is nothing above the first line
    for part in parts:
        if isinstance(part, Line):
            if part.explains in set(map(without_split, left_out)) - set(map(without_split, shown)):
                continue
            if part.kind == "heading" or not after_line:
                to.print()
            to.print(Text(part.text, style=STYLES[part.kind]), soft_wrap=not to.is_terminal)
        else:
            to.print()
            columns = part
            if to.is_terminal and not all_columns:
                columns = fit(part, metric=metric or "", into=to.width)
                left_out |= {one.key: None for one in part if one not in columns}
            shown |= {one.key for one in columns}
            if to.is_terminal and table_width(columns) <= to.width:
                to.print(as_rich_table(columns, widest_name=WIDEST_NAME))
            else:
                print_whole(as_rich_table(columns), to=to)
        after_line = isinstance(part, Line)
    if left_out:
        keys = listed_in_words(left_out)
        to.print(Text(f"Too narrow for {keys}: a wider terminal or `| less -S` shows them.", style="dim"))


def as_rich_table(columns: Sequence[Column], *, widest_name: int | None = None) -> RichTable:
    """Columns as a table of rich, without markup. Text columns wider than `widest_name` are broken into lines."""
    table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, GAP - 1, 0, 0))
    headings = [heading_lines(one.key) for one in columns]
    deepest = max(len(lines) for lines in headings)
    for one, lines in zip(columns, headings, strict=True):
        folded = widest_name is not None and not one.right
        table.add_column(
            Text("\n".join([*[""] * (deepest - len(lines)), *lines]), justify="right" if one.right else "left"),
            no_wrap=not folded,
            overflow="fold",
            max_width=widest_name if folded else None,
        )
    cells = [[cell.rjust(_width(one)) for cell in _aligned(one)] if one.right else one.cells for one in columns]
    for number, row in enumerate(zip(*cells, strict=True)):
        styles = ("bold" if number in one.best else "" for one in columns)
        table.add_row(*(Text(cell, style=style) for cell, style in zip(row, styles, strict=True)))
    return table


def _aligned(one: Column) -> Sequence[str]:
    """The cells of a column; numbers line up, whatever follows them, such as half of an interval."""
    if not one.right:
        return one.cells
    parts = [cell.partition(" ") for cell in one.cells]
    widest = max((cell_len(space + rest) for _, space, rest in parts), default=0)
    return [number + (space + rest).ljust(widest) for number, space, rest in parts]


def heading_lines(key: str) -> list[str]:
    """A key in lines: `optimizer.` and `learning_rate`. Joined they are what the command line takes."""
    *groups, last = key.split(".")
    cut = last.find("_", len(last) // 2 - 2) + 1
    words = [last[:cut], last[cut:]] if len(last) > LONGEST_WORD and cut > 0 else [last]
    return [*(f"{group}." for group in groups), *words]


def table_width(columns: Sequence[Column]) -> int:
    """The width of a table of these columns on a terminal, in characters."""
    return sum(_width(one) + GAP for one in columns) - GAP


def _width(one: Column) -> int:
    widest = max((cell_len(cell) for cell in _aligned(one)), default=0)
    heading = max(cell_len(line) for line in heading_lines(one.key))
    return max(heading, widest if one.right else min(widest, WIDEST_NAME))


def fit(columns: Sequence[Column], *, metric: str, into: int) -> list[Column]:
    """Leave out the least important columns until the table fits into a width."""
    widths = {one.key: _width(one) + GAP for one in columns}
    taken = table_width(columns)
    left_out: list[str] = []
    for key in least_important_first(columns, metric=metric):
        if taken > into:
            left_out.append(key)
            taken -= widths[key]
    for key in reversed(left_out.copy()):  # leaving out a wide column may have made room for a narrow one
        if taken + widths[key] <= into:
            left_out.remove(key)
            taken += widths[key]
    return [one for one in columns if one.key not in left_out]


def print_whole(table: RichTable, *, to: Console) -> None:
    """Print a table in long lines without cutting numbers: a narrow terminal wraps them, a file keeps them."""
    like = io.TextIOWrapper(io.BytesIO(), encoding=to.encoding)  # without Unicode, rich draws other lines
    wide = Console(file=like, width=WIDEST, force_terminal=to.is_terminal, highlight=False)
    with wide.capture() as captured:
        wide.print(table)
    lines = [line.rstrip() for line in captured.get().splitlines()]
    to.print(Text.from_ansi("\n".join(lines)), soft_wrap=True)


_WORD = re.compile(r"[^\s`|]+|[`|]+")
_LINKED = re.compile(r"www\.|://|@|#\d", re.IGNORECASE)
"""GitHub turns these into links, mentions and references. It does so even with escaped text, but not with code."""
_SPECIAL = re.compile(r"[\\`*|<>~$&@]|\](?=\()|(?<![^\W_])_|_(?![^\W_])")
"""Characters with a meaning in Markdown; of brackets the middle of a link, `_` only at the end of a word."""
_AT_THE_START = re.compile(r"[-+#=\[]|\d+[.)](?!\S)")
"""What starts a list, a heading or the target of a link."""
_NUMBER = re.compile(r"[-+0-9.,e ±()]*")


def as_markdown(parts: Iterable[Line | Table]) -> str:
    """Lines as paragraphs, tables in GitHub's syntax."""
    blocks = []
    for part in parts:
        if isinstance(part, Line):
            text = escape_markdown(part.text)
            blocks.append(f"### {text}" if part.kind == "heading" else text)
        else:
            blocks.append(markdown_table(part))
    return "\n\n".join(blocks) + "\n"


def markdown_table(columns: Sequence[Column]) -> str:
    """A table in which the best value of a column is bold."""
    texts = [[escape_markdown(one.key), "---:" if one.right else "---"] for one in columns]
    for text, one in zip(texts, columns, strict=True):
        for number, cell in enumerate(one.cells):
            shown = cell if one.right and _NUMBER.fullmatch(cell) else escape_markdown(cell)
            text.append(f"**{shown}**" if number in one.best else shown)
    return "\n".join(f"| {' | '.join(row)} |" for row in zip(*texts, strict=True))


def escape_markdown(text: str) -> str:
    """A text that Markdown and HTML show as it is, without links and mentions."""
    hidden = _WORD.sub(lambda found: f"`{found[0]}`" if _LINKED.search(found[0]) else _escape_word(found[0]), text)
    return f"&#{ord(text[0])};{hidden[1:]}" if _AT_THE_START.match(text) else hidden


def _escape_word(word: str) -> str:
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};" if found[0] in "&<>@|" else f"\\{found[0]}", word)
