"""The files of one run's folder, read within bounds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from autoenc.runs.reading.files import Stamp, content, end, stamp
from autoenc.runs.reading.json_text import parse_json
from autoenc.runs.reading.plain import Parsed, UnreadableError
from autoenc.runs.reading.yaml_text import parse_yaml

FILES = ("config.yaml", "status.json", "summary.json", "environment.json", "metrics.jsonl")
MARKS = frozenset(FILES[:3])
"""A folder with one of these may be a run."""

KB = 1024
LARGEST = {"config.yaml": 128 * KB, "status.json": 64 * KB, "summary.json": 1024 * KB, "environment.json": 256 * KB}
"""Bytes. A run's own have a few kilobytes."""
MOST_VALUES = 20_000
"""In one of these files, as `Parsed.size` counts; a run's own have some sixty."""

LARGEST_HISTORY = 32 * 1024 * KB
RECENT = 16 * KB
"""Bytes at the end of `metrics.jsonl` that are read when not the whole history is asked for: some sixty epochs."""
MOST_ROWS = 20_000
LONGEST_ROW = 64 * KB
ROWS_AT_ONCE, MOST_VALUES_AT_ONCE = 64, 20_000

SETTLED = 2 * 10**9
"""Nanoseconds; some file systems count whole seconds."""

Stamps = tuple[Stamp | None, ...]
"""Of each of `FILES`."""


@dataclass(kw_only=True)
class Contents:
    """What the files of a run say, as plain values; all of it could stand in a JSON file."""

    config: dict[str, Any] = field(default_factory=dict)
    status: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    """The last rows of `metrics.jsonl`."""
    whole: bool = True
    """Whether they are all."""
    problems: list[str] = field(default_factory=list)
    """What could not be read, and why."""
    broken: list[str] = field(default_factory=list)
    """The files that are there and could not be read."""
    missing: list[str] = field(default_factory=list)
    size: int = 0
    """Values in all, as `Parsed.size` counts them."""

    def as_json(self) -> bytes:
        """To be kept."""
        return json.dumps(vars(self), allow_nan=False, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Contents | None:
        """What was kept; None where that is something else."""
        try:
            values = json.loads(text)
            kept = cls(**values)
        except (ValueError, TypeError, RecursionError):
            return None
        usual = cls()
        right = (type(getattr(kept, each.name)) is type(getattr(usual, each.name)) for each in fields(cls))
        return kept if all(right) else None


def stamps(folder: str) -> Stamps:
    """What changes when one of the files does."""
    return tuple(stamp(f"{folder}/{name}") for name in FILES)


def is_settled(found: Stamps) -> bool:
    """Whether the last change is so long ago that the next one will be seen: a file that is written twice within one
    tick of its clock can look the same.
    """
    newest = max((max(one.mtime_ns, one.ctime_ns) for one in found if one is not None), default=0)
    return time.time_ns() - newest > SETTLED


def read(folder: str, found: Stamps) -> Contents:
    """The files that are there, with the last rows of the metrics. Whatever is wrong with one is a sentence."""
    contents = Contents()
    tables: dict[str, dict[str, Any]] = {
        "config.yaml": contents.config,
        "status.json": contents.status,
        "summary.json": contents.summary,
        "environment.json": contents.environment,
    }
    for name, there in zip(FILES, found, strict=True):
        if there is None:
            contents.missing.append(name)
        elif name == "metrics.jsonl":
            add_rows(contents, folder, whole=False)
        else:
            _fill(tables[name], contents, f"{folder}/{name}", name=name)
    return contents


def add_rows(contents: Contents, folder: str, *, whole: bool) -> None:
    """Read the rows of `metrics.jsonl`: all, within bounds, or the last ones."""
    history = rows(f"{folder}/metrics.jsonl", whole=whole)
    contents.rows = history.rows
    contents.whole = whole or not history.cut
    contents.size += history.size
    for problem in history.problems:
        _blame(contents, "metrics.jsonl", problem, broken=history.broken)


def _fill(table: dict[str, Any], contents: Contents, path: str, *, name: str) -> None:
    try:
        parsed = _PARSERS[name.partition(".")[2]](content(path, most=LARGEST[name]), most=MOST_VALUES)
    except UnreadableError as error:
        _blame(contents, name, str(error), broken=True)
        return
    if not isinstance(parsed.value, dict):
        _blame(contents, name, "holds no keys")
        return
    if parsed.odd:
        _blame(contents, name, "has numbers that are not finite or too large, which are left out")
    table.update(parsed.value)
    contents.size += parsed.size


def _blame(contents: Contents, name: str, problem: str, *, broken: bool = False) -> None:
    contents.problems.append(f"{name} {problem}.")
    if broken:
        contents.broken.append(name)


_PARSERS: dict[str, Callable[..., Parsed]] = {"yaml": parse_yaml, "json": parse_json}


class History(NamedTuple):
    """The rows of `metrics.jsonl`."""

    rows: list[dict[str, Any]]
    size: int
    """Values in all."""
    problems: list[str]
    cut: bool = False
    """Whether there are rows before these."""
    broken: bool = False
    """Whether the file could not be read at all."""


def rows(path: str, *, whole: bool) -> History:
    """The rows that can be read: all of at most `MOST_ROWS`, or the last ones.

    A last line that was cut off belongs to an epoch that is being written, and is no problem.
    """
    try:
        text, cut = end(path, most=LARGEST_HISTORY if whole else RECENT)
    except UnreadableError as error:
        return History([], 0, [str(error)], broken=True)
    lines = text.split(b"\n")[1 if cut else 0 : -1]
    problems = []
    if whole and (cut or len(lines) > MOST_ROWS):
        problems.append("has very many rows, of which only the last were read")
    return _parsed_rows(lines[-MOST_ROWS:], problems)._replace(cut=cut)


def _parsed_rows(lines: list[bytes], problems: list[str]) -> History:
    found: list[dict[str, Any]] = []
    size = 0
    odd = False
    for first in range(0, len(lines), ROWS_AT_ONCE):
        for parsed in _batch(lines[first : first + ROWS_AT_ONCE]):
            found.extend(row for row in parsed.value if isinstance(row, dict))
            size += parsed.size
            odd = odd or parsed.odd
    if len(found) < len(lines):
        problems.append(f"has {len(lines) - len(found)} line(s) that are no row of metrics, which are left out")
    if odd:
        problems.append("has numbers that are not finite or too large, which are left out")
    return History(found, size, problems)


def _batch(lines: list[bytes]) -> list[Parsed]:
    """Lists of rows. Lines are parsed together, which takes half the time, unless one of them is no row."""
    together = [line for line in lines if len(line) <= LONGEST_ROW]
    try:
        parsed = parse_json(b"[%b]" % b",".join(together), most=MOST_VALUES_AT_ONCE)
    except UnreadableError:
        parsed = None
    if parsed is not None and len(parsed.value) == len(lines):
        return [parsed]
    if len(lines) == 1:
        return []
    return [one for line in lines for one in _batch([line])]
