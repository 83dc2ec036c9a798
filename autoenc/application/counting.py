"""A bar that counts pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from autoenc import progress


@contextmanager
def counting(doing: str, *, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere; call what it gives with how many more are done."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=progress.console,
        refresh_per_second=4,
        transient=True,
        disable=not progress.console.is_terminal,
        expand=True,
    )
    task = bar.add_task(doing, total=total)
    with bar:
        yield lambda count: bar.advance(task, count)
