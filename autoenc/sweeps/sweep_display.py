"""The display of a running sweep: a live table on a terminal, a log line for each event elsewhere."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.live import Live

from autoenc.comparison.live_table import live_table, rows_that_fit
from autoenc.progress import console
from autoenc.runs import RunDirectory, Watch, printable
from autoenc.sweeps.plan import STARTED, Job

log = logging.getLogger(__name__)

_WARNING = re.compile(r"^.{23} WARNING autoenc(?!\.experiment\.closing_report)\S*: (.*)$", re.MULTILINE)

LARGEST_LOG = 2**20
"""Characters of a log that are searched for warnings."""
REFRESH_SECONDS = 0.5
"""Between two readings of the folders, which take time from the jobs."""
MOST_NAMED = 3
"""Jobs in a line of the log."""


class SweepDisplay:
    """A `Display`; the table is live from `__enter__` to `__exit__`."""

    def __init__(self, folder: Path) -> None:
        self._watch = Watch([folder])
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._looked = 0.0
        self._warned: set[str] = set()
        self._states: Mapping[str, str] = {}
        """By folder, as the launcher reported them last."""

    def __enter__(self) -> SweepDisplay:
        if console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def interrupted(self) -> None:
        """Print the table once."""
        with contextlib.suppress(OSError, ValueError):
            console.print(live_table(self._watch.refresh(), now=datetime.now(UTC), width=console.width))

    def planned(self, job: Job, action: str) -> None:
        """Say which job the sweep waits for, and where it runs."""
        if action == "wait":
            host = RunDirectory(job.folder).status().get("host")
            log.info("%s is still running from an earlier start, on %s; waiting for it.", job.folder.name, host)

    def ended(self, job: Job) -> None:
        """Log a line if there is no table; log a failure always."""
        run = RunDirectory(job.folder)
        state, error = run.state, run.status().get("error") or {}
        if run.diverged:
            log.warning("%s: diverged: %s", job.folder.name, error.get("message"))
        elif state == "failed":
            kind = str(error.get("kind")).replace("_", " ")
            log.error("%s: %s: %s", job.folder.name, kind, error.get("message"))
        elif not console.is_terminal:
            log.info("%s: %s", job.folder.name, state or "not started")
        self._repeat_warnings(job)

    def _repeat_warnings(self, job: Job) -> None:
        """Repeat the warnings of jobs, each text once: a tracker that cannot be reached affects all of them.

        Those of the closing report concern one job, and stay in its log.
        """
        try:
            with (job.folder / "train.log").open(encoding="utf-8", errors="replace") as file:
                found = _WARNING.findall(file.read(LARGEST_LOG))
        except OSError:
            return
        for text in dict.fromkeys(found):
            if text not in self._warned:
                self._warned.add(text)
                log.warning("%s: %s", job.folder.name, printable(text))

    def look(self, states: Callable[[], Mapping[str, str]]) -> None:
        """Refresh the table or, if there is none, log new states of jobs; `states` are those of the launcher."""
        if time.monotonic() - self._looked < REFRESH_SECONDS:
            return
        self._looked = time.monotonic()
        before, self._states = self._states, states()
        if console.is_terminal:
            waiting = {os.path.realpath(job): state for job, state in self._states.items() if state != STARTED}
            with contextlib.suppress(OSError, ValueError):  # a folder has been removed
                size = {"most_rows": rows_that_fit(console), "width": console.width}
                table = live_table(self._watch.refresh(), now=datetime.now(UTC), why_waiting=waiting, **size)
                self._live.update(table, refresh=True)
            return
        changed = {folder: state for folder, state in self._states.items() if before.get(folder) != state}
        for state in dict.fromkeys(changed.values()):
            log.info("%s: %s", _named([folder for folder in changed if changed[folder] == state]), state)

    def stopping(self, elsewhere: Sequence[Job]) -> None:
        """Say that jobs save, which may take a while, and that those `elsewhere` continue."""
        log.info("Stopping: the running jobs save. Once more (Ctrl-C) ends them at once.")
        if elsewhere:
            names = _named([str(job.folder) for job in elsewhere])
            log.warning("An earlier start of the sweep runs these jobs, so they continue: %s", names)


def _named(folders: Sequence[str]) -> str:
    more = f" and {len(folders) - MOST_NAMED} more" if len(folders) > MOST_NAMED else ""
    return ", ".join(Path(folder).name for folder in folders[:MOST_NAMED]) + more
