"""What a terminal or a file would show, as text."""

from __future__ import annotations

import io
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from autoenc.comparison.columns import Column
from autoenc.comparison.rendering import print_tables
from autoenc.comparison.tables import Line


def printed(table: Table, *, styled: bool = False, width: int = 400) -> str:
    """A table as text, if `styled` with colours."""
    file = io.StringIO()
    Console(file=file, width=width, force_terminal=styled, highlight=False, no_color=False).print(table)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def tables_printed(
    parts: Iterable[Line | list[Column]],
    *,
    metric: str = "test.mse",
    terminal: int | None = None,
    all_columns: bool = False,
) -> str:
    """Lines and tables in a file, or on a terminal of this width without colours."""
    file = io.StringIO()
    to = Console(
        file=file,
        width=terminal or 80,
        force_terminal=terminal is not None,
        color_system=None,
        highlight=False,
        legacy_windows=False,
    )
    print_tables(parts, metric=metric, all_columns=all_columns, to=to)
    return file.getvalue()
