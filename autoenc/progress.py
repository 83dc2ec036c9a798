"""What a person sees while a run goes on: a live bar on a terminal, one plain line an epoch anywhere else."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, TypeVar, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn, track
from rich.text import Text

log = logging.getLogger(__name__)

REFRESH_SECONDS = 0.25
"""How often the bar is drawn anew at the most: drawing takes the time of several training steps."""


class LastingStream:
    """A stream that costs nobody the work which writes to it: its terminal or its reader may go away, its disk be full.

    What cannot be written is left out; the next is tried again. What cannot be encoded is written as its number.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.lost: OSError | ValueError | None = None
        """Why something is left out, the first time."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or remember why not."""
        try:
            return self._stream.write(text)
        except UnicodeEncodeError as error:
            return self.write(text.encode(error.encoding, errors="backslashreplace").decode(error.encoding))
        except (OSError, ValueError) as error:  # ValueError: it is closed
            self.lost = self.lost or error
            return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write, or remember why not."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Bring what was written to where it goes, or remember why not."""
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:
            self.lost = self.lost or error

    def let_go(self) -> None:
        """Flush. Where something was left out, nothing more is tried, for Python would complain of it as it ends."""
        self.flush()
        if self.lost is not None:
            with contextlib.suppress(OSError, ValueError):  # what is closed, or has no number
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)


class _LastingConsole(Console):
    """Writes to standard output as it is at the time, and never fails because of it."""

    @property
    def file(self) -> IO[str]:
        """Where it writes."""
        return cast("IO[str]", self._lasting)

    @file.setter
    def file(self, new_file: IO[str]) -> None:
        self._file = new_file

    @property
    def _lasting(self) -> LastingStream:
        stream = super().file
        return stream if isinstance(stream, LastingStream) else LastingStream(stream)

    @property
    def lost(self) -> OSError | ValueError | None:
        """Why something that a command printed is left out; None outside of one."""
        return self._lasting.lost

    def insist(self) -> None:
        """For whoever has nothing to do but print: raise what kept it from that, unless its reader has seen enough.

        Raises:
            OSError, ValueError: a full disk, say, or a terminal that is gone.
        """
        self._lasting.flush()
        if self.lost is not None and not isinstance(self.lost, BrokenPipeError):
            raise self.lost


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


def shown_path(path: Path) -> str:
    """A path as a person is shown it: relative to the current folder if it is below."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_absolute() and path.is_relative_to(here) else str(path)


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
