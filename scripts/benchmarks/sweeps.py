"""What the jobs of a sweep cost besides training, and what two jobs at once gain."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from scripts.benchmarks.measuring import TRAIN, Measured, Row, command_seconds, in_turns, rows
from scripts.benchmarks.steps import loop_command, run_loop, settings

TINY = (
    "architecture=linear",
    "architecture.code_size=3",
    "dataset.limit=100",
    "training.epochs=1",
    "device=cpu",
    "figures=[]",
)
MORE = 8
"""Additional jobs of the longer of two sweeps whose difference is measured."""
GOAL = 0.95
"""The share of the gain that the processor allows."""


def measure(options: argparse.Namespace) -> Iterator[Row]:
    """An additional tiny job; two jobs of each architecture at once, next to what the processor allows."""
    ways = {"autoenc": _additional_job, "a command for each job": _tiny_run}
    what = "an additional tiny job of a sweep: seconds"
    yield from rows(what, in_turns(ways, rounds=options.rounds), {"autoenc": "0.5 s"})
    for architecture in options.architectures:
        yield from _two_jobs(architecture, options)


def _two_jobs(architecture: str, options: argparse.Namespace) -> list[Row]:
    """The training of two jobs, whose goal is set by that of two bare loops; and the whole sweep."""
    given = [*settings(architecture, options), f"training.epochs={options.epochs}", "figures=[]", "seed=0,1"]
    joblib = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "device.threads=1"]
    bare = loop_command("bare", architecture, options, epochs=options.epochs)
    ways: dict[str, Callable[[], tuple[Measured, Measured]]] = {
        "autoenc, both at once, one thread each": partial(_training_and_whole, [*given, *joblib], together=max),
        "autoenc, in turn, two threads": partial(_training_and_whole, [*given, "device.threads=2"], together=sum),
        "bare, both at once, one thread each": partial(_bare_at_once, bare),
        "bare, in turn, two threads": partial(_bare_in_turn, bare),
    }
    found = in_turns(ways, rounds=options.rounds)
    at_once, in_turn, *bares = found
    training, whole = ({how: [pair[part] for pair in rounds] for how, rounds in found.items()} for part in (0, 1))
    what = f"two jobs of `{architecture}`, {options.epochs} epochs"
    allowed = rows(f"{what}, bare loops: seconds of training", {how: training[how] for how in bares})
    ours = {how: training[how] for how in (at_once, in_turn)}
    goal = f"{GOAL * (allowed[1].ratio or 0):.2f} x"
    return [
        *rows(f"{what}: seconds of training", ours, {in_turn: goal}),
        *allowed,
        *rows(f"{what}: seconds of the whole sweep", {how: whole[how] for how in (at_once, in_turn)}),
    ]


def _training_and_whole(given: list[str], *, together: Callable[[Iterable[float]], float]) -> tuple[Measured, Measured]:
    """A sweep: its jobs' training, and the whole command."""
    with tempfile.TemporaryDirectory() as folder:
        whole = _sweep(given, Path(folder, "sweep"))
        summaries = [json.loads(path.read_text()) for path in Path(folder, "sweep").glob("*/summary.json")]
    return whole.part(together(summary["seconds"]["training"] for summary in summaries)), whole


def _bare_at_once(command: list[str]) -> tuple[Measured, Measured]:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: run_loop(command, OMP_NUM_THREADS="1")[0], range(2)))
    slower = max(both, key=lambda one: one.seconds)
    return slower, slower


def _bare_in_turn(command: list[str]) -> tuple[Measured, Measured]:
    one, _ = run_loop(command, OMP_NUM_THREADS="2")
    two = one.part(2 * one.seconds)
    return two, two


def _additional_job() -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        one, several = (_sweep([*TINY, f"seed=range({count})"], Path(folder, str(count))) for count in (1, 1 + MORE))
    return several.part((several.seconds - one.seconds) / MORE)


def _tiny_run() -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        return command_seconds([*TRAIN, *TINY, f"hydra.run.dir={folder}/run"])


def _sweep(given: Sequence[str], folder: Path) -> Measured:
    return command_seconds([*TRAIN, "-m", *given, "comparison.pictures=[]", f"hydra.sweep.dir={folder}"])
