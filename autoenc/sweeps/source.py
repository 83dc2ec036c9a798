"""Where a sweep's jobs come from: a grid knows them all beforehand, a search decides by how the earlier ones ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A job that is to be run: what it overrides on the command line of the sweep."""

    number: int
    """By which the source knows it again."""
    overrides: tuple[str, ...]


class Source(Protocol):
    """Jobs, one at a time."""

    def opening_words(self) -> Sequence[str]:
        """What it has to say before the first job: lines."""
        ...

    def over_before(self) -> Sequence[Path]:
        """The folders of those of its jobs that were over when it began, and that it does not propose again."""
        ...

    def propose(self) -> Proposal | None:
        """The next job; None: none now. Where no job runs and there is none, the sweep has ended."""
        ...

    def ended(self, proposal: Proposal, folder: Path) -> None:
        """The job of a proposal is over, or was finished before; its folder tells how it ended."""
        ...

    def refused(self, proposal: Proposal, problem: str) -> None:
        """A proposal makes no job, and why."""
        ...

    def closing_words(self) -> Sequence[str]:
        """What it has to say at the end of the sweep, beside the comparison of all jobs: lines. It may write files.

        Raises:
            OSError: they cannot be written.
        """
        ...


class Grid:
    """Jobs that are known beforehand, in their order."""

    def __init__(self, jobs: Sequence[Sequence[str]]) -> None:
        self._waiting = [Proposal(number=number, overrides=tuple(job)) for number, job in enumerate(jobs)]

    def opening_words(self) -> Sequence[str]:
        """The sweep itself counts the jobs."""
        return ()

    def over_before(self) -> Sequence[Path]:
        """A grid proposes all that it has."""
        return ()

    def propose(self) -> Proposal | None:
        """The next one that has not been proposed."""
        return self._waiting.pop(0) if self._waiting else None

    def ended(self, proposal: Proposal, folder: Path) -> None:
        """A grid does not mind."""

    def refused(self, proposal: Proposal, problem: str) -> None:
        """Every job of a grid was checked before the first began."""
        raise AssertionError(f"{proposal}: {problem}")

    def closing_words(self) -> Sequence[str]:
        """The comparison says it all."""
        return ()
