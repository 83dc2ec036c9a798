"""Folders read into records."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from autoenc.runs.liveness import process_lives
from autoenc.runs.reading.cache import Cache
from autoenc.runs.reading.contents import Contents, Stamps, add_rows, is_settled, read, stamps
from autoenc.runs.reading.find import Place, find_places
from autoenc.runs.reading.text import printable
from autoenc.runs.records import RecordState, RunRecord

MOST_VALUES = 10_000_000
"""Values that are read in all, long texts counting for many, which take about a gigabyte: those of 20,000 runs, or the
histories of 5,000.
"""
LONGEST_NAME = 200
_STATES: dict[str, RecordState] = {name: name for name in ("finished", "running", "failed", "interrupted")}
_STRANGER = "The files in it are not those of a run."
_OURS = ("architecture", "dataset", "training")


def read_runs(
    folders: Sequence[Path], *, cache: Path | Literal["usual"] | None = "usual", history: bool = True
) -> list[RunRecord]:
    """Every run at or below these folders, once, in whatever state, with the jobs of a sweep that have not begun.

    A folder is a run by its `config.yaml`, `status.json` or `summary.json`. One with files of these names that say
    nothing of a run is another program's, and left out: somebody's whole project may be asked for. But where they
    cannot be read, so that nobody knows what they are, or where the folder was asked for itself and has no run in it,
    it is listed as `unreadable`: nothing that was asked for disappears without a word.

    Args:
        folders: runs, sweeps, or folders with such in them.
        cache: a folder in which to keep what was read; None keeps nothing.
        history: whether the records have every row of the metrics; else the last sixty or so.

    Raises:
        ConfigError: a folder that was asked for is not there.
    """
    reader = Reader(Cache(cache), history=history)
    try:
        return reader.records(find_places(folders))
    finally:
        reader.cache.store()
        reader.cache.close()


class Reader:
    """Reads folders, again and again: of what has not changed since, it knows the content."""

    def __init__(self, cache: Cache, *, history: bool, remember: bool = False) -> None:
        self.cache = cache
        self._history = history
        self._remember = remember
        self._known: dict[str, tuple[Stamps, Contents]] = {}

    def records(self, places: Sequence[Place]) -> list[RunRecord]:
        """The records of those places that are runs, or that cannot be read."""
        found = list(self._records(places)) or [_unreadable(place, _STRANGER) for place in places if place.asked]
        return _labelled_apart(_named_apart(found))

    def _records(self, places: Sequence[Place]) -> Iterator[RunRecord]:
        left = MOST_VALUES
        for place in places:
            if left <= 0:
                yield _unreadable(place, "So much was read before that there is no room left for it.")
                continue
            record, count = self._record(place)
            left -= count
            if record is not None:
                yield record

    def _record(self, place: Place) -> tuple[RunRecord | None, int]:
        found = () if place.is_link else stamps(place.path)
        if place.problem is not None and not any(found):
            return _unreadable(place, place.problem), 0
        if not any(found[:3]):
            return (_waiting(place) if place.sweep is not None else None), 0
        contents = self._contents(place.path, found)
        if not _is_run(contents) and not contents.broken and place.sweep is None:
            return None, contents.size if self._remember else 0
        return _record_of(place, contents, found), contents.size

    def _contents(self, folder: str, found: Stamps) -> Contents:
        known = self._known.get(folder)
        if known is not None and known[0] == found:
            return known[1]
        contents = self.cache.find(folder, found)
        if contents is None:
            contents = read(folder, found)
            self.cache.keep(folder, found, contents)
        if self._history and not contents.whole:
            contents = _with_history(contents, folder)
        if self._remember and is_settled(found):
            self._known[folder] = (found, contents)
        return contents


def _with_history(contents: Contents, folder: str) -> Contents:
    """With all rows. The problems of the last ones are found again among those of all."""
    problems = [problem for problem in contents.problems if not problem.startswith("metrics.jsonl ")]
    whole = replace(contents, problems=problems, broken=list(contents.broken))
    add_rows(whole, folder, whole=True)
    return whole


def _is_run(contents: Contents) -> bool:
    """Whether these are the files of a run of ours, and not of another program's."""
    if _known_state(contents) is not None:
        return True
    config = contents.config
    return not _runs_code(config) and all(isinstance(config.get(key), Mapping) for key in _OURS)


