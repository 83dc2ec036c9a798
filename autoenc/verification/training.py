"""The sweeps and benchmarks that claims need, as the commands that a person would type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from autoenc.verification.claim import Claim
from autoenc.verification.measuring import Folder

QUICK_IMAGES, QUICK_SEEDS = 500, 2


def seeds_of_experiments(claims: Iterable[Claim]) -> dict[str, int]:
    """How many seeds each experiment needs: those of the claim that needs the most."""
    found: dict[str, int] = {}
    for claim in claims:
        for experiment in claim.sources("experiment"):
            found[experiment] = max(claim.seeds, found.get(experiment, 0))
    return found


def sweep_arguments(experiment: str, seeds: int, *, folder: Folder, jobs: int, quick: bool) -> list[str]:
    """The arguments of `train.py` that train an experiment with these seeds, or continue it."""
    return [
        "--multirun",
        f"experiment={experiment}",
        f"seed={','.join(map(str, range(seeds)))}",
        f"hydra.sweep.dir={folder.sweep(experiment)}",
        "hydra/launcher=joblib",
        f"hydra.launcher.n_jobs={jobs}",
        "device.threads=1",
        *([f"dataset.limit={QUICK_IMAGES}"] if quick else []),
    ]


def benchmark_arguments(name: str, rounds: int, *, folder: Folder) -> list[str]:
    """The arguments of `scripts/benchmark.py` that measure a benchmark."""
    return ["--only", name, "--rounds", str(rounds), "--threads", "1", "--json", str(folder.benchmark(name))]


def rounds_of_benchmarks(claims: Mapping[str, Claim], *, folder: Folder) -> dict[str, int]:
    """How many rounds each benchmark needs that has no results yet."""
    found: dict[str, int] = {}
    for claim in claims.values():
        for name in claim.sources("benchmark"):
            if not Path(folder.benchmark(name)).is_file():
                found[name] = max(claim.seeds, found.get(name, 0))
    return found
