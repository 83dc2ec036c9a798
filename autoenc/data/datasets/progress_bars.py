"""Progress bars for downloading and reading datasets: on a terminal, and nothing elsewhere."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


def byte_bars() -> Progress:
    """Bars for tasks that count bytes."""
    return _bars(DownloadColumn(), TransferSpeedColumn())


def file_bars() -> Progress:
    """Bars for tasks that count files."""
    return _bars(MofNCompleteColumn())


def _bars(*columns: ProgressColumn) -> Progress:
    console = Console(stderr=True)
    description, bar, *_ = Progress.get_default_columns()
    columns = (description, bar, *columns, TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
