"""`scripts/status.py FOLDER...`: the states and progress of runs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Group
from rich.live import Live
from rich.text import Text

from autoenc.command_line.exit_code import exit_code
from autoenc.command_line.shared_arguments import folders_among, folders_parser
from autoenc.comparison.live_table import ENDED, live_table, remarks, rows_that_fit
from autoenc.comparison.rendering import print_whole
from autoenc.progress import console, insist_on_output, lost_output
from autoenc.runs import Watch
from autoenc.settings import ConfigError

DESCRIPTION = """\
Show the state, the epoch, the losses, the time taken and the time left of the runs in some folders. The time left is
estimated from a run's own epochs and, for evaluation and pictures, from the finished runs among them. Nothing in the
folders is written or locked, so this works at any time and from any machine that sees them.
"""
STATES = """\
states:
  running      its process starts or trains; on another machine this cannot be checked: see when it last changed a file
  evaluating, drawing pictures
               it is running, and the training is over
  finished     trained and tested; scripts/compare.py compares it
  failed       with the kind of error and its message; train.log has the details
  diverged     its loss or gradient was no longer finite
  interrupted  it was stopped and has saved everything; `train.py resume=FOLDER` continues it
  dead         its folder says that it is running, but its process is gone; it can be continued in the same way
  waiting      a job of a sweep that has not started
  unreadable   the last column has the reason

examples:
  python scripts/status.py outputs/
  python scripts/status.py outputs/sweeps/rates --follow
"""
REFRESH_SECONDS = 1.0
MOST_REMARKS, MOST_FOLLOWED_REMARKS = 30, 5
"""Lines below the table: why runs failed, and on which machines they run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Show the table once or continuously; returns the exit code."""
    parser = folders_parser(prog="status.py", description=DESCRIPTION, epilog=STATES)
    parser.add_argument(
        "--follow", action="store_true", help="on a terminal: update the table until all runs have ended, or Ctrl-C"
    )
    options = parser.parse_args(arguments)
    return exit_code(lambda: _show(options.folders, follow=options.follow))


def _show(folders: Sequence[Path], *, follow: bool) -> int:
    if follow and not console.is_terminal:
        raise ConfigError("--follow", "it needs a terminal; without it the table is printed once")
    watch = Watch(folders_among(folders))
    if follow:
        with contextlib.suppress(KeyboardInterrupt):
            _follow(watch)
    else:
        records, now = watch.refresh(), datetime.now(UTC)
        if console.is_terminal:
            console.print(live_table(records, now=now, width=console.width))
            for line in remarks(records, now=now, most=MOST_REMARKS):
                console.print(Text(line))
        else:
            print_whole(live_table(records, now=now), to=console)
    insist_on_output()
    return 0


def _follow(watch: Watch) -> None:
    """Keep the table up to date until all runs have ended. Ctrl-C is the usual way to leave."""
    with Live(console=console, auto_refresh=False) as live:
        while True:
            records, now = watch.refresh(), datetime.now(UTC)
            last = [Text(line, no_wrap=True) for line in remarks(records, now=now, most=MOST_FOLLOWED_REMARKS)]
            rows = max(rows_that_fit(console) - len(last), 1)
            table = live_table(records, now=now, most_rows=rows, width=console.width)
            live.update(Group(table, *last), refresh=True)
            no_reader = lost_output() is not None or not console.is_terminal
            if no_reader or all(record.state in ENDED for record in records):
                return
            time.sleep(REFRESH_SECONDS)
