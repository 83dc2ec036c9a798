"""What slurm knows of our jobs. It may take a minute to answer, or not answer at all, so a thread asks and cancels."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import threading
from collections.abc import Collection
from typing import NamedTuple

log = logging.getLogger(__name__)

ASK_SECONDS = 5.0
"""Between two questions. All users share slurm's controller, so one question is about all jobs of a sweep. The end of a
job is known within 10 s."""
HURRIED_SECONDS = 2.0
"""The same after jobs were submitted, while a job seems to have ended, and while the user waits for the end."""
ANSWER_SECONDS = 60.0

ENDED = {
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED"),
    *("REVOKED", "TIMEOUT", "GONE"),
}
"""States of jobs that have ended; `GONE` is ours, for a job that slurm no longer knows."""
SURE = 2
"""Answers in a row that have to agree: a job that is queued again after a failure shows it for a moment."""


class QueueEntry(NamedTuple):
    """What slurm says about a job."""

    number: str
    state: str
    """Such as `PENDING`."""
    reason: str = "None"
    """Why it waits, such as `Priority`."""
    restarts: int = 0
    """How often slurm has queued it again."""
    name: str = ""


class SlurmQueue:
    """Asks slurm about jobs, and cancels them, by their numbers."""

    def __init__(self) -> None:
        self._watched: set[str] = set()
        self._entries: dict[str, QueueEntry] = {}
        """The last answer about each job."""
        self._ends: dict[str, int] = {}
        """How many answers in a row said that a job had ended."""
        self._to_end: list[tuple[Collection[str], bool]] = []
        self._hurried = self._closed = False
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self.silence: str | None = None
        """Why slurm did not answer the last question; None if it did, and from `end` to the next question."""

    def watch(self, number: str) -> None:
        """Ask about a job from now on."""
        self._watched.add(number)
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="slurm", daemon=True)
            self._thread.start()

    def entry(self, number: str) -> QueueEntry | None:
        """The last answer about a job; None if there is none yet."""
        return self._entries.get(number)

    def ended_as(self, number: str) -> str | None:
        """The state in which a job has ended; None while that is unknown."""
        return self._entries[number].state if self._ends.get(number, 0) >= SURE else None

    def forget(self, number: str) -> None:
        """Ask no more about a job."""
        self._watched.discard(number)
        self._ends.pop(number, None)

    def end(self, numbers: Collection[str], *, at_once: bool) -> None:
        """Have running jobs save and end, and waiting jobs not begin; `at_once`: without saving."""
        if numbers:
            self.silence = None
            self._to_end.append((numbers, at_once))
        self._hurried = True
        self._woken.set()

    def close(self) -> None:
        """Ask no more. Jobs that are still to be cancelled are cancelled first."""
        self._closed = True
        self._woken.set()
        if self._to_end and self._thread is not None:
            self._thread.join(ANSWER_SECONDS)

    def _serve(self) -> None:
        while not self._closed or self._to_end:
            unknown = not self._watched <= self._entries.keys()
            soon = self._hurried or unknown or any(times < SURE for times in list(self._ends.values()))
            self._woken.wait(HURRIED_SECONDS if soon else ASK_SECONDS)
            self._woken.clear()
            if self._watched and (self._to_end or not self._closed):
                self._ask()
            while self._to_end:
                numbers, at_once = self._to_end[0]
                if self.silence is None:  # else it would only take longer
                    _cancel(numbers, at_once=at_once)
                del self._to_end[0]

    def _ask(self) -> None:
        try:
            entries = entries_of(set(self._watched))
        except SlurmError as error:
            log.debug("Slurm does not answer: %s", error)
            self.silence = str(error)
            return
        self.silence = None
        for number, entry in entries.items():
            self._entries[number] = entry
            if entry.state not in ENDED:
                self._ends.pop(number, None)
            elif number in self._watched:
                self._ends[number] = self._ends.get(number, 0) + 1


def entries_of(numbers: Collection[str]) -> dict[str, QueueEntry]:
    """What slurm says about each job. Its accounts are asked only about jobs that it has removed from its queue.

    Raises:
        SlurmError: slurm does not answer.
    """
    queued = {entry.number: entry for entry in own_jobs()}
    removed = [number for number in numbers if number not in queued]
    states = _accounted(removed) if removed else {}
    ended = {number: QueueEntry(number, states.get(number, "GONE")) for number in removed}
    return {number: queued.get(number) or ended[number] for number in numbers}


def own_jobs() -> list[QueueEntry]:
    """All jobs of this user; slurm also remembers jobs for some minutes after their end.

    Raises:
        SlurmError: slurm does not answer.
    """
    fields = "JobID:|,State:|,Reason:|,RestartCnt:|,Name:"
    answer = _answer("squeue", "--noheader", "--states=all", f"--user={os.getuid()}", f"--Format={fields}")
    parts = (line.strip().split("|", 4) for line in answer.splitlines())
    return [
        QueueEntry(number, state, reason, int(restarts) if restarts.isdecimal() else 0, name)
        for number, state, reason, restarts, name in (part for part in parts if len(part) == 5)
    ]


def jobs_by_name() -> dict[str, tuple[str, str]]:
    """The numbers and states of this user's jobs that wait or run, by name.

    Raises:
        SlurmError: slurm does not answer.
    """
    over = ENDED | {"COMPLETING"}
    return {entry.name: (entry.number, entry.state) for entry in own_jobs() if entry.state not in over}


def _accounted(numbers: Collection[str]) -> dict[str, str]:
    fields = ["--noheader", "--parsable2", "--allocations", "--format=JobID,State"]
    try:
        answer = _answer("sacct", *fields, "--jobs", ",".join(sorted(numbers)))
    except SlurmError as error:  # many clusters keep no accounts
        log.debug("Slurm has no accounts: %s", error)
        return {}
    return dict(re.findall(r"^(\d+)\|(\w+)", answer, re.MULTILINE))  # a state may be `CANCELLED by 1000`


def check_submission(script: str) -> None:
    """Ask slurm whether it would take a job, by the text of its batch script.

    Raises:
        SlurmError: it would not; the message is that of `sbatch`.
    """
    _answer("sbatch", "--test-only", given=script)


def requeue_unless_decided(number: str) -> None:
    """Queue a job that runs again, unless slurm has decided already that it is cancelled or queued again.

    Raises:
        SlurmError: slurm refuses, or does not answer.
    """
    _answer("scontrol", "requeue", "Incomplete", number)


def _cancel(numbers: Collection[str], *, at_once: bool) -> None:
    calls = [["--signal=KILL"], []] if at_once else [["--state=PENDING"], ["--signal=INT"]]
    for arguments in calls:
        try:
            _answer("scancel", *arguments, *sorted(numbers))
        except SlurmError as error:  # most often: a job has ended meanwhile
            log.debug("scancel: %s", error)


class SlurmError(Exception):
    """Slurm did not do what it was asked; the message is its own, in one line."""


def _answer(program: str, *arguments: str, given: str = "") -> str:
    try:
        done = subprocess.run(  # noqa: S603 - slurm's programs with our own arguments
            [program, *arguments],
            input=given,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWER_SECONDS,
            check=False,
            start_new_session=True,  # a terminal's Ctrl-C is for the sweep
        )
    except OSError as error:
        raise SlurmError(f"{program}: {error}") from None
    except subprocess.TimeoutExpired as error:
        said = in_one_line((error.stderr or b"").decode(errors="replace"))
        raise SlurmError(f"{program} does not answer within {ANSWER_SECONDS:g} s; {said}".rstrip("; ")) from None
    if done.returncode:
        raise SlurmError(in_one_line(done.stderr) or f"{program}: exit code {done.returncode}")
    return done.stdout


def in_one_line(text: str) -> str:
    """The lines that are not empty, each once and made printable."""
    plain = ("".join(letter if letter.isprintable() else " " for letter in line).strip() for line in text.splitlines())
    return "; ".join(dict.fromkeys(line for line in plain if line))[:LONGEST_MESSAGE]


def last_line(text: str) -> str:
    """The last line that is not empty, made printable."""
    return next((plain for line in reversed(text.splitlines()) if (plain := in_one_line(line))), "")


LONGEST_MESSAGE = 300
"""Characters."""
