"""`scripts/status.py FOLDER...`: how the runs in some folders stand."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Group
from rich.live import Live
from rich.text import Text

from autoenc.command_line.exit_code import exit_code
from autoenc.command_line.folders_given import folders_among
from autoenc.comparison.live import ENDED, live_table, remarks, rows_that_fit
from autoenc.comparison.table import print_whole
from autoenc.progress import console
from autoenc.runs import Watch
from autoenc.settings import ConfigError

DESCRIPTION = """\
Show how the runs in some folders stand, and go on: a table with the state, the epoch, the losses, the time taken and
the time left of each. Nothing in the folders is written or locked, so it can be looked at any time, from anywhere.
"""
STATES = """\
states:
  running      its process is at work; on another machine, nobody here can tell: see how long ago it changed anything
  finished     trained and tested; scripts/compare.py compares it
  failed       with the kind of error, and its message; train.log has all of it
  interrupted  it was stopped and has saved everything; `train.py resume=FOLDER` goes on with it
  dead         its folder says that it runs, but its process is gone; it can be gone on with in the same way
  waiting      a job of a sweep that has not begun
  unreadable   the last column has why

examples:
  python scripts/status.py outputs/
  python scripts/status.py outputs/sweeps/rates --follow
"""
REFRESH_SECONDS = 1.0
MOST_REMARKS, MOST_FOLLOWED_REMARKS = 30, 5
"""Lines below the table: why runs failed, and where they are."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Show what the command line asks for; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="status.py",
        description=DESCRIPTION,
        epilog=STATES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="FOLDER", help="a run, a sweep, or a folder with such in it"
    )
    parser.add_argument(
        "--follow", action="store_true", help="on a terminal: keep the table up to date until all have ended, or Ctrl-C"
    )
    options = parser.parse_args(arguments)
    return exit_code(lambda: _show(options.folders, follow=options.follow))


def _show(folders: Sequence[Path], *, follow: bool) -> int:
    if follow and not console.is_terminal:
        raise ConfigError("--follow", "it needs a terminal; without it the table is printed once")
    watch = Watch(folders_among(folders))
    if follow:
        _follow(watch)
        console.insist()
        return 0
    records, now = watch.refresh(), datetime.now(UTC)
    if console.is_terminal:
        console.print(live_table(records, now=now, width=console.width))
        for line in remarks(records, now=now, most=MOST_REMARKS):
            console.print(Text(line))
    else:
        print_whole(live_table(records, now=now), to=console)
    console.insist()
    return 0


def _follow(watch: Watch) -> None:
    """Draw the table again and again. Ctrl-C is the ordinary way to leave it, and no error."""
    records = watch.refresh()
    try:
        with Live(console=console, auto_refresh=False) as live:
            while True:
                now = datetime.now(UTC)
                last = [Text(line, no_wrap=True) for line in remarks(records, now=now, most=MOST_FOLLOWED_REMARKS)]
                rows = max(rows_that_fit(console) - len(last), 1)
                live.update(
                    Group(live_table(records, now=now, most_rows=rows, width=console.width), *last), refresh=True
                )
                nobody_looks = console.lost is not None or not console.is_terminal
                if nobody_looks or all(record.state in ENDED for record in records):
                    return
                time.sleep(REFRESH_SECONDS)
                records = watch.refresh()
    except KeyboardInterrupt:
        return
