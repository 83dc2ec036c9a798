"""The loop that draws pictures, in several processes: matplotlib uses one core."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path

from autoenc.progress import steps

Drawing = Callable[[], Path]
"""Draws a picture and returns its path. It may use numpy and matplotlib, but not torch, whose threads a forked process
lacks."""

MOST_PROCESSES = 4
"""More would wait for the slowest picture."""


def draw_all(drawings: Mapping[str, Drawing], *, processes: int) -> list[Path]:
    """Draw pictures by name, on Linux with at most so many processes, and return their paths.

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
        for number, name in enumerate(steps(names, name="Drawing pictures", item_name=str)):
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
