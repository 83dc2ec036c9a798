"""Progress bars for downloading and reading datasets: on a terminal, and nothing elsewhere."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


def progress_bars(*, of_bytes: bool = False) -> Progress:
    """Bars for tasks that count files, or bytes."""
    console = Console(stderr=True)
    description, bar, *_ = Progress.get_default_columns()
    counts = (DownloadColumn(), TransferSpeedColumn()) if of_bytes else (MofNCompleteColumn(),)
    columns = (description, bar, *counts, TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
