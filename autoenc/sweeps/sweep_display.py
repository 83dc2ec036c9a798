"""The display of a running sweep: a live table on a terminal, a log line for each job elsewhere."""

from __future__ import annotations

import contextlib
import logging
import re
import time
from datetime import UTC, datetime
from pathlib import Path

from rich.live import Live

from autoenc.comparison.live_table import live_table, rows_that_fit
from autoenc.progress import console
from autoenc.runs import RunDirectory, Watch, printable
from autoenc.sweeps.plan import Job

log = logging.getLogger(__name__)

_WARNING = re.compile(r"^.{23} WARNING autoenc(?!\.experiment\.closing_report)\S*: (.*)$", re.MULTILINE)

LARGEST_LOG = 2**20
"""Characters of a log that are searched for warnings."""
REFRESH_SECONDS = 0.5
"""Between two readings of the folders, which take time from the jobs."""


class SweepDisplay:
    """A `Display`; the table is live from `__enter__` to `__exit__`."""

    def __init__(self, folder: Path) -> None:
        self._watch = Watch([folder])
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._looked = 0.0
        self._warned: set[str] = set()

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

    def began(self, job: Job) -> None:
        """Log a line if there is no table."""
        if not console.is_terminal:
            log.info("%s: started", job.folder.name)

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

    def look(self) -> None:
        """Refresh the table, if there is one and it is time."""
        if console.is_terminal and time.monotonic() - self._looked >= REFRESH_SECONDS:
            self._looked = time.monotonic()
            with contextlib.suppress(OSError, ValueError):  # a folder has been removed
                size = {"most_rows": rows_that_fit(console), "width": console.width}
                self._live.update(live_table(self._watch.refresh(), now=datetime.now(UTC), **size), refresh=True)

    def stopping(self) -> None:
        """Say what is going on: saving may take a while."""
        log.info("Stopping: the running jobs save. Once more (Ctrl-C) ends them at once.")
