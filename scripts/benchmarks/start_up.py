"""Start-up and the default run, from the command to its end."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial

from scripts.benchmarks.measuring import TRAIN, Measured, Row, command_seconds, in_turns, rows
from scripts.benchmarks.steps import loop_command, loops_here, settings

IMPORTS = {
    "autoenc": "autoenc.experiment.run",
    "tutorial": "torch, torchvision",
    "lightning": "lightning, torchvision",
    "pythae": "pythae.models, pythae.pipelines, torchvision",
}


def measure_start(options: argparse.Namespace) -> Iterator[Row]:
    """The imports, and from the command to the first step of training `fully_connected` on Fashion-MNIST."""
    others = [loop for loop in loops_here() if loop != "bare"]
    imports: dict[str, Callable[[], Measured]] = {
        f"{way}: `import {IMPORTS[way]}`": partial(command_seconds, [sys.executable, "-c", f"import {IMPORTS[way]}"])
        for way in ("autoenc", *others)
    }
    first_step = {"autoenc": partial(_first_step_of_autoenc, options)}
    for loop in others:
        first_step[loop] = partial(_first_step, loop_command(loop, "fully_connected", options, epochs=1))
    yield from rows("imports: seconds", in_turns(imports, rounds=options.rounds))
    yield from rows("command to first step: seconds", in_turns(first_step, rounds=options.rounds))


def measure_default_run(options: argparse.Namespace) -> Iterator[Row]:
    """`train.py` without settings (20 epochs of the digits), with its pictures and without."""
    for what, given, script, goal in (
        ("default run: seconds", [], ["--figures"], "5 s"),
        ("default run, `figures=[]`: seconds", ["figures=[]"], [], "3.5 s"),
    ):
        ways = {"autoenc": partial(_train, given), "a plain script": partial(_script, script)}
        yield from rows(what, in_turns(ways, rounds=options.rounds), {"autoenc": goal})


def _first_step_of_autoenc(options: argparse.Namespace) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        return _first_step(["scripts.train", *settings("fully_connected", options), f"hydra.run.dir={folder}/run"])


def _first_step(command: list[str]) -> Measured:
    return command_seconds([sys.executable, "-m", "scripts.benchmarks.first_step", *command])


def _train(given: list[str]) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        return command_seconds([*TRAIN, *given, f"hydra.run.dir={folder}/run"])


def _script(given: list[str]) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        return command_seconds([sys.executable, "-m", "scripts.benchmarks.plain_script", folder, *given])
