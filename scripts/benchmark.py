"""Measure the speed of autoenc, next to what one would use instead, and print one table in Markdown.

    python scripts/benchmark.py                                  # everything: half an hour on an idle machine
    python scripts/benchmark.py --quick --epochs 1 --rounds 1    # a first look
    python scripts/benchmark.py --only step startup --threads 1
    python scripts/benchmark.py --only step --architectures conv --epochs 2 --device cuda

Sections: `step` (an epoch of training), `startup` (imports, first step), `default` (the default run), `sweep` (jobs of
a sweep), `error` (time to a published test error), `compare` (comparing run folders). docs/performance.md explains the
rows. Fashion-MNIST is read from the folder AUTOENC_DATA. Lightning and pythae are measured if they are installed.

All ways to do one thing take turns, each in a process of its own, and the best of the rounds counts. Use an idle
machine.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from scripts.benchmarks import comparisons, start_up, steps, sweeps, time_to_error
from scripts.benchmarks.machine import describe_machine, machine_sentences
from scripts.benchmarks.measuring import Row

SECTIONS: dict[str, Callable[[argparse.Namespace], Iterator[Row]]] = {
    "step": steps.measure,
    "startup": start_up.measure_start,
    "default": start_up.measure_default_run,
    "sweep": sweeps.measure,
    "error": time_to_error.measure,
    "compare": comparisons.measure,
}
HEADING = """| what | how | best | rounds | ratio | goal | processor s | peak MB |
| --- | --- | ---: | --- | ---: | ---: | ---: | ---: |"""


def main() -> None:
    """Measure the chosen sections and print their rows as they come."""
    options = _options()
    machine = describe_machine()
    print("\n".join(machine_sentences(machine)), flush=True)
    found: list[Row] = []
    print(f"\n{HEADING}", flush=True)
    for section in options.only:
        for row in SECTIONS[section](options):
            print(_line(row), flush=True)
            found.append(row)
    if options.json:
        content = {"machine": machine, "command_line": sys.argv, "rows": [asdict(row) for row in found]}
        options.json.write_text(json.dumps(content, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="the sections to measure")
    parser.add_argument("--architectures", nargs="+", choices=steps.GOALS, default=list(steps.GOALS))
    parser.add_argument("--epochs", type=int, default=5, help="of each measurement of the training")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each way; error has one")
    parser.add_argument("--folders", type=int, nargs="+", default=[200, 5000], help="how many to compare")
    parser.add_argument("--images", type=int, default=60_000, help="training images; fewer only for a trial")
    parser.add_argument("--threads", type=int, help="of every process, except in sweep (default: torch's choice)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--quick", action="store_true", help="error: only 2 of the tutorial's 50 epochs, multiplied")
    parser.add_argument("--json", type=Path, help="a file for all rounds")
    options = parser.parse_args()
    if "AUTOENC_DATA" not in os.environ:
        parser.error("AUTOENC_DATA has to be the folder of Fashion-MNIST")
    if options.threads:
        os.environ["OMP_NUM_THREADS"] = str(options.threads)  # every process below reads it
    return options


def _line(row: Row) -> str:
    ratio = "" if row.ratio is None else f"{row.ratio:.2f} x"
    rounds = " ".join(f"{one.seconds:.2f}" for one in row.rounds)
    processor = [one.processor_seconds for one in row.rounds if one.processor_seconds is not None]
    cells = [row.what, row.how, f"{row.best:.2f}", rounds, ratio, row.goal]
    cells += [f"{min(processor):.2f}" if processor else "", f"{max(one.megabytes for one in row.rounds):.0f}"]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
