"""What was read of run folders before, kept so that the next reading takes no time.

A row for each folder holds the stamps of its files (size, times, inode) and what was read of them, as JSON, with a
checksum. It may be deleted or damaged at any time, and several processes may use it at once: what is not there, not
right or not to be had just now is read from the folder again. Where it cannot be kept, nothing is.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
import zlib
from pathlib import Path
from typing import Literal

from autoenc.runs.reading.contents import Contents, Stamps, is_settled

NAME = "runs-2.sqlite3"
"""The number changes with what the rows mean."""
LARGEST_ROW = 256 * 1024
LARGEST = 256 * 1024 * 1024
"""Bytes of the whole file, after which the half that was not used for longest is forgotten."""
PATIENCE = 0.2
"""Seconds to wait for another process."""
AT_ONCE = 500
"""Rows in one transaction."""
DAY = 24 * 3600


def usual_place() -> Path | None:
    """`~/.cache/autoenc`, or where XDG_CACHE_HOME says; None where a person has no home."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    try:
        return (Path(named) if Path(named).is_absolute() else Path.home() / ".cache") / "autoenc"
    except RuntimeError:
        return None


_FAULTS = (sqlite3.Error, OSError, ValueError)
"""What SQLite raises over a file that is damaged, locked or not to be had; a ValueError where its own message cannot be
decoded.
"""


class Cache:
    """What was read before, of a folder and in a state of its files."""

    def __init__(self, place: Path | Literal["usual"] | None) -> None:
        folder = usual_place() if place == "usual" else place
        self._path = None if folder is None else folder / NAME
        self._connection: sqlite3.Connection | None = None
        self._opened = False
        self._today = int(time.time() // DAY)
        self._new: dict[bytes, tuple[bytes, bytes]] = {}
        self._used: list[bytes] = []

    def find(self, folder: str, stamps: Stamps) -> Contents | None:
        """What was kept of the folder, if its files are still the same."""
        connection = self._connected()
        if connection is None:
            return None
        key = os.fsencode(folder)
        row: tuple[object, ...] | None = None
        try:
            query = "SELECT stamps, content, checksum, used FROM runs WHERE path = ?"
            row = connection.execute(query, (key,)).fetchone()
        except _FAULTS as error:
            self._give_up(error)
        if row is None or row[0] != _as_bytes(stamps) or not isinstance(row[1], bytes):
            return None
        if zlib.crc32(row[1]) != row[2]:
            return None
        if row[3] != self._today:
            self._used.append(key)
        return Contents.from_json(row[1])

    def keep(self, folder: str, stamps: Stamps, contents: Contents) -> None:
        """Keep this, at the latest when `store` is called, unless the folder is changing just now.

        What could not be read is not kept: the next time it may be possible.
        """
        if contents.broken or self._connected() is None or not is_settled(stamps):
            return
        content = contents.as_json()
        if len(content) <= LARGEST_ROW:
            self._new[os.fsencode(folder)] = (_as_bytes(stamps), content)
        if len(self._new) >= AT_ONCE:
            self.store()

    def store(self) -> None:
        """Write what is to be kept."""
        connection = self._connection
        if connection is None or not (self._new or self._used):
            return
        rows = [(path, kept, text, zlib.crc32(text), self._today) for path, (kept, text) in self._new.items()]
        used = [(self._today, path) for path in self._used]
        self._new, self._used = {}, []
        try:
            with connection:
                connection.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?)", rows)
                connection.executemany("UPDATE runs SET used = ? WHERE path = ?", used)
            _shrink(connection)
        except _FAULTS as error:
            self._give_up(error)

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            with contextlib.suppress(*_FAULTS):
                self._connection.close()
        self._connection = None

    def _connected(self) -> sqlite3.Connection | None:
        if not self._opened:
            self._opened = True
            try:
                self._connection = None if self._path is None else _open(self._path)
            except _FAULTS as error:
                self._give_up(error)
        return self._connection

    def _give_up(self, error: Exception) -> None:
        """Go on without; a file that is damaged makes room for another."""
        self.close()
        damaged = not isinstance(error, (sqlite3.OperationalError, OSError))
        if damaged and self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()


def _as_bytes(stamps: Stamps) -> bytes:
    return repr([None if one is None else tuple(one) for one in stamps]).encode()


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=PATIENCE)
    try:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA synchronous = OFF")  # a loss of power costs no more than a reading
        connection.execute(_TABLE)
    except BaseException:
        connection.close()
        raise
    return connection


_TABLE = """
CREATE TABLE IF NOT EXISTS runs
(path BLOB PRIMARY KEY, stamps BLOB NOT NULL, content BLOB NOT NULL, checksum INTEGER NOT NULL, used INTEGER NOT NULL)
"""

_FORGET = """
DELETE FROM runs WHERE path IN (SELECT path FROM runs ORDER BY used LIMIT (SELECT (count(*) + 1) / 2 FROM runs))
"""


def _shrink(connection: sqlite3.Connection) -> None:
    if _size(connection) <= LARGEST:
        return
    with connection:
        connection.execute(_FORGET)
    connection.execute("PRAGMA incremental_vacuum").fetchall()


def _size(connection: sqlite3.Connection) -> int:
    ((pages,),) = connection.execute("PRAGMA page_count").fetchall()
    ((page_size,),) = connection.execute("PRAGMA page_size").fetchall()
    return int(pages) * int(page_size)
