"""Time and memory of commands, and the rows of the table."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

Found = TypeVar("Found")
Way = TypeVar("Way")

SCRIPTS = Path(__file__).parents[1]
TRAIN = (sys.executable, str(SCRIPTS / "train.py"))


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One round of a measurement."""

    seconds: float
    megabytes: float
    """Peak memory of the process."""
    processor_seconds: float | None = None
    """User and system time, which depend little on other load; None if the seconds are only a part of the process."""

    parts: Mapping[str, float] = field(default_factory=dict)
    """What the seconds consist of, by names such as `noise_seconds`."""

    def part(self, seconds: float, parts: Mapping[str, float] | None = None) -> Measured:
        """The same process, of which only a part was timed, such as the training."""
        return Measured(seconds=seconds, megabytes=self.megabytes, parts=parts or {})


@dataclass(frozen=True, kw_only=True)
class Row:
    """One way to do one thing, in all rounds. The best round counts: other load can only make a round slower."""

    what: str
    how: str
    rounds: Sequence[Measured]
    ratio: float | None = None
    """The time of this way divided by that of the first row with the same `what`, usually autoenc."""
    goal: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What tells this row from others of its section, for a program that reads the file of `--json`."""

    @property
    def numbers(self) -> list[dict[str, str | float]]:
        """The settings and the numbers of each round, which are counted from 0."""
        return [
            {**self.settings, "round": number, "seconds": one.seconds, **one.parts}
            for number, one in enumerate(self.rounds)
        ]

    @property
    def best(self) -> float:
        """Seconds of the fastest round."""
        return min(one.seconds for one in self.rounds)


def command_seconds(command: Sequence[str], **environment: str) -> Measured:
    """Run a command in a pseudo-terminal, so that it draws its progress bar, and wait for its end.

    Raises:
        SystemExit: it failed; the message has what it printed.
    """
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", **environment}
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=follower, stderr=follower, env=environment)  # noqa: S603 - our own
    os.close(follower)
    printed: list[bytes] = []
    reader = threading.Thread(target=_read_all, args=(leader, printed))
    reader.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()  # it writes into a folder that the caller deletes
        raise
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    reader.join()
    os.close(leader)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{b''.join(printed).decode(errors='replace')}")
    megabytes = usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1024)  # kilobytes, but bytes on a Mac
    return Measured(seconds=seconds, processor_seconds=usage.ru_utime + usage.ru_stime, megabytes=megabytes)


def in_turns(ways: Mapping[Way, Callable[[], Found]], *, rounds: int) -> dict[Way, list[Found]]:
    """Measure every way once a round, so that other load on the machine affects all of them."""
    found: dict[Way, list[Found]] = {how: [] for how in ways}
    for _ in range(rounds):
        for how, measure in ways.items():
            found[how].append(measure())
    return found


def rows(what: str, found: Mapping[str, Sequence[Measured]], goals: Mapping[str, str] | None = None) -> list[Row]:
    """A row for each way; the first one is that of autoenc. `goals` are those of some ways."""
    best = [Row(what=what, how=how, rounds=rounds).best for how, rounds in found.items()]
    ratios = [None, *(seconds / best[0] for seconds in best[1:])]
    return [
        Row(what=what, how=how, rounds=rounds, ratio=ratio, goal=(goals or {}).get(how, ""))
        for (how, rounds), ratio in zip(found.items(), ratios, strict=True)
    ]


def _read_all(descriptor: int, into: list[bytes]) -> None:
    try:
        while chunk := os.read(descriptor, 65536):
            into.append(chunk)
    except OSError:
        return  # on Linux, this means that the other end is closed
