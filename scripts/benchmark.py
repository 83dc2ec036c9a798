"""Measure the speed of autoenc, next to what one would use instead, and print one table in Markdown.

    python scripts/benchmark.py                                  # everything: half an hour on an idle machine
    python scripts/benchmark.py --quick --epochs 1 --rounds 1    # a first look
    python scripts/benchmark.py --only step startup --threads 1
    python scripts/benchmark.py --only step --architectures conv --epochs 2 --device cuda

Sections: `step` (an epoch of training), `startup` (imports, first step), `default` (the default run), `sweep` (jobs of
a sweep), `error` (time to a published test error), `compare` (comparing run folders), `noise` (a training step with
each kind of noise). docs/performance.md explains the rows. Fashion-MNIST is read from the folder AUTOENC_DATA.
Lightning and pythae are measured if they are installed.

All ways to do one thing take turns, each in a process of its own (kinds of noise share one), and the best of the rounds
counts. Use an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from autoenc.command_line.shared_arguments import Parser, positive
from scripts.benchmarks import comparisons, noises, start_up, steps, sweeps, time_to_error
from scripts.benchmarks.machine import describe_machine, machine_sentences
from scripts.benchmarks.measuring import Row

SECTIONS: dict[str, Callable[[argparse.Namespace], Iterator[Row]]] = {
    "step": steps.measure,
    "startup": start_up.measure_start,
    "default": start_up.measure_default_run,
    "sweep": sweeps.measure,
    "error": time_to_error.measure,
    "compare": comparisons.measure,
    "noise": noises.measure,
}
HEADING = """| what | how | best | rounds | ratio | goal | processor s | peak MB |
| --- | --- | ---: | --- | ---: | ---: | ---: | ---: |"""


def main() -> None:
    """Measure the chosen sections and print their rows as they come. Ctrl-C leaves those that are there."""
    options = _options()
    machine = describe_machine()
    print("\n".join(machine_sentences(machine)), flush=True)
    print(f"\n{HEADING}", flush=True)
    content: dict[str, Any] = {"machine": machine, "command_line": sys.argv, "seconds": 0.0, "rows": [], "rounds": []}
    started = time.perf_counter()
    try:
        for section in options.only:
            for row in SECTIONS[section](options):
                print(_line(row), flush=True)
                content["seconds"] = time.perf_counter() - started
                content["rows"].append(asdict(row))
                content["rounds"] += [{"section": section, **numbers} for numbers in row.numbers]
                if options.json:
                    options.json.write_text(json.dumps(content, indent=2) + "\n")
    except KeyboardInterrupt:
        sys.exit(130)


def _options() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.settings = ()
    add = parser.add_argument
    add("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="the sections to measure")
    add("--architectures", nargs="+", choices=steps.GOALS, default=list(steps.GOALS), help="for step, sweep and error")
    add("--epochs", type=positive, metavar="N", default=5, help="for step and sweep (default: 5)")
    add("--rounds", type=positive, metavar="N", default=3, help="measurements of each way (default: 3); error has one")
    add(
        "--folders",
        type=positive,
        metavar="N",
        nargs="+",
        default=[200, 5000],
        help="for compare (default: 200 5000)",
    )
    add("--images", type=positive, metavar="N", default=60_000, help="training images; fewer only for a trial")
    add("--threads", type=positive, metavar="N", help="of every process, except in sweep (default: torch's choice)")
    add("--device", choices=("cpu", "cuda", "mps"), default="cpu", help="for training (default: cpu)")
    add("--quick", action="store_true", help="for error: only 2 of the tutorial's 50 epochs, multiplied")
    add("--json", type=Path, metavar="FILE", help="write every round into this file, after each row")
    options = parser.parse_args()
    data = os.environ.get("AUTOENC_DATA")
    if not data or not Path(data, "FashionMNIST").is_dir():
        parser.error(f"AUTOENC_DATA={data or ''}: set it to a folder that has FashionMNIST in torchvision's layout")
    if options.json and not options.json.parent.is_dir():
        parser.error(f"--json {options.json}: the folder {options.json.parent} does not exist")
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
