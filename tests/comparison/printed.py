"""What rich would print, as text."""

from __future__ import annotations

import io
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from autoenc.comparison.blocks import Block
from autoenc.comparison.terminal import print_blocks


def printed(table: Table, *, styled: bool = False, whole: bool = True) -> str:
    """A table as text; `styled` with the terminal's escapes."""
    file = io.StringIO()
    Console(file=file, width=400, force_terminal=styled, highlight=False, no_color=False).print(table)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) if whole else file.getvalue()


def blocks_printed(
    blocks: Iterable[Block], *, metric: str = "test.mse", terminal: int | None = None, all_columns: bool = False
) -> str:
    """Blocks as they go to a file, or to a terminal of this width, without its escapes."""
    file = io.StringIO()
    to = Console(
        file=file,
        width=terminal or 80,
        force_terminal=terminal is not None,
        color_system=None,
        highlight=False,
        legacy_windows=False,
    )
    print_blocks(blocks, metric=metric, all_columns=all_columns, to=to)
    return file.getvalue()
