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
from autoenc.runs.reading import FILES, Contents, Stamps, belongs_to_a_run, read_contents, record_of, stamps
from autoenc.runs.record import RunRecord
from autoenc.runs.sweep_file import SWEEP_FILE, labels_of_jobs
from autoenc.settings import ConfigError

DEEPEST = 12
"""Levels of folders below the one that was asked for."""
MOST_FOLDERS = 100_000
MOST_RUNS = 20_000
LONGEST_NAME = 200
MARKS = frozenset(FILES[:3])
"""A folder with one of these files may be a run."""
_PARTS_OF_A_RUN = frozenset({"checkpoints", "figures", "wandb"})

SHARE = 0.05
"""Share of the time that `Watch` spends on reading; the records of thousands of runs may be some seconds old."""
SETTLED = 2.0
"""Seconds after which a change shows in a file's times; some file systems count whole seconds."""


def read_runs(folders: Sequence[Path], *, history: bool = True, key: str = "FOLDER") -> list[RunRecord]:
    """Every run at or below these folders, once and in any state, with the jobs of a sweep that have not started.

    A folder is a run if it has a `config.yaml`, `status.json` or `summary.json`. Other programs use these names too:
    their folders are left out, unless they cannot be read or nothing else was found; then they are `unreadable`.

    Args:
        folders: runs, sweeps, or folders that contain some.
        history: read every row of the metrics, and not only about the last sixty.
        key: what the caller's users know a folder as, for messages.

    Raises:
        ConfigError: there is no such folder.
    """
    return _records_of(folders, read=read_contents, history=history, key=key)


def read_run(folder: Path) -> RunRecord:
    """The run in a folder that has one, in any state, with every row of its metrics.

    Raises:
        ConfigError: there is no such folder.
    """
    path = _root(folder)
    (record,) = _read_places([Place(path, _name(path, path))], read_contents, history=True)
    return record


