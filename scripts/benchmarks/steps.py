"""The training step: seconds per epoch of autoenc and of other loops with the same layers, images and optimizer."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from scripts.benchmarks.measuring import TRAIN, Measured, Row, command_seconds, in_turns, rows

GOALS = {"fully_connected": "3.5 x", "conv": "2.8 x"}
"""How many times as fast as the tutorial; the aims of the project on two cores."""


def measure(options: argparse.Namespace) -> Iterator[Row]:
    """The rows of each architecture."""
    ways: dict[tuple[str, str], Callable[[], Measured]] = {}
    for architecture in options.architectures:
        ways[architecture, "autoenc"] = partial(_epoch_of_autoenc, architecture, options)
        for loop in loops_here():
            ways[architecture, loop] = partial(_epoch_of, loop, architecture, options)
    found = in_turns(ways, rounds=options.rounds)
    for architecture in options.architectures:
        its_loops = {loop: rounds for (name, loop), rounds in found.items() if name == architecture}
        for row in rows(f"`{architecture}`: seconds per epoch", its_loops, {"tutorial": GOALS[architecture]}):
            yield replace(row, settings={"architecture": architecture, "loop": row.how})


def loops_here() -> list[str]:
    """The loops of `loops.py` whose packages are installed."""
    return ["tutorial", "bare", *(name for name in ("lightning", "pythae") if find_spec(name) is not None)]


def loop_command(loop: str, architecture: str, options: argparse.Namespace, *, epochs: int) -> list[str]:
    """The module that trains with another loop, and its arguments."""
    sizes = [f"--epochs={epochs}", f"--images={options.images}", f"--device={options.device}"]
    return ["scripts.benchmarks.loops", loop, architecture, *sizes]


def settings(architecture: str, options: argparse.Namespace) -> list[str]:
    """The same training for `train.py`."""
    return [
        f"architecture={architecture}",
        "architecture.initialization=torch_default",
        "optimizer.learning_rate=1e-3",
        "dataset=fashion_mnist",
        "dataset.validation_fraction=0",
        f"dataset.limit={options.images}",
        f"device={options.device}",
        "training.batch_size=64",
    ]


def _epoch_of_autoenc(architecture: str, options: argparse.Namespace) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        given = [*settings(architecture, options), f"training.epochs={options.epochs}", f"hydra.run.dir={folder}/run"]
        whole = command_seconds([*TRAIN, *given])
        seconds = json.loads(Path(folder, "run", "summary.json").read_text())["seconds"]["training"]
    return whole.part(seconds / options.epochs)


def _epoch_of(loop: str, architecture: str, options: argparse.Namespace) -> Measured:
    training, _ = run_loop(loop_command(loop, architecture, options, epochs=options.epochs))
    return training.part(training.seconds / options.epochs)


def run_loop(command: Sequence[str], **environment: str) -> tuple[Measured, float]:
    """Run a `loop_command`; returns its training time, with the memory of the whole process, and its test error."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.json"
        whole = command_seconds([sys.executable, "-m", *command, f"--result={path}"], **environment)
        result = json.loads(path.read_text())
    return whole.part(result["seconds"]), result["test_error"]
