"""Bars that move while one waits for a dataset."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


def download_bars() -> Progress:
    """For tasks that count bytes."""
    return _bars(DownloadColumn(), TransferSpeedColumn())


def counting_bars() -> Progress:
    """For tasks that count things."""
    return _bars(MofNCompleteColumn())


def _bars(*columns: ProgressColumn) -> Progress:
    """Bars on a terminal; elsewhere nothing, as the log has its line."""
    console = Console(stderr=True)
    description = TextColumn("{task.description}")
    return Progress(
        description,
        BarColumn(),
        *columns,
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