class Watch:
    """The runs at or below some folders, read again and again while they are running.

    A refresh searches for new folders and reads the files that have changed.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = list(folders)
        self._records: list[RunRecord] = []
        self._known: dict[str, tuple[Stamps, Contents]] = {}
        self._next = 0.0

    def refresh(self) -> list[RunRecord]:
        """The records, at most a few seconds old, with the last rows of their metrics.

        Raises:
            ConfigError: a folder is not there (any more).
        """
        started = time.monotonic()
        if started >= self._next:
            self._records = _records_of(self._folders, read=self._read, history=False)
            now = time.monotonic()
            self._next = now + (now - started) / SHARE
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
    problem: str | None = None
    """A sentence. With it, the folder is listed even if it is no run."""
    is_link: bool = False
    """Its files are not read."""


def _records_of(
    folders: Sequence[Path], *, read: Callable[..., Contents], history: bool, key: str = "FOLDER"
) -> list[RunRecord]:
    problem = "The files in it are not those of a run."
    roots = list(dict.fromkeys(_root(folder, key=key) for folder in folders))
    places = _find_places(roots)
    found = list(_read_places(places, read, history=history))
    found = found or [_unread(place, problem) for place in places if place.path in roots]
    return _labelled_apart(_named_apart(found))


def _read_places(places: Sequence[Place], read: Callable[..., Contents], *, history: bool) -> Iterator[RunRecord]:
    for place in places:
        found: Stamps = (None,) * len(FILES) if place.is_link else stamps(place.path)
        if any(found[: len(MARKS)]):
            contents = read(place.path, found, history=history)
            if contents.refused or place.sweep is not None or belongs_to_a_run(contents):
                yield record_of(contents, found, path=place.path, problem=place.problem, **_naming(place))
        elif place.sweep is not None or place.problem is not None:
            yield _unread(place, place.problem)


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
    """Unless all runs are jobs of one sweep, put the sweep's name before the labels of jobs: `rates: seed 0`.

    A label that is used twice becomes the run's name.
    """
    if len({record.sweep for record in records}) > 1:
        records = [
            record if record.sweep is None else replace(record, label=f"{_shown(record.sweep.name)}: {record.label}")
            for record in records
        ]
    used = Counter(record.label for record in records)
    return [replace(record, label=record.name) if used[record.label] > 1 else record for record in records]


def _find_places(roots: Sequence[str]) -> list[Place]:
    """Every folder at or below these that may be a run, once: the jobs of a sweep in its order, the others by name."""
    places: dict[str, Place] = {}
    for root in roots:
        for place in _search(root):
            is_full = len(places) >= MOST_RUNS and place.path not in places
            new = _too_many(root) if is_full else place
            known = places.setdefault(new.path, new)
            places[new.path] = known._replace(problem=known.problem or new.problem)
            if is_full:
                break
    found = list(places.values())
    if len({place.name for place in found}) == len(found):
        return found
    above = os.path.commonpath(roots) if len(roots) > 1 else os.path.dirname(roots[0])  # noqa: PTH120
    return [place._replace(name=os.path.relpath(place.path, above)) for place in found]


def _root(folder: Path, *, key: str = "FOLDER") -> str:
    try:
        path = os.path.realpath(folder, strict=True)
    except (OSError, ValueError):
        raise ConfigError(key, "there is no such folder", value=str(folder)) from None
    if not os.path.isdir(path):  # noqa: PTH112 - text is much faster than paths, here and below
        raise ConfigError(key, "this is a file, and no folder with runs in it", value=str(folder))
    return path


def _search(root: str) -> Iterator[Place]:
    """The folders at and below `root` that may be runs, and the jobs of sweeps; some twice. Links are not followed."""
    above = os.path.dirname(root)  # noqa: PTH120
    label = labels_of_jobs(above)[0].get(root)
    if label is not None:  # a single job of a sweep was asked for
        yield Place(root, _name(root, root), above, label)
    failed: list[OSError] = []
    for number, (folder, inner, files) in enumerate(os.walk(root, onerror=failed.append)):
        if number == MOST_FOLDERS:
            yield _too_many(root)
            break
        yield from _look_into(folder, inner, files, root=root)
    for error in failed:
        problem = f"The folder cannot be read: {error.strerror}."
        yield Place(error.filename, _name(error.filename, root), problem=problem)


def _look_into(folder: str, inner: list[str], files: list[str], *, root: str) -> Iterator[Place]:
    """The places in one folder of a search. `inner` is sorted and loses the folders to skip."""
    is_run = not MARKS.isdisjoint(files)
    jobs, problem = labels_of_jobs(folder) if SWEEP_FILE in files else ({}, None)
    skipped = _PARTS_OF_A_RUN if is_run else frozenset()
    inner[:] = sorted((name for name in inner if name[0] != "." and name not in skipped), key=natural)
    if inner and folder.count("/") - root.count("/") >= DEEPEST:
        inner.clear()
        problem = f"Folders more than {DEEPEST} deep are not looked into."
    if is_run or problem:
        yield Place(folder, _name(folder, root), problem=problem)
    for job, label in jobs.items():
        yield _job(job, root, sweep=folder, label=label)


def _too_many(root: str) -> Place:
    problem = f"There are more than {MOST_FOLDERS:,} folders or {MOST_RUNS:,} runs in it."
    return Place(root, _name(root, root), problem=problem)


def _job(path: str, root: str, *, sweep: str, label: str) -> Place:
    leads_out = os.path.realpath(path) != path
    problem = "The folder is a link, which is not followed." if leads_out else None
    return Place(path, _name(path, root), sweep, label, problem=problem, is_link=leads_out)


def _name(path: str, root: str) -> str:
    return os.path.basename(path) or path if path == root else path[len(root) :].lstrip("/")  # noqa: PTH119


def natural(text: str) -> list[tuple[int, str]]:
    """A sort key that puts 2 before 10."""
    return [(int(part), "") if part.isdecimal() and len(part) < 20 else (-1, part) for part in _NUMBERS.split(text)]


_NUMBERS = re.compile(r"(\d+)")
