"""`scripts/verify.py [NAME...]`: check claims about autoencoders by training what they need."""

from __future__ import annotations

import argparse
import logging
import math
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from autoenc.command_line import restored_process
from autoenc.command_line.compose import Composer, config_directory
from autoenc.command_line.exit_code import FAILED, exit_code
from autoenc.command_line.hydra_internals import parse_flags
from autoenc.command_line.shared_arguments import Parser, positive
from autoenc.comparison.rendering import print_tables
from autoenc.comparison.tables import Line, Table
from autoenc.progress import console, insist_on_output, log_to_terminal, shown_path
from autoenc.runs import write_atomically
from autoenc.settings import ConfigError
from autoenc.verification.claim import Claim, chosen, read_claims
from autoenc.verification.measuring import Folder, Measured, as_csv, read_results
from autoenc.verification.page import write_page
from autoenc.verification.tables import details, document, origin, overview
from autoenc.verification.training import (
    QUICK_IMAGES,
    QUICK_SEEDS,
    benchmark_arguments,
    expected_minutes,
    rounds_of_benchmarks,
    seeds_of_trainings,
    sweep_arguments,
)
from autoenc.verification.verdict import failing

DESCRIPTION = """\
Check what is said about autoencoders. Without a name: list the claims with their last verdicts, and the minutes that
they take on two cores. With names: train what is missing, measure, and print each claim with its numbers and verdict.

Trainings are ordinary sweeps below the folder. What has finished is kept: a stopped command continues, and claims share
their runs. The folder gets claims.md, results.csv and a page with the pictures behind each verdict.
"""

EXAMPLES = """\
Verdicts: confirmed, refuted, confounded (it holds as it was made, but not in a fair design), undecided (more seeds are
needed), not tested. The exit code is 1 if a claim of this project is tested and not confirmed, or if a training fails.

Examples

  python scripts/verify.py
  python scripts/verify.py A2 D4
  python scripts/verify.py --all --jobs 8
  python scripts/verify.py A2 --quick
"""

