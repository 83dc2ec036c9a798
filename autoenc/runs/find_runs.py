"""Find the runs at or below some folders, name them apart, and read them once or again and again."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from autoenc.runs.plain_values import printable
from autoenc.runs.reading import FILES, Contents, Stamps, belongs_to_a_run, read_contents, record_of, size_read, stamps
from autoenc.runs.record import RunRecord
from autoenc.runs.sweep_file import SWEEP_FILE, labels_of_jobs
from autoenc.settings import ConfigError

DEEPEST = 12
"""Levels of folders below the one that was asked for."""
MOST_FOLDERS = 100_000
MOST_RUNS = 20_000
MOST_BYTES = 512 * 1024 * 1024
"""Of all files that are read together."""
LONGEST_NAME = 200
MARKS = frozenset(FILES[:3])
"""A folder with one of these files may be a run."""
_PARTS_OF_A_RUN = frozenset({"checkpoints", "figures"})

SHORTEST_PAUSE = 2.0
"""Seconds between two searches for new folders."""
SHARE = 0.05
"""Share of the time that `Watch` spends on searching, and again on reading; the records of thousands of runs may be a
few seconds old."""
SETTLED = 2.0
"""Seconds after which a change shows in a file's times; some file systems count whole seconds."""


def read_runs(folders: Sequence[Path], *, history: bool = True) -> list[RunRecord]:
    """Every run at or below these folders, once and in any state, with the jobs of a sweep that have not started.

    A folder is a run if it has a `config.yaml`, `status.json` or `summary.json`. Other programs use these names too:
    their folders are left out, unless they cannot be read or nothing else was found; then they are `unreadable`.

    Args:
        folders: runs, sweeps, or folders that contain some.
        history: read every row of the metrics, and not only about the last sixty.

    Raises:
        ConfigError: there is no such folder.
    """
    return _records_of(find_places(folders), read=read_contents, history=history)


class Watch:
    """The runs at or below some folders, read again and again while they are running.

    A refresh reads the files that have changed. New folders are searched for every few seconds.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = list(folders)
        self._places: list[Place] = []
        self._records: list[RunRecord] = []
        self._known: dict[str, tuple[Stamps, Contents]] = {}
        self._next_search = self._next_reading = 0.0

    def refresh(self) -> list[RunRecord]:
        """The records, at most a few seconds old, with the last rows of their metrics.

        Raises:
            ConfigError: a folder is not there (any more).
        """
        started = time.monotonic()
        if started >= self._next_search:
            self._places = find_places(self._folders)
            searched = time.monotonic()
            self._next_search = searched + max(SHORTEST_PAUSE, (searched - started) / SHARE)
            started = searched
        elif started < self._next_reading:
            return self._records
        self._records = _records_of(self._places, read=self._read, history=False)
        now = time.monotonic()
        self._next_reading = now + (now - started) / SHARE
        return self._records

    def _read(self, folder: str, found: Stamps, *, history: bool) -> Contents:
        """Read the files if they have changed, or may be changing at this moment."""
        known = self._known.get(folder)
        if known is not None and known[0] == found:
            return known[1]
        contents = read_contents(folder, found, history=history)
        newest = max(max(stamp.st_mtime, stamp.st_ctime) for stamp in found if stamp is not None)
        if time.time() - newest > SETTLED:
            self._known[folder] = (found, contents)
        return contents


class Place(NamedTuple):
    """A folder that may be a run."""

    path: str
    """Absolute, without links."""
    name: str
    """Path below the folder that was asked for."""
    sweep: str | None = None
    label: str | None = None
    """Of a job of a sweep."""
    asked: bool = False
    """Whether this very folder was asked for."""
    problem: str | None = None
    """A sentence. With it, the folder is listed even if it is no run."""
    is_link: bool = False
    """Its files are not read."""


def _records_of(places: Sequence[Place], *, read: Callable[..., Contents], history: bool) -> list[RunRecord]:
    """The records of the folders that are runs or cannot be read."""
    problem = "The files in it are not those of a run."
    found = list(_read_places(places, read, history=history))
    found = found or [_unread(place, problem) for place in places if place.asked]
    return _labelled_apart(_named_apart(found))


def _read_places(places: Sequence[Place], read: Callable[..., Contents], *, history: bool) -> Iterator[RunRecord]:
    left = MOST_BYTES
    for place in places:
        found: Stamps = (None,) * len(FILES) if place.is_link else stamps(place.path)
        if not any(found[: len(MARKS)]):
            if place.sweep is not None or place.problem is not None:
                yield _unread(place, place.problem)
        elif left <= 0:
            yield _unread(place, f"The runs before it have {MOST_BYTES // 2**20} MB, the most that is read.")
        else:
            contents = read(place.path, found, history=history)
            left -= size_read(found, history=history)
            if contents.refused or place.sweep is not None or belongs_to_a_run(contents):
                yield record_of(contents, found, path=place.path, problem=place.problem, **_naming(place))


def _unread(place: Place, problem: str | None) -> RunRecord:
    """The record of a folder with a problem, or of a job that has not started."""
    waiting = RunRecord(path=Path(place.path), state="waiting", **_naming(place))
    return waiting if problem is None else replace(waiting, state="unreadable", problems=(problem,))


def _naming(place: Place) -> dict[str, Any]:
    sweep = None if place.sweep is None else Path(place.sweep)
    return {"name": _shown(place.name), "label": _shown(place.label or place.name), "sweep": sweep}


def _shown(text: str) -> str:
    """A name or label, short and printable; a folder's name may have any bytes."""
    return printable(os.fsencode(text).decode("utf-8", "backslashreplace"), most=LONGEST_NAME)


