"""The folders that may be runs, in whatever was asked for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from autoenc.runs.reading.contents import MARKS
from autoenc.runs.reading.sweeps import FILE, sweep_jobs
from autoenc.settings import ConfigError

DEEPEST = 12
"""Folders inside one another, below the one that was asked for."""
MOST_FOLDERS = 100_000
MOST_RUNS = 20_000
_MATTERS = MARKS | {FILE}
"""The names of files that say what a folder is; of others it may have millions."""
_PARTS_OF_A_RUN = frozenset({"checkpoints", "figures"})


class Place(NamedTuple):
    """A folder that may be a run."""

    path: str
    """Absolute, and without links in it."""
    name: str
    """Below the folder that was asked for."""
    sweep: str | None = None
    label: str | None = None
    """Of a job of a sweep."""
    asked: bool = False
    """Whether it is what was asked for itself."""
    problem: str | None = None
    """What is wrong with it: a sentence. Then the folder need not be a run."""
    is_link: bool = False
    """Whether it leads elsewhere, so that its files are not looked at."""


def find_places(folders: Sequence[Path]) -> list[Place]:
    """Every folder that may be a run, once, at or below these, a sweep's jobs in its order, the others by name.

    No link is followed below a folder that was asked for, so that nothing outside it is read and no circle is walked
    in: what a link leads to inside is found in its own place. Folders whose name begins with a dot are left alone:
    Hydra keeps configs there that were no run's.

    Raises:
        ConfigError: a folder that was asked for is not there.
    """
    roots = list(dict.fromkeys(_root(folder) for folder in folders))
    places: dict[str, Place] = {}
    for root in roots:
        for place in _Walk(root, most=MOST_RUNS - len(places)).places():
            places.setdefault(place.path, place)
    return _named_apart(list(places.values()), roots)


def _root(folder: Path) -> str:
    try:
        path = os.path.realpath(folder, strict=True)
    except (OSError, ValueError):
        raise ConfigError("FOLDER", "there is no such folder", value=str(folder)) from None
    if not os.path.isdir(path):  # noqa: PTH112 - strings are much faster than paths, here and below
        raise ConfigError("FOLDER", "this is a file, and no folder with runs in it", value=str(folder))
    return path


def _named_apart(places: list[Place], roots: list[str]) -> list[Place]:
    """Where two would have one name, all are called by their paths below the folder that holds everything."""
    if len({place.name for place in places}) == len(places):
        return places
    above = os.path.commonpath(roots)
    above = above if len(roots) > 1 else os.path.dirname(above)  # noqa: PTH120
    return [place._replace(name=os.path.relpath(place.path, above)) for place in places]


class _Walk:
    """Through the folders at and below one."""

    def __init__(self, root: str, *, most: int) -> None:
        self.root = root
        self._most = most
        self._visited = 0
        self._found: dict[str, Place] = {}
        self._sweeps: dict[str, dict[str, str]] = {}
        self._counted: set[str] = set()
        """What may be runs, jobs of sweeps that may not have begun among them."""
        self._is_full = False

    def places(self) -> list[Place]:
        """What may be runs."""
        above = os.path.dirname(self.root)  # noqa: PTH120
        if above != self.root and os.path.lexists(f"{above}/{FILE}"):  # a single job of a sweep was asked for
            labels = sweep_jobs(above).labels
            if self.root in labels:
                self._sweeps[above] = {self.root: labels[self.root]}
        waiting = [(self.root, 0)]
        while waiting and self._visited < MOST_FOLDERS:
            folder, depth = waiting[-1]
            if len(self._counted) >= self._most and folder not in self._counted:
                break
            waiting.pop()
            self._visited += 1
            inner = self._look_into(folder, depth)
            waiting.extend((path, depth + 1) for path in sorted(inner, key=natural, reverse=True))
        if waiting or self._is_full:
            self._blame(self.root, f"There are more than {self._visited:,} folders or {self._most:,} runs in it.")
        return list(self._in_order())

    def _look_into(self, folder: str, depth: int) -> list[str]:
        """Note what the folder is; returns the folders in it."""
        inner: list[str] = []
        names: set[str] = set()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if len(inner) < MOST_FOLDERS:
                            inner.append(entry.name)
                        else:
                            self._is_full = True
                    elif entry.name in _MATTERS:
                        names.add(entry.name)
        except OSError as error:
            self._blame(folder, f"The folder cannot be read: {error.strerror}.")
            return []
        is_run = not MARKS.isdisjoint(names)
        if is_run:
            self._found[folder] = Place(folder, self._name(folder), asked=folder == self.root)
            self._counted.add(folder)
        if FILE in names:
            self._add_sweep(folder)
        looked = [f"{folder.rstrip('/')}/{name}" for name in inner if not _is_left_alone(name, is_run=is_run)]
        if looked and depth >= DEEPEST:
            self._blame(folder, f"Folders more than {DEEPEST} deep are not looked into.")
            return []
        return looked

    def _add_sweep(self, folder: str) -> None:
        labels, problem = sweep_jobs(folder)
        room = max(0, self._most - len(self._counted))
        new = [path for path in labels if path not in self._counted]
        self._is_full = self._is_full or len(new) > room
        left_out = set(new[room:])
        self._sweeps[folder] = {path: label for path, label in labels.items() if path not in left_out}
        self._counted.update(new[:room])
        if problem is not None:
            self._blame(folder, problem)

    def _blame(self, path: str, problem: str) -> None:
        if path in self._found:
            self._found[path] = self._found[path]._replace(problem=problem)
        else:
            self._found[path] = Place(path, self._name(path), problem=problem)

    def _name(self, path: str) -> str:
        return os.path.basename(path) or path if path == self.root else path[len(self.root) :].lstrip("/")  # noqa: PTH119

    def _in_order(self) -> Iterator[Place]:
        """A sweep's jobs together, those that wait among them, where the sweep's folder stands."""
        jobs = {path: sweep for sweep, labels in self._sweeps.items() for path in labels}
        stand = {jobs.get(path, path) for path in self._found} | set(self._sweeps)
        for path in sorted(stand, key=natural):
            if path in self._found and path not in jobs:
                yield self._found[path]
            for job, label in self._sweeps.get(path, {}).items():
                if jobs[job] == path:
                    yield self._job(job, sweep=path, label=label)

    def _job(self, path: str, *, sweep: str, label: str) -> Place:
        found = self._found.get(path)
        if found is not None:
            return found._replace(sweep=sweep, label=label)
        leads_out = os.path.realpath(path) != path
        problem = "The folder is a link, which is not followed." if leads_out else None
        return Place(path, self._name(path), sweep, label, problem=problem, is_link=leads_out)


def _is_left_alone(name: str, *, is_run: bool) -> bool:
    return name.startswith(".") or (is_run and name in _PARTS_OF_A_RUN)


def natural(text: str) -> list[tuple[int, str]]:
    """A key to sort by in which 2 stands before 10."""
    return [(int(part), "") if part.isdecimal() and len(part) < 20 else (-1, part) for part in _NUMBERS.split(text)]


_NUMBERS = re.compile(r"(\d+)")
