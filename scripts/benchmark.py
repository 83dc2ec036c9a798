"""Measure the speed of autoenc, next to what one would use instead, and print one table in Markdown.

    python scripts/benchmark.py                                  # everything: half an hour on an idle machine
    python scripts/benchmark.py --quick                          # a first look: a few minutes, less exact
    python scripts/benchmark.py --only step startup --threads 1
    python scripts/benchmark.py --only step --architectures conv --epochs 2 --device cuda

Sections: `step` (an epoch of training), `startup` (imports, first step), `default` (the default run), `sweep` (jobs of
a sweep), `error` (time to a published test error), `compare` (comparing run folders). docs/performance.md explains every
row. Fashion-MNIST is read from the folder AUTOENC_DATA. Lightning and pythae are measured if they are installed.

All ways to do one thing take turns, each in a process of its own, and the best of the rounds counts. Use an idle
machine.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from scripts.benchmarks import comparisons, start_up, steps, sweeps, time_to_error
from scripts.benchmarks.machine import describe_machine, machine_sentences
from scripts.benchmarks.measuring import Row

SECTIONS: dict[str, Callable[[argparse.Namespace], list[Row]]] = {
    "step": steps.measure,
    "startup": start_up.measure_start,
    "default": start_up.measure_default_run,
    "sweep": sweeps.measure,
    "error": time_to_error.measure,
    "compare": comparisons.measure,
}
HEADING = "| what | how | best | rounds | ratio | goal | peak MB |\n| --- | --- | ---: | --- | ---: | ---: | ---: |"


def main() -> None:
    """Measure the chosen sections and print their rows as they come."""
    options = _options()
    machine = describe_machine()
    print("\n".join(machine_sentences(machine)), flush=True)
    found: list[Row] = []
    print(f"\n{HEADING}", flush=True)
    for section in options.only:
        measured = SECTIONS[section](options)
        print("\n".join(_line(row) for row in measured), flush=True)
        found += measured
    if options.json:
        content = {"machine": machine, "command_line": sys.argv, "rows": [asdict(row) for row in found]}
        options.json.write_text(json.dumps(content, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="the sections to measure")
    parser.add_argument("--architectures", nargs="+", choices=steps.GOALS, default=list(steps.GOALS))
    parser.add_argument("--epochs", type=int, help="of each measurement of the training (default: 5)")
    parser.add_argument("--rounds", type=int, help="measurements of each way (default: 3)")
    parser.add_argument("--folders", type=int, nargs="+", help="to compare (default: 200 5000)")
    parser.add_argument("--images", type=int, default=60_000, help="training images; fewer only for a trial")
    parser.add_argument("--threads", type=int, help="of every process, except in sweep (default: torch's choice)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--quick", action="store_true", help="1 epoch, 1 round, 200 folders; 2 of the tutorial's 50 epochs"
    )
    parser.add_argument("--json", type=Path, help="a file for all rounds, with processor seconds and memory")
    options = parser.parse_args()
    usual = (
        {"epochs": 1, "rounds": 1, "folders": [200]}
        if options.quick
        else {"epochs": 5, "rounds": 3, "folders": [200, 5000]}
    )
    for name, value in usual.items():
        setattr(options, name, getattr(options, name) or value)
    if "AUTOENC_DATA" not in os.environ:
        parser.error("AUTOENC_DATA has to be the folder of Fashion-MNIST")
    if options.threads:
        os.environ["OMP_NUM_THREADS"] = str(options.threads)  # every process below reads it
    return options


def _line(row: Row) -> str:
    ratio = "" if row.ratio is None else f"{row.ratio:.2f} x"
    rounds = " ".join(f"{one.seconds:.2f}" for one in row.rounds)
    memory = max(one.megabytes for one in row.rounds)
    return f"| {row.what} | {row.how} | {row.best:.2f} | {rounds} | {ratio} | {row.goal} | {memory:.0f} |"


if __name__ == "__main__":
    main()
