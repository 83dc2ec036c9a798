"""The time to compare many run folders."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from scripts.benchmarks.measuring import SCRIPTS, Row, command_seconds, in_turns, rows
from scripts.benchmarks.run_folders import make_runs


def measure(options: argparse.Namespace) -> Iterator[Row]:
    """Ranking each number of folders with `compare.py`, and with a plain script. The files are in the page cache."""
    for count in options.folders:
        with tempfile.TemporaryDirectory() as folder:
            make_runs(Path(folder), count, epochs=20)
            ways = {
                "autoenc": partial(command_seconds, [sys.executable, str(SCRIPTS / "compare.py"), folder]),
                "a plain script": partial(
                    command_seconds, [sys.executable, "-m", "scripts.benchmarks.plain_comparison", folder]
                ),
            }
            yield from rows(f"comparing {count:,} folders: seconds", in_turns(ways, rounds=options.rounds))
