"""What a person sees while a run goes on: a live bar on a terminal, one plain line an epoch anywhere else."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn, track
from rich.text import Text

log = logging.getLogger(__name__)

REFRESH_SECONDS = 0.25
"""How often the bar is drawn anew at the most: drawing takes the time of several training steps."""


class _LastingConsole(Console):
    """A console whose reader may go away (`| head`) without taking the training with it."""

    def on_broken_pipe(self) -> None:
        """Say nothing more; rich's own way is to exit."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


console = _LastingConsole(highlight=False)
"""The terminal. Everything is written through it, so that lines appear above a live bar and not inside it."""


class TerminalHandler(logging.Handler):
    """Log records on the terminal, as bare messages. A live bar replaces the lines of the epochs."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        if record.name == log.name and console.is_terminal:
            return
        style = "bold red" if record.levelno >= logging.ERROR else "yellow" if record.levelno >= logging.WARNING else ""
        console.print(Text(self.format(record), style=style), soft_wrap=True)


T = TypeVar("T")


def steps(items: Sequence[T], *, name: str) -> Iterator[T]:
    """The items, with a bar on a terminal that says how many are done."""
    yield from track(items, description=name, console=console, transient=True, disable=not console.is_terminal)


class TrainingProgress:
    """The progress of one training, from the first step of a process to its last."""

    def __init__(self, *, epochs: int, steps_per_epoch: int, steps_done: int) -> None:
        self._epochs = epochs
        self._steps_per_epoch = steps_per_epoch
        self._steps = steps_done
        self._images = 0
        self._started = self._drawn = time.perf_counter()
        self._losses = ""
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[losses]}{task.fields[speed]}"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            auto_refresh=False,  # a refreshing thread would take turns with the training
            transient=True,
            disable=not console.is_terminal,
            expand=True,
        )
        self._task = self._bar.add_task(
            "",
            total=epochs * steps_per_epoch,
            completed=steps_done,
            epoch=f"{steps_done // steps_per_epoch + 1}/{epochs}",
            losses="",
            speed="",
        )

    def __enter__(self) -> Self:
        self._bar.start()
        self._draw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def advance(self, images: int) -> None:
        """A step with so many images has been asked of the device."""
        self._steps += 1
        self._images += images
        now = time.perf_counter()
        if now - self._drawn >= REFRESH_SECONDS:
            self._drawn = now
            self._draw()

    def finish_epoch(self, row: Mapping[str, Any]) -> None:
        """An epoch is done, and these are its metrics."""
        names = {"train/loss": "train", "validation/loss": "validation"}
        found = {label: row[name] for name, label in names.items() if row.get(name) is not None}
        self._losses = "  ".join(f"{label} {value:.5g}" for label, value in found.items()) + "  "
        log.info(
            "epoch %d/%d  %s%.0f images/s  %.2f s",
            row["epoch"],
            self._epochs,
            self._losses,
            row["images_per_second"],
            row["seconds"],
        )
        self._draw()

    def _draw(self) -> None:
        if self._bar.disable:
            return
        epoch = min(self._steps // self._steps_per_epoch + 1, self._epochs)
        speed = self._images / max(time.perf_counter() - self._started, 1e-9)
        self._bar.update(
            self._task,
            completed=self._steps,
            epoch=f"{epoch}/{self._epochs}",
            losses=self._losses,
            speed=f"{speed:,.0f} images/s ",
            refresh=True,
        )