def _named_apart(records: list[RunRecord]) -> list[RunRecord]:
    """Number the names that became equal when they were made printable."""
    taken: Counter[str] = Counter()
    apart = []
    for record in records:
        taken[record.name] += 1
        number = taken[record.name]
        apart.append(record if number == 1 else replace(record, name=f"{record.name} ({number})"))
    return apart


def _labelled_apart(records: list[RunRecord]) -> list[RunRecord]:
    """If jobs of several sweeps have the same label, put the sweep's name before the labels of these sweeps' jobs.

    A label that is still used twice becomes the run's name.
    """
    used = Counter(record.label for record in records)
    unclear = {record.sweep for record in records if record.sweep is not None and used[record.label] > 1}
    if unclear and len({record.sweep for record in records}) > 1:
        records = [
            replace(record, label=f"{_shown(record.sweep.name)}: {record.label}") if record.sweep in unclear else record
            for record in records
        ]
        used = Counter(record.label for record in records)
    return [replace(record, label=record.name) if used[record.label] > 1 else record for record in records]


def find_places(folders: Sequence[Path]) -> list[Place]:
    """Every folder at or below these that may be a run, once: the jobs of a sweep in its order, the others by name.

    Links below these folders are not followed, so nothing outside is read and the search ends. Folders whose names
    begin with a dot are skipped: Hydra keeps configs there.

    Raises:
        ConfigError: there is no such folder.
    """
    roots = list(dict.fromkeys(_root(folder) for folder in folders))
    places: dict[str, Place] = {}
    for root in roots:
        for place in _Search(root, most=MOST_RUNS - len(places)).places():
            places.setdefault(place.path, place)
    found = list(places.values())
    if len({place.name for place in found}) == len(found):
        return found
    above = os.path.commonpath(roots) if len(roots) > 1 else os.path.dirname(roots[0])  # noqa: PTH120
    return [place._replace(name=os.path.relpath(place.path, above)) for place in found]


def _root(folder: Path) -> str:
    try:
        path = os.path.realpath(folder, strict=True)
    except (OSError, ValueError):
        raise ConfigError("FOLDER", "there is no such folder", value=str(folder)) from None
    if not os.path.isdir(path):  # noqa: PTH112 - text is much faster than paths, here and below
        raise ConfigError("FOLDER", "this is a file, and no folder with runs in it", value=str(folder))
    return path


