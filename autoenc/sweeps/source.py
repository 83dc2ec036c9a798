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

    def propose(self) -> Proposal | None:
        """The next job; None: none now. Where no job runs and there is none, the sweep has ended."""
        ...

    def ended(self, proposal: Proposal, folder: Path) -> None:
        """The job of a proposal is over, or was finished before; its folder tells how it ended."""
        ...


class Grid:
    """Jobs that are known beforehand, in their order."""

    def __init__(self, jobs: Sequence[Sequence[str]]) -> None:
        self._waiting = [Proposal(number=number, overrides=tuple(job)) for number, job in enumerate(jobs)]

    def propose(self) -> Proposal | None:
        """The next one that has not been proposed."""
        return self._waiting.pop(0) if self._waiting else None

    def ended(self, proposal: Proposal, folder: Path) -> None:
        """A grid does not mind."""
