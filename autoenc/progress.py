"""The terminal: a live bar while a run trains, or one plain line an epoch in a pipe or file."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

log = logging.getLogger(__name__)

REFRESH_SECONDS = 0.25
"""The shortest time between two drawings of the bar: each takes as long as several training steps."""

T = TypeVar("T")


class LastingStream:
    """A stream whose write errors never interrupt the caller: a terminal may be closed, a disk full.

    Text that cannot be written is lost; the next text is tried again. Letters that cannot be encoded are escaped.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.lost: OSError | ValueError | None = None
        """The first error."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or remember the error."""
        try:
            return self._stream.write(text)
        except UnicodeEncodeError as error:
            return self.write(text.encode(error.encoding, errors="backslashreplace").decode(error.encoding))
        except (OSError, ValueError) as error:  # ValueError: it is closed
            self.lost = self.lost or error
            return len(text)

    def flush(self) -> None:
        """Flush, or remember the error."""
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:
            self.lost = self.lost or error

    def finish(self) -> None:
        """Flush. After an error, send the rest to the null device, so that Python does not complain at its end."""
        self.flush()
        if self.lost is not None:
            with contextlib.suppress(OSError, ValueError):  # it is closed, or has no file number
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, self._stream.fileno())
                os.close(null)


console = Console(highlight=False, force_jupyter=False)
"""The terminal. All output goes through it, so that lines appear above a live bar and not inside it. In a notebook it
prints plain text: rich would make every line an output of its own."""


def lost_output() -> OSError | ValueError | None:
    """Why some of a command's output is missing; None if nothing is, or outside of `exit_code`."""
    console.file.flush()
    return console.file.lost if isinstance(console.file, LastingStream) else None


def insist_on_output() -> None:
    """Raise the OSError or ValueError that lost output, such as a full disk; a reader may close the pipe."""
    error = lost_output()
    if error is not None and not isinstance(error, BrokenPipeError):
        raise error


def log_to_terminal() -> None:
    """Show what happens, without the news of libraries; a run's own logging is in conf/hydra/job_logging."""
    logging.basicConfig(level=logging.INFO, handlers=[TerminalHandler()], format="%(message)s")
    for library in ("matplotlib", "fontTools", "onnx_ir", "onnxscript"):  # fontTools reports each glyph of a PDF
        logging.getLogger(library).setLevel(logging.WARNING)


class TerminalHandler(logging.Handler):
    """Shows log records as bare messages. A live bar replaces the lines of the epochs."""

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record."""
        if record.name == log.name and console.is_terminal:
            return
        style = "bold red" if record.levelno >= logging.ERROR else "yellow" if record.levelno >= logging.WARNING else ""
        console.print(Text(self.format(record), style=style), soft_wrap=True)


def shown_path(path: Path) -> str:
    """A path for a message: relative to the current folder if it is inside."""
    return str(path.relative_to(Path.cwd())) if Path.cwd() in path.parents else str(path)


def data_bars(*, of_bytes: bool = False) -> Progress:
    """Bars for tasks that count files or bytes of a dataset: on a terminal, and nothing elsewhere."""
    console = Console(stderr=True)
    description, bar, *_ = Progress.get_default_columns()
    counts = (DownloadColumn(), TransferSpeedColumn()) if of_bytes else (MofNCompleteColumn(),)
    columns = (description, bar, *counts, TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)


def steps(items: Sequence[T], *, name: str, item_name: Callable[[T], str] | None = None) -> Iterator[T]:
    """The items, with a bar on a terminal that counts them, and names the one that is worked on."""
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=len(items))
        for item in items:
            if item_name is not None:
                bar.update(task, description=f"{name}: {item_name(item)}", refresh=True)
            yield item
            bar.advance(task)


class TrainingProgress:
    """The progress of a training, from the first step of a process to its last."""

    def __init__(self, *, epochs: int, steps_per_epoch: int, steps_done: int) -> None:
        self._epochs, self._steps_per_epoch = epochs, steps_per_epoch
        self._steps, self._images = steps_done, 0
        self._started = self._drawn = time.perf_counter()
        self._losses = ""
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[losses]}{task.fields[speed]}"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            auto_refresh=False,  # a thread that refreshes would slow the training
            transient=True,
            disable=not console.is_terminal,
            expand=True,
        )
        total = epochs * steps_per_epoch
        self._task = self._bar.add_task("", total=total, completed=steps_done, epoch="", losses="", speed="")

    def __enter__(self) -> Self:
        self._draw()
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self, images: int) -> None:
        """Count a step with this many images."""
        self._steps += 1
        self._images += images
        now = time.perf_counter()
        if now - self._drawn >= REFRESH_SECONDS:
            self._drawn = now
            self._draw()

    def finish_epoch(self, row: Mapping[str, Any]) -> None:
        """Show and log the metrics of an epoch, a row of `metrics.jsonl`."""
        names = {"train/loss": "train", "validation/loss": "validation"}
        found = {label: row[name] for name, label in names.items() if row.get(name) is not None}
        self._losses = "  ".join(f"{label} {value:.5g}" for label, value in found.items()) + "  "
        rest = (row["images_per_second"], row["seconds"])
        log.info("epoch %d/%d  %s%.0f images/s  %.2f s", row["epoch"], self._epochs, self._losses, *rest)
        self._draw()

    def _draw(self) -> None:
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