class _Search:
    """Through the folders at and below one."""

    def __init__(self, root: str, *, most: int) -> None:
        self._root = root
        self._most = most
        self._found: dict[str, Place] = {}
        self._sweeps: dict[str, dict[str, str]] = {}
        """The labels of each sweep's jobs, by folder."""
        self._counted: set[str] = set()
        """Folders that may be runs, and jobs that may not have started."""
        self._left_out = False

    def places(self) -> list[Place]:
        """The folders that may be runs."""
        above = os.path.dirname(self._root)  # noqa: PTH120
        labels = labels_of_jobs(above)[0] if above != self._root else {}
        if self._root in labels:  # a single job of a sweep was asked for
            self._sweeps[above] = {self._root: labels[self._root]}
        waiting = [(self._root, 0)]
        visited = 0
        while waiting and visited < MOST_FOLDERS:
            folder, depth = waiting[-1]
            if len(self._counted) >= self._most and folder not in self._counted:
                break
            waiting.pop()
            visited += 1
            inner = self._look_into(folder, depth)
            waiting.extend((path, depth + 1) for path in sorted(inner, key=natural, reverse=True))
        if waiting or self._left_out:
            self._blame(self._root, f"There are more than {visited:,} folders or {self._most:,} runs in it.")
        return list(self._in_order())

    def _look_into(self, folder: str, depth: int) -> list[str]:
        """Record the folder if it may be a run or a sweep; returns the folders in it."""
        inner: list[str] = []
        names: set[str] = set()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if not entry.is_dir(follow_symlinks=False):
                        names.update({entry.name} & _NAMES)
                    elif len(inner) < MOST_FOLDERS:
                        inner.append(entry.name)
                    else:
                        self._left_out = True
        except OSError as error:
            self._blame(folder, f"The folder cannot be read: {error.strerror}.")
            return []
        is_run = not MARKS.isdisjoint(names)
        if is_run:
            self._found[folder] = Place(folder, self._name(folder), asked=folder == self._root)
            self._counted.add(folder)
        if SWEEP_FILE in names:
            self._add_sweep(folder)
        skipped = _PARTS_OF_A_RUN if is_run else frozenset()
        paths = [f"{folder.rstrip('/')}/{name}" for name in inner if not name.startswith(".") and name not in skipped]
        if paths and depth >= DEEPEST:
            self._blame(folder, f"Folders more than {DEEPEST} deep are not looked into.")
            return []
        return paths

    def _add_sweep(self, folder: str) -> None:
        labels, problem = labels_of_jobs(folder)
        new = [path for path in labels if path not in self._counted]
        kept = new[: max(0, self._most - len(self._counted))]
        left_out = set(new[len(kept) :])
        self._left_out = self._left_out or bool(left_out)
        self._sweeps[folder] = {path: label for path, label in labels.items() if path not in left_out}
        self._counted.update(kept)
        if problem is not None:
            self._blame(folder, problem)

    def _blame(self, path: str, problem: str) -> None:
        self._found[path] = self._found.get(path, Place(path, self._name(path)))._replace(problem=problem)

    def _name(self, path: str) -> str:
        return os.path.basename(path) or path if path == self._root else path[len(self._root) :].lstrip("/")  # noqa: PTH119

    def _in_order(self) -> Iterator[Place]:
        """The jobs of a sweep together, in the place of the sweep's folder; those that have not started too."""
        sweep_of = {path: sweep for sweep, labels in self._sweeps.items() for path in labels}
        for path in sorted({sweep_of.get(path, path) for path in self._found} | set(self._sweeps), key=natural):
            if path in self._found and path not in sweep_of:
                yield self._found[path]
            for job, label in self._sweeps.get(path, {}).items():
                if sweep_of[job] == path:
                    yield self._job(job, sweep=path, label=label)

    def _job(self, path: str, *, sweep: str, label: str) -> Place:
        found = self._found.get(path)
        if found is not None:
            return found._replace(sweep=sweep, label=label)
        leads_out = os.path.realpath(path) != path
        problem = "The folder is a link, which is not followed." if leads_out else None
        return Place(path, self._name(path), sweep, label, problem=problem, is_link=leads_out)


_NAMES = MARKS | {SWEEP_FILE}


def natural(text: str) -> list[tuple[int, str]]:
    """A sort key that puts 2 before 10."""
    return [(int(part), "") if part.isdecimal() and len(part) < 20 else (-1, part) for part in _NUMBERS.split(text)]


_NUMBERS = re.compile(r"(\d+)")
