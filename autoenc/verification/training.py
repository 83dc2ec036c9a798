"""The sweeps and benchmarks that claims need, as the commands that a person would type."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from autoenc.verification.claim import Claim
from autoenc.verification.measuring import Folder, Measured

QUICK_IMAGES, QUICK_SEEDS = 500, 2


def seeds_of_trainings(claims: Iterable[Claim]) -> dict[str, int]:
    """How many seeds each command line needs: those of the claim that needs the most."""
    found: dict[str, int] = {}
    for claim in claims:
        for training in claim.trainings:
            found[training] = max(claim.seeds, found.get(training, 0))
    return found


def expected_minutes(claims: Iterable[Claim], recorded: Iterable[Measured]) -> dict[str, float]:
    """About how many minutes each command line and benchmark takes.

    Where it has been measured, what a seed took, times the seeds that are needed. Elsewhere a share of what a claim
    states for all that it needs.
    """
    of_a_seed: dict[str, float] = {}
    for measured in recorded:
        seeds = len(next(iter(measured.values.values())))
        for name, minutes in measured.minutes.items():
            of_a_seed[name] = max(minutes / seeds, of_a_seed.get(name, 0.0))
    found: dict[str, float] = {}
    for claim in claims:
        needed = [*claim.trainings, *claim.benchmarks]
        for name in needed:
            if name in of_a_seed:
                found[name] = max(of_a_seed[name] * claim.seeds, found.get(name, 0.0))
            else:
                found[name] = min(claim.minutes / len(needed), found.get(name, claim.minutes))
    return found


def sweep_arguments(training: str, seeds: int, *, folder: Folder, jobs: int, quick: bool) -> list[str]:
    """The arguments of `train.py` that train a command line with these seeds, or continue it."""
    return [
        "--multirun",
        *shlex.split(training),
        f"seed={','.join(map(str, range(seeds)))}",
        f"hydra.sweep.dir={folder.sweep(training)}",
        "hydra/launcher=joblib",
        f"hydra.launcher.n_jobs={jobs}",
        "device.threads=1",
        *([f"dataset.limit={QUICK_IMAGES}"] if quick else []),
    ]


def benchmark_arguments(name: str, rounds: int, *, path: Path) -> list[str]:
    """The arguments of `scripts/benchmark.py` that measure a benchmark into a file."""
    return ["--only", name, "--rounds", str(rounds), "--threads", "1", "--json", str(path)]


def rounds_of_benchmarks(claims: Mapping[str, Claim], *, folder: Folder) -> dict[str, int]:
    """How many rounds each benchmark needs that has no results yet."""
    found: dict[str, int] = {}
    for claim in claims.values():
        for name in claim.benchmarks:
            if not folder.benchmark(name).is_file():
                found[name] = max(claim.seeds, found.get(name, 0))
    return found