def _known_state(contents: Contents) -> RecordState | None:
    said = contents.status.get("state")
    return _STATES.get(said) if isinstance(said, str) else None


def _runs_code(config: Mapping[str, Any]) -> bool:
    """Whether it is what Hydra composes a config from, and not a config that came of it."""
    return "defaults" in config or "hydra" in config


def _record_of(place: Place, contents: Contents, found: Stamps) -> RunRecord:
    problems = [*contents.problems]
    state = _state(contents, problems)
    error = contents.status.get("error")
    error = error if isinstance(error, Mapping) and state in ("failed", "unreadable") else {}
    if place.problem is not None:
        problems.append(place.problem)
    return RunRecord(
        path=Path(place.path),
        name=_shown(place.name),
        label=_shown(place.label or place.name),
        state=state,
        error_kind=_text(error.get("kind")),
        error_message=_text(error.get("message")),
        config=contents.config,
        summary=contents.summary,
        history=tuple(contents.rows),
        status=contents.status,
        environment=contents.environment,
        problems=tuple(problems),
        sweep=None if place.sweep is None else Path(place.sweep),
        changed_at=_newest(found),
    )


def _state(contents: Contents, problems: list[str]) -> RecordState:
    """As the status says, where that can be; what is missing for it is added to the problems.

    Without a status nobody knows how far the run came; and a finished run without config or summary cannot stand
    beside others.
    """
    state = _known_state(contents)
    needed = ["status.json", "config.yaml"] + (["summary.json"] if state == "finished" else [])
    problems.extend(f"{name} is missing." for name in needed if name in contents.missing)
    if state is None:
        if contents.status:
            problems.append("status.json does not say a state that a run can be in.")
        return "unreadable"
    if state == "finished" and not (contents.config and contents.summary):
        return "unreadable"
    return "dead" if state == "running" and process_lives(contents.status) is False else state


def _waiting(place: Place) -> RunRecord:
    return RunRecord(
        path=Path(place.path),
        name=_shown(place.name),
        label=_shown(place.label or place.name),
        state="waiting",
        sweep=None if place.sweep is None else Path(place.sweep),
    )


def _unreadable(place: Place, problem: str) -> RunRecord:
    return replace(_waiting(place), state="unreadable", problems=(problem,))


def _newest(found: Stamps) -> datetime | None:
    times = [one.mtime_ns for one in found if one is not None]
    try:
        return datetime.fromtimestamp(max(times) / 1e9, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _shown(text: str) -> str:
    """A name or label: short, and printable whatever bytes a folder's name has."""
    return printable(os.fsencode(text).decode("utf-8", "backslashreplace"), most=LONGEST_NAME)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _named_apart(records: list[RunRecord]) -> list[RunRecord]:
    """Names that differed only in what cannot be shown get a number."""
    taken: Counter[str] = Counter()
    apart = []
    for record in records:
        taken[record.name] += 1
        number = taken[record.name]
        apart.append(record if number == 1 else replace(record, name=f"{record.name} ({number})"))
    return apart


def _labelled_apart(records: list[RunRecord]) -> list[RunRecord]:
    """Where jobs of several sweeps are called the same, all of these sweeps' jobs are called by their sweep too; and
    what then still has a label that another has, by its name.
    """
    used = Counter(record.label for record in records)
    unclear = {record.sweep for record in records if record.sweep is not None and used[record.label] > 1}
    if len(unclear) > 1 or (unclear and len({record.sweep for record in records}) > 1):
        records = [_called_by_sweep(record) if record.sweep in unclear else record for record in records]
        used = Counter(record.label for record in records)
    return [replace(record, label=record.name) if used[record.label] > 1 else record for record in records]


def _called_by_sweep(record: RunRecord) -> RunRecord:
    sweep = "" if record.sweep is None else _shown(record.sweep.name)
    return replace(record, label=f"{sweep}: {record.label}")
