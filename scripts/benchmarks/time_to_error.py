"""The time to the published test errors of system A: our presets, and 50 epochs of the tutorial's loop."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmarks.measuring import TRAIN, Measured, Row, command_seconds, rows
from scripts.benchmarks.steps import loop_command, run_loop

EPOCHS = 50
QUICK_EPOCHS = 2
"""With `--quick`, the tutorial trains this long, and its time is multiplied."""


@dataclass(frozen=True)
class Published:
    """A test error, the preset that reaches it, and the aim of the project."""

    error: float
    preset: str
    goal: str


PUBLISHED = {
    "fully_connected": Published(0.0214, "fast_fully_connected", "25 x"),
    "conv": Published(0.0053, "fast_conv", "12 x"),
}


def measure(options: argparse.Namespace) -> Iterator[Row]:
    """Seconds of training, and the test error next to them. One round: the tutorial takes minutes."""
    for architecture in options.architectures:
        published = PUBLISHED[architecture]
        what = f"`{architecture}`, test error {published.error}: seconds of training"
        ours, our_error = _preset(published.preset, options)
        tutorial, error = _tutorial(architecture, options)
        epochs = f"{EPOCHS} epochs, test error {error:.5f}"
        if options.quick:
            epochs = f"{EPOCHS} epochs, from {QUICK_EPOCHS}"
        hows = (f"autoenc, `experiment={published.preset}`, test error {our_error:.5f}", f"tutorial, {epochs}")
        yield from rows(what, {hows[0]: [ours], hows[1]: [tutorial]}, {hows[1]: published.goal})


def _preset(name: str, options: argparse.Namespace) -> tuple[Measured, float]:
    with tempfile.TemporaryDirectory() as folder:
        given = [f"experiment={name}", f"device={options.device}", f"dataset.limit={options.images}", "figures=[]"]
        whole = command_seconds([*TRAIN, *given, f"hydra.run.dir={folder}/run"])
        summary = json.loads(Path(folder, "run", "summary.json").read_text())
    return whole.part(summary["seconds"]["training"]), summary["test"]["mse"]


def _tutorial(architecture: str, options: argparse.Namespace) -> tuple[Measured, float]:
    epochs = QUICK_EPOCHS if options.quick else EPOCHS
    command = loop_command("tutorial", architecture, options, epochs=epochs)
    training, error = run_loop([*command, "--fixed-order"])
    return training.part(training.seconds * EPOCHS / epochs), error