RESULTS = "results.csv"

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; returns the exit code."""
    options = _parser().parse_args(arguments)
    return exit_code(lambda: _verify(options))


def _parser() -> Parser:
    parser = Parser(
        prog="verify.py",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.settings = ()
    parser.add_argument("names", nargs="*", metavar="NAME", help="a claim, such as A2")
    parser.add_argument("--all", action="store_true", help="every claim")
    quick = f"{QUICK_IMAGES} training images and {QUICK_SEEDS} seeds: shows that everything works, but decides nothing"
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--no-training", action="store_true", help="only measure what has been trained")
    parser.add_argument(
        "--jobs", type=positive, default=os.cpu_count() or 1, metavar="N", help="runs at a time (default: one a core)"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("outputs/claims"), help="for runs and results (default: outputs/claims)"
    )
    parser.add_argument(
        "--record", action="store_true", help="also keep the results in claims/results.csv and docs/claims.md"
    )
    return parser


def _verify(options: argparse.Namespace) -> int:
    claims = read_claims(claims_directory())
    recorded = read_results(claims_directory() / RESULTS)
    _check(options)
    if not (options.names or options.all):
        _print(overview(claims, recorded))
        hours = sum(expected_minutes(claims.values(), recorded.values()).values()) / 60
        console.print(f"All together: about {hours:.1f} hours on two cores, because claims share runs.", soft_wrap=True)
        console.print("To check one: python scripts/verify.py NAME", soft_wrap=True)
        insist_on_output()
        return 0
    log_to_terminal()
    wanted = claims if options.all else chosen(claims, options.names)
    folder = Folder(options.folder.absolute())
    if options.quick:
        wanted = {name: replace(claim, seeds=QUICK_SEEDS) for name, claim in wanted.items()}
        folder = Folder(folder.path / "quick")
    folder.path.mkdir(parents=True, exist_ok=True)  # before hours of training
    trained = {} if options.no_training else _testable(wanted)
    expected = expected_minutes(trained.values(), recorded.values())
    if code := _train(trained, options, folder=folder, expected=expected):
        return code
    found = _measured(wanted, folder=folder)
    _write(folder, wanted, found, quick=options.quick)
    if options.record:
        _record(claims, {**recorded, **found})
    failed = [] if options.quick else failing(wanted, found)
    for name in failed:
        sys.stderr.write(f"error: {name} is a claim of this project, and is not confirmed\n")
    missing = [name for name in trained if name not in found]
    for name in missing:
        sys.stderr.write(f"error: {name} could not be tested: its verdict says why\n")
    insist_on_output()
    return FAILED if failed or missing else 0


def _check(options: argparse.Namespace) -> None:
    if options.quick and options.record:
        raise ConfigError("--record", "results of --quick are not kept")
    docs = claims_directory().parent / "docs"
    if options.record and not docs.is_dir():
        raise ConfigError("--record", f"it needs a clone of the repository, but {docs} does not exist")


def claims_directory() -> Path:
    """The folder of the claims: next to that of the configs."""
    return config_directory().parent / "claims"


def _print(parts: Iterable[Line | Table]) -> None:
    print_tables(parts, metric=None, all_columns=False, to=console)


def _train(
    claims: Mapping[str, Claim], options: argparse.Namespace, *, folder: Folder, expected: Mapping[str, float]
) -> int:
    """Train and measure what is missing; returns an exit code other than 0 if that was interrupted."""
    for name, rounds in rounds_of_benchmarks(claims, folder=folder).items():
        log.info("Benchmark %s: %d rounds.", name, rounds)
        path = folder.benchmark(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")  # a benchmark that is stopped has written some of its rounds
        arguments = [sys.executable, str(_benchmark_script()), *benchmark_arguments(name, rounds, path=partial)]
        if subprocess.run(arguments, check=False).returncode == 0:  # noqa: S603 - our own script
            partial.replace(path)
    sweeps = seeds_of_trainings(claims.values())
    left = {training: expected[training] for training in sweeps}
    for number, (training, seeds) in enumerate(sweeps.items(), start=1):
        minutes = math.ceil(sum(left.values()))
        time = "" if options.quick else f", about {minutes} minute{'' if minutes == 1 else 's'} left on two cores"
        log.info("Sweep %d of %d%s: train.py %s seed=range(%d)", number, len(sweeps), time, training, seeds)
        code = _sweep(sweep_arguments(training, seeds, folder=folder, jobs=options.jobs, quick=options.quick))
        if code >= 128:  # a signal
            return code
        del left[training]
    return 0


def _sweep(arguments: Sequence[str]) -> int:
    """Do what `train.py` does with these arguments, without the table: the claims have the numbers."""
    from autoenc.command_line.sweep import sweep

    def work() -> int:
        composer = Composer(parse_flags(arguments))
        return sweep(composer, composer.compose(), shows_table=False)

    with restored_process():
        return exit_code(work)


def _testable(claims: Mapping[str, Claim]) -> dict[str, Claim]:
    """The claims whose device and benchmarks are here: an installed package has no benchmarks."""
    if not _benchmark_script().is_file():
        claims = {name: claim for name, claim in claims.items() if not claim.benchmarks}
    if not any(claim.needs for claim in claims.values()):
        return dict(claims)
    from autoenc.devices import kinds_here

    return {name: claim for name, claim in claims.items() if claim.needs in (None, *kinds_here())}


def _benchmark_script() -> Path:
    return claims_directory().parent / "scripts" / "benchmark.py"


def _measured(claims: Mapping[str, Claim], *, folder: Folder) -> dict[str, Measured]:
    """Measure the claims and print them; those that were not tested are not among the results."""
    found = {name: folder.measured(claim) for name, claim in claims.items()}
    for name, claim in claims.items():
        _print(details(name, claim, found[name]))
    return {name: each for name, each in found.items() if each.values}


def _write(folder: Folder, claims: Mapping[str, Claim], found: Mapping[str, Measured], *, quick: bool) -> None:
    note = f"Quick: {QUICK_IMAGES} training images and {QUICK_SEEDS} seeds. Nothing is decided by it." if quick else ""
    write_atomically(folder.path / RESULTS, as_csv(found).encode())
    text = document(claims, found)
    write_atomically(folder.path / "claims.md", (f"{note}\n\n{text}" if quick else text).encode())
    page = write_page(folder, claims, found, note=" ".join([note, *origin(found)]).strip())
    console.print(f"{note}\nOpen: {shown_path(page)}".strip(), soft_wrap=True, markup=False)


def _record(claims: Mapping[str, Claim], found: Mapping[str, Measured]) -> None:
    """Keep the results in the repository, as they are read again: with fewer digits."""
    path = claims_directory() / RESULTS
    write_atomically(path, as_csv(found).encode())
    write_atomically(claims_directory().parent / "docs" / "claims.md", document(claims, read_results(path)).encode())
