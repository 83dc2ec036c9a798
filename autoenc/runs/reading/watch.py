"""Folders read again and again, at little cost, while runs go on in them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from autoenc.runs.reading.cache import Cache
from autoenc.runs.reading.find import Place, find_places
from autoenc.runs.reading.runs import Reader
from autoenc.runs.records import RunRecord

SHORTEST_PAUSE = 2.0
"""Seconds between two looks for new folders."""
SHARE = 0.05
"""Of the time, at the most, goes into looking for new folders, and as much into reading known ones: of thousands of
runs the records may be some seconds old.
"""


class Watch:
    """The runs at or below some folders, as they are at each moment.

    A refresh looks at the files of the runs that are known, jobs of a sweep that wait among them, and reads those that
    have changed: two milliseconds for fifty runs. New folders are looked for every few seconds.
    """

    def __init__(self, folders: Sequence[Path], *, cache: Path | Literal["usual"] | None = "usual") -> None:
        self._folders = list(folders)
        self._reader = Reader(Cache(cache), history=False, remember=True)
        self._places: list[Place] = []
        self._records: list[RunRecord] = []
        self._next_look = self._next_reading = 0.0

    def refresh(self) -> list[RunRecord]:
        """The records as they are now, or were a moment ago, with the last rows of their metrics.

        Raises:
            ConfigError: a folder that was asked for is not there (any more).
        """
        started = time.monotonic()
        if started >= self._next_look:
            self._places = find_places(self._folders)
            looked = time.monotonic()
            self._next_look = looked + max(SHORTEST_PAUSE, (looked - started) / SHARE)
            started = looked
        elif started < self._next_reading:
            return self._records
        self._records = self._reader.records(self._places)
        self._reader.cache.store()
        read = time.monotonic()
        self._next_reading = read + (read - started) / SHARE
        return self._records
