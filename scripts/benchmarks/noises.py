"""The training step with each kind of noise: what a noise costs, and where the time goes."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from scripts.benchmarks.measuring import Measured, Row, command_seconds, rows

STEPS = 1000
"""The times are multiplied to those of so many steps, so that seconds are milliseconds per step."""


def measure(options: argparse.Namespace) -> Iterator[Row]:
    """The rows of each architecture, without noise first. See `noise_steps.py`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.json"
        sizes = [f"--rounds={options.rounds}", f"--images={options.images}", f"--device={options.device}"]
        command = [sys.executable, "-m", "scripts.benchmarks.noise_steps", *sizes, f"--result={path}"]
        whole = command_seconds(command)
        found = json.loads(path.read_text())
    for architecture in dict.fromkeys(each["architecture"] for each in found):
        taken: dict[str, list[Measured]] = {}
        for each in found:
            if each["architecture"] == architecture:
                seconds = {name: STEPS * value for name, value in each.items() if name.endswith("seconds")}
                taken.setdefault(each["noise"], []).append(whole.part(seconds.pop("seconds"), seconds))
        for row in rows(f"`{architecture}`: seconds per {STEPS:,} steps", taken):
            settings = {"architecture": architecture, "noise": row.how}
            yield replace(row, how=f"{row.how}: {_parts(row)}", settings=settings)


def _parts(row: Row) -> str:
    """The parts of a step in the best round."""
    best = min(row.rounds, key=lambda one: one.seconds)
    return ", ".join(f"{name.removesuffix('_seconds')} {seconds:.2f}" for name, seconds in best.parts.items())
