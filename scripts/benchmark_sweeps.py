#!/usr/bin/env python
"""Measure what a sweep's jobs cost besides training: a warm start, a cold start, and two jobs at once.

    python scripts/benchmark_sweeps.py [repeats]

Prints a table in Markdown, in seconds. It compares two jobs at once with one thread each to the same two one after
another with two threads each, on MNIST. Run it on an idle machine.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

TRAIN = str(Path(__file__).with_name("train.py"))
TINY = ("architecture=linear", "architecture.code_size=3", "dataset.limit=100", "training.epochs=1")
COMMON = ("device=cpu", "figures=[]")
LONGER = ("training.epochs=4", "dataset=mnist")  # long enough that the start hardly counts


def main() -> None:
    """Measure and print."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as folder:
        print("| what | seconds |")
        print("| --- | ---: |")
        for what, measure in _measurements(Path(folder)).items():
            print(f"| {what} | {statistics.median(measure() for _ in range(repeats)):.2f} |", flush=True)


def _measurements(folder: Path) -> dict[str, Callable[[], float]]:
    def sweep(*arguments: str) -> float:
        place = Path(tempfile.mkdtemp(dir=folder)) / "sweep"
        return _seconds("-m", *arguments, *COMMON, "comparison.pictures=[]", f"hydra.sweep.dir={place}")

    def warm() -> float:
        return (sweep(*TINY, "seed=range(9)") - sweep(*TINY, "seed=range(1)")) / 8

    def cold() -> float:
        return _seconds(*TINY, *COMMON, f"hydra.run.dir={tempfile.mkdtemp(dir=folder)}/run")

    def two(architecture: str, *launcher: str) -> float:
        return sweep(f"architecture={architecture}", *LONGER, "seed=0,1", *launcher)

    measured = {"a tiny run, started cold": cold, "one more such job of a sweep, started warm": warm}
    at_once = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "device.threads=1")
    for name in ("fully_connected", "conv"):
        measured[f"two of {name}, one after another, two threads"] = partial(two, name, "device.threads=2")
        measured[f"two of {name} at once, a thread each"] = partial(two, name, *at_once)
    return measured


def _seconds(*arguments: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, TRAIN, *arguments], check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own script
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
