"""`scripts/track.py FOLDER... tracker=CHOICE`: send runs that have ended to a tracker."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from autoenc.command_line.exit_code import FAILED, exit_code, in_one_line
from autoenc.command_line.group_arguments import folders_and_overrides, group_parser, group_values
from autoenc.command_line.shared_arguments import folders_among
from autoenc.progress import console, insist_on_output, log_to_terminal, steps
from autoenc.runs import RunDirectory, RunRecord, read_runs
from autoenc.settings import ConfigError, listed

DESCRIPTION = """\
Send runs that have ended to a tracker, as if they had been tracked while they trained: settings, epochs, scores, units,
pictures, the state and the times. A folder is a run, a sweep, or a folder that contains some.

A run that the tracker knows already is completed: after an outage of a server, for example. What the tracker has stays
as it is, so a run can be sent again at any time. Its tracker.json names its records. A run that is still training is
refused. Jobs of a sweep that have not started are left out.
"""

EXAMPLES = """\
Examples

  python scripts/track.py outputs/2026-01-31/12-00-00-000000 tracker=mlflow
  python scripts/track.py outputs/sweeps/rates tracker=mlflow tracker.tracking_uri=http://localhost:5000
  python scripts/track.py outputs tracker=wandb tracker.mode=online

If some runs cannot be sent, the others are. The last lines name them, with the reason, and the exit code is 1.

Settings of each choice (tracker.KEY=VALUE), as for training

"""

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; returns the exit code."""
    parser = group_parser(
        "tracker",
        prog="track.py",
        description=DESCRIPTION,
        examples=EXAMPLES,
        leave_out={"none"},
        settings=("tracker",),
    )
    options = parser.parse_intermixed_args(arguments)
    return exit_code(lambda: _track(options))


def _track(options: argparse.Namespace) -> int:
    log_to_terminal()
    folders, overrides = folders_and_overrides(options.words, group="tracker", known=("tracker",))
    values = group_values("tracker", overrides)
    from autoenc.trackers import TRACKERS, TrackerError

    if values["name"] == "none":
        choices = [name for name in TRACKERS.names() if name != "none"]
        raise ConfigError("tracker", f"choose where to send the runs: {listed(choices)}")
    records = _runs(folders_among(folders))
    TRACKERS.parse(values).require()
    from autoenc.experiment.tracking import send_run

    failures = {}
    for record in steps(records, name="Sending", item_name=lambda record: record.name):
        try:
            send_run(RunDirectory(record.path), tracker=values)
            console.print(f"Sent: {record.name} ({record.state})", soft_wrap=True, markup=False)
        except (ValueError, OSError, TrackerError) as error:
            failures[record.name] = in_one_line(error)
    for name, reason in failures.items():
        sys.stderr.write(f"error: {name} was not sent: {reason}\n")
    insist_on_output()
    return FAILED if failures else 0


def _runs(folders: Sequence[Path]) -> list[RunRecord]:
    records = read_runs(folders, history=False)
    for folder in folders:
        place = folder.resolve()
        if not any(place == record.path or place in record.path.parents for record in records):
            raise ConfigError("FOLDER", "there is no run in it", value=str(folder))
    waiting = [record.name for record in records if record.state == "waiting"]
    if waiting:
        log.warning("Left out, because they have not started: %s.", listed(waiting))
    return [record for record in records if record.state != "waiting"]
