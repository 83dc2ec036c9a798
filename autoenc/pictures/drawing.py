"""The loop that draws pictures, in several processes: matplotlib uses one core.

A command that draws after a training starts the first of these processes at once, with `start_early`: matplotlib is
then imported while the command itself imports torch.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

from autoenc.pictures import PICTURES
from autoenc.progress import steps

Drawing = Callable[[], Path]
"""Draws a picture and returns its path. It may use numpy and matplotlib, but not torch, whose threads a forked process
lacks. After `start_early`, it is pickled."""

Bar = Callable[[Sequence[str]], Iterable[str]]
"""Yields each name, and reports that its picture is being drawn."""

MODULES = (
    *("autoenc.pictures.artists", "autoenc.pictures.loss_curves"),
    *("matplotlib.backends.backend_agg", "matplotlib.figure", "matplotlib.patheffects", "matplotlib.style.core"),
    *("numpy.random", "PIL.BmpImagePlugin", "PIL.GifImagePlugin", "PIL.JpegImagePlugin", "PIL.PpmImagePlugin"),
)
"""Modules that a process imports to draw. Pillow's plugins are those that it imports before it writes any file."""

MOST_PROCESSES = 4
"""More would wait for the slowest picture."""
LONGEST_WAIT = 60
"""Seconds after which a process that was started early ends: after a long training, it would save little time."""


class _Early(NamedTuple):
    process: subprocess.Popen[bytes]
    connection: Connection


_started: list[_Early] = []
"""Kept until this process ends. Python would warn if they were deleted while they run."""


def start_early() -> None:
    """On Linux, start a process that imports matplotlib now, and in which `draw_all` draws if it is called in time."""
    if sys.platform != "linux":
        return
    ours, theirs = multiprocessing.Pipe()
    program = f"from {__name__} import serve; serve({theirs.fileno()}, longest_wait={LONGEST_WAIT})"
    with theirs, contextlib.suppress(OSError):  # without this process, `draw_all` draws in its own
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-P", "-c", program],  # -P: nothing is imported from the folder where the command runs
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # what goes wrong there is done again here
            pass_fds=[theirs.fileno()],
        )
        _started.append(_Early(process, ours))


def draw_all(drawings: Mapping[str, Drawing], *, processes: int) -> list[Path]:
    """Draw pictures by name, on Linux with at most so many processes, and return their paths.

    An error of a picture is raised here.
    """
    for _, connection in _started:
        if not connection.closed and (paths := _drawn_by(connection, drawings, processes=processes)) is not None:
            return paths
    return _draw(drawings, processes=processes, bar=_progress_bar)


def _progress_bar(names: Sequence[str]) -> Iterator[str]:
    return steps(names, name="Drawing pictures", item_name=str)


def _drawn_by(connection: Connection, drawings: Mapping[str, Drawing], *, processes: int) -> list[Path] | None:
    """The paths of the pictures that the process at the other end has drawn; None if it has ended before."""
    with connection, contextlib.suppress(EOFError, ConnectionError):
        connection.send((dict(drawings), processes))
        for _ in _progress_bar(list(drawings)):
            connection.recv()
        return connection.recv()  # type: ignore[no-any-return]
    return None


def serve(descriptor: int, *, longest_wait: float) -> None:
    """Draw what the process at the other end asks for, once. After an error, end: the other one draws again."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to both processes; the other one decides
    for name in (*MODULES, *(f"{__package__}.{name}" for name in PICTURES)):
        importlib.import_module(name)
    gc.freeze()
    with Connection(descriptor) as connection, contextlib.suppress(Exception):
        if not connection.poll(longest_wait):
            return
        drawings, processes = connection.recv()

        def bar(names: Sequence[str]) -> Iterator[str]:
            for name in names:
                yield name
                connection.send(None)

        connection.send(_draw(drawings, processes=processes, bar=bar))


def _draw(drawings: Mapping[str, Drawing], *, processes: int, bar: Bar) -> list[Path]:
    """Draw pictures in this process and in others that are forked from it.

    Each process takes the next picture until none is left. Those that a helper took and did not finish are drawn in
    this process, which raises their errors.
    """
    waiting, waiting_end = os.pipe()
    finished, finished_end = os.pipe()
    os.write(waiting_end, bytes(range(len(drawings))))  # each byte is the number of a picture
    os.close(waiting_end)
    names, paths = list(drawings), dict[str, Path]()
    try:
        arguments = (list(drawings.values()), waiting, finished, finished_end)
        helpers = _helpers(arguments, processes=min(processes, MOST_PROCESSES, len(drawings)))
    finally:
        os.close(finished_end)
    try:
        taken = _taken(waiting)
        mine = next(taken, None)
        for number, name in enumerate(bar(names)):
            if number == mine:
                paths[name] = drawings[name]()
                mine = next(taken, None)
    finally:
        list(_taken(waiting))  # after an error, nothing more is to be drawn
        with os.fdopen(finished, "rb") as lines:
            told = [line.split(b" ", 1) for line in lines.read().split(b"\0")[:-1]]
        for helper in helpers:
            helper.join()
        os.close(waiting)
    paths |= {names[int(number)]: Path(os.fsdecode(path)) for number, path in told}
    return [paths[name] if name in paths else drawings[name]() for name in names]


def _helpers(arguments: tuple[list[Drawing], int, int, int], *, processes: int) -> list[BaseProcess]:
    # Elsewhere, forking is unsafe or impossible. Python refuses it in a daemon, such as a process of a pool.
    if sys.platform != "linux" or multiprocessing.current_process().daemon:
        return []
    context = multiprocessing.get_context("fork")
    helpers: list[BaseProcess] = []
    with warnings.catch_warnings(), contextlib.suppress(OSError):  # if there are too many processes, fewer draw
        # Python 3.12 and later warn of locks that threads hold. As in torch's data loader, they are not used.
        warnings.filterwarnings("ignore", message=".*multi-threaded", category=DeprecationWarning)
        for _ in range(processes - 1):
            helper = context.Process(target=_help, args=arguments, daemon=True)
            helper.start()
            helpers.append(helper)
    return helpers


def _help(drawings: list[Drawing], waiting: int, finished: int, finished_end: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to both processes; the other one decides
    os.close(finished)  # so that writing fails, and this process ends, if the other one was killed
    with contextlib.suppress(Exception):  # the other process draws the picture again
        for number in _taken(waiting):
            path = drawings[number]()
            os.write(finished_end, b"%d %s\0" % (number, os.fsencode(path)))


def _taken(waiting: int) -> Iterator[int]:
    """The numbers of pictures that no process has taken, each of them taken by this one."""
    while number := os.read(waiting, 1):
        yield number[0]
