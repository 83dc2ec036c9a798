"""What slurm knows of our jobs. It may take a minute to answer, or not answer at all, so a thread asks."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import threading
from collections.abc import Collection

log = logging.getLogger(__name__)

ASK_SECONDS = 30.0
"""Between two questions: all users share slurm's controller."""
HURRIED_SECONDS = 2.0
"""The same while the user waits for the end."""
ANSWER_SECONDS = 60.0

ENDED = {
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED"),
    *("REVOKED", "TIMEOUT", "GONE"),
}
"""States of jobs that have ended; `GONE` is ours, for a job that slurm no longer knows."""
SURE = 2
"""Answers in a row that have to agree: a job that is queued again after a failure shows it for a moment."""


class SlurmQueue:
    """Asks slurm about the end of jobs, by their numbers."""

    def __init__(self) -> None:
        self._watched: set[str] = set()
        self._answers: dict[str, tuple[str, int]] = {}
        """The last state of each job, and how many answers in a row said that it had ended."""
        self._hurried = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def hurry(self) -> None:
        """Ask more often from now on: the jobs have been told to end."""
        self._hurried.set()

    def watch(self, number: str) -> None:
        """Ask about a job from now on."""
        self._watched.add(number)
        if self._thread is None:
            self._thread = threading.Thread(target=self._ask_regularly, name="slurm", daemon=True)
            self._thread.start()

    def ended_as(self, number: str) -> str | None:
        """The state in which a job has ended; None while that is unknown."""
        state, times = self._answers.get(number, ("", 0))
        return state if times >= SURE else None

    def forget(self, number: str) -> None:
        """Ask no more about a job."""
        self._watched.discard(number)
        self._answers.pop(number, None)

    def close(self) -> None:
        """Ask no more."""
        self._closed.set()
        self._hurried.set()

    def _ask_regularly(self) -> None:
        while True:
            self._hurried.wait(ASK_SECONDS)
            if self._closed.wait(HURRIED_SECONDS if self._hurried.is_set() else 0):
                return
            numbers = set(self._watched)
            if numbers:
                self._take(states_of(numbers))

    def _take(self, states: dict[str, str]) -> None:
        for number, state in states.items():
            times = self._answers.get(number, ("", 0))[1]
            self._answers[number] = (state, times + 1 if state in ENDED else 0)


def states_of(numbers: Collection[str]) -> dict[str, str]:
    """The state of each job, without jobs that slurm says nothing about."""
    fields = ["--noheader", "--parsable2", "--allocations", "--format=JobID,State"]
    try:
        answer = _answer("sacct", *fields, "--jobs", ",".join(sorted(numbers)))
    except SlurmError:  # many clusters keep no accounts
        try:
            queued = {number: state for number, state, _ in _queue()}
        except SlurmError as error:
            log.debug("Slurm does not answer: %s", error)
            return {}
        return {number: queued.get(number, "GONE") for number in numbers}
    found = re.findall(r"^(\d+)\|(\w+)", answer, re.MULTILINE)  # a state may be `CANCELLED by 1000`
    return {number: state for number, state in found if number in numbers}


def jobs_by_name() -> dict[str, tuple[str, str]]:
    """The numbers and states of this user's jobs that wait or run, by name.

    Raises:
        SlurmError: slurm does not answer.
    """
    return {name: (number, state) for number, state, name in _queue() if state not in ENDED | {"COMPLETING"}}


def _queue() -> list[list[str]]:
    lines = _answer("squeue", "--noheader", f"--user={os.getuid()}", "--format=%i|%T|%j").splitlines()
    parts = (line.strip().split("|", 2) for line in lines)
    return [part for part in parts if len(part) == 3]


def ask_to_end(numbers: Collection[str], *, at_once: bool) -> None:
    """Have running jobs save and end, and waiting jobs not begin; `at_once`: without saving."""
    if not numbers:
        return
    calls = [["--signal=KILL"], []] if at_once else [["--state=PENDING"], ["--signal=INT"]]
    for arguments in calls:
        try:
            _answer("scancel", *arguments, *sorted(numbers))
        except SlurmError as error:  # most often: a job has ended meanwhile
            log.debug("scancel: %s", error)


class SlurmError(Exception):
    """Slurm did not do what it was asked; the message is the last line of its own."""


def _answer(program: str, *arguments: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - slurm's programs with our own arguments
            [program, *arguments], capture_output=True, text=True, errors="replace", timeout=ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SlurmError(f"{program}: {error}") from None
    if done.returncode:
        raise SlurmError(f"{program}: {last_line(done.stderr) or f'exit code {done.returncode}'}")
    return done.stdout


def last_line(text: str) -> str:
    """The last line that is not empty, made printable."""
    plain = ("".join(letter if letter.isprintable() else " " for letter in line).strip() for line in text.splitlines())
    return next((line[:300] for line in reversed(list(plain)) if line), "")
