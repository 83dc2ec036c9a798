"""The values of a claim's quantities, seed by seed, from the runs in a folder; the table of them that is kept."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoenc.runs import RunRecord, read_runs
from autoenc.runs.find_runs import natural
from autoenc.verification.claim import BEST, SOURCES, Claim, training_of
from autoenc.verification.formula import Formula, MissingNumberError, Numbers

COLUMNS = ("claim", "quantity", "seed", "value")
LONGEST = 60  # letters of a command line in the name of a folder
MINUTES_OF = "minutes of: "
"""The prefix of a quantity whose value is the minutes of a command line or a benchmark."""
RUNS_AT_ONCE = 2
"""Runs that train at the same time, in the times that are stated."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured for a claim."""

    values: Mapping[str, Mapping[int, float]]
    """By the quantity of each test: a value for each seed. Empty if the claim was not tested."""
    minutes: Mapping[str, float] = field(default_factory=dict)
    """Of each command line that it needs, two runs at a time, and of each benchmark."""
    versions: str = ""
    """The versions of autoenc, torch and Python that trained or timed its runs."""
    reason: str = ""
    """Why it was not tested."""


class Folder:
    """The runs of experiments and the results of benchmarks, which claims share."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._found: dict[Path, list[Numbers]] = {}

    def sweep(self, training: str) -> Path:
        """The folder of the sweep that a command line trains."""
        if re.fullmatch(r"experiment=[\w/]+", training):
            return self.path / "runs" / training.removeprefix("experiment=")
        name = re.sub(r"[^\w=.]+", "-", training)[:LONGEST].strip("-")
        return self.path / "runs" / f"{name}-{hashlib.sha256(training.encode()).hexdigest()[:8]}"

    def benchmark(self, name: str) -> Path:
        """The file of a benchmark's results."""
        return self.path / "benchmarks" / f"{name}.json"

    def measured(self, claim: Claim) -> Measured:
        """The values of a claim; none if a run of it is missing or lacks a number."""
        try:
            runs = {seed: self._runs(claim, seed) for seed in range(claim.seeds)}
            values = {
                test.quantity: {
                    seed: Formula(test.quantity, key="quantity").value(found) for seed, found in runs.items()
                }
                for test in claim.tests
            }
        except MissingNumberError as error:
            return Measured(values={}, reason=str(error))
        return self._with_origin(claim, values)

    def _with_origin(self, claim: Claim, values: Mapping[str, Mapping[int, float]]) -> Measured:
        """Add the minutes, which include all runs of a search, and the versions that made the values."""
        minutes, versions = {}, set()
        for training in claim.trainings:
            every = [each for each in self._all(self.sweep(training)) if isinstance(each, RunRecord)]
            runs = [run for run in every if run.settings["seed"] < claim.seeds]
            minutes[training] = sum(run.metrics["seconds.total"] for run in runs) / 60 / RUNS_AT_ONCE
            versions |= {_versions(run.environment) for run in runs}
        for name in claim.benchmarks:
            content = json.loads(self.benchmark(name).read_text(encoding="utf-8"))
            minutes[name] = content["seconds"] / 60
            versions.add(_versions(content["machine"]))
        return Measured(values=values, minutes=minutes, versions="; ".join(sorted(versions)))

    def _runs(self, claim: Claim, seed: int) -> dict[str, Numbers]:
        return {name: self._selected(selection, seed) for name, selection in claim.runs.items()}

    def _selected(self, selection: Mapping[str, Any], seed: int) -> Numbers:
        wanted = {key: value for key, value in selection.items() if key not in (*SOURCES, BEST)}
        training = training_of(selection)
        if training is not None:
            source, wanted = self.sweep(training), {**wanted, "seed": seed}
        else:
            source, wanted = self.benchmark(selection["benchmark"]), {**wanted, "round": seed}
        found = [each for each in self._all(source) if all(_settings(each).get(key) == wanted[key] for key in wanted)]
        words = ", ".join(f"{key}={value}" for key, value in wanted.items())
        if not found:
            raise MissingNumberError(f"{source.relative_to(self.path)} has no finished run with {words}")
        if BEST in selection:
            formula = Formula(f"run.{selection[BEST]}", key=BEST)
            return min(found, key=lambda each: formula.value({"run": each}))
        if len(found) > 1:
            raise MissingNumberError(f"{source.relative_to(self.path)} has {len(found)} runs with {words}")
        return found[0]

    def _all(self, source: Path) -> list[Numbers]:
        if source not in self._found:
            self._found[source] = list(_read_rows(source) if source.suffix == ".json" else _read_sweep(source))
        return self._found[source]


def _read_sweep(folder: Path) -> Sequence[Numbers]:
    return [record for record in read_runs([folder]) if record.finished] if folder.is_dir() else []


def _read_rows(path: Path) -> Sequence[Numbers]:
    rows: Sequence[Numbers] = json.loads(path.read_text(encoding="utf-8"))["rounds"] if path.is_file() else []
    return rows


def _settings(numbers: Numbers) -> Mapping[str, Any]:
    return numbers.settings if isinstance(numbers, RunRecord) else numbers


def _versions(environment: Mapping[str, Any]) -> str:
    from autoenc.environment import describe_code

    torch, python = environment["packages"]["torch"], environment["python"]
    return f"autoenc {describe_code(environment)}, torch {torch}, Python {python}"


def minutes_together(found: Iterable[Measured]) -> dict[str, float]:
    """Minutes of each command line and benchmark. If claims share it, those of the claim with the most seeds count."""
    taken: dict[str, float] = {}
    for measured in found:
        for name, minutes in measured.minutes.items():
            taken[name] = max(minutes, taken.get(name, 0.0))
    return taken


def by_versions(found: Mapping[str, Measured]) -> dict[str, list[str]]:
    """The names of the claims that were measured with the same versions."""
    names: dict[str, list[str]] = {}
    for name in sorted(found, key=natural):  # D2 before D10
        names.setdefault(found[name].versions, []).append(name)
    return names


def read_results(path: Path) -> dict[str, Measured]:
    """Read the results of claims by name, as `as_csv` writes them; none if the file does not exist."""
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = [line.removeprefix("# ").rpartition(": ") for line in lines if line.startswith("# ")]
    versions = {name: each for each, _, names in comments for name in names.split(", ")}
    values: dict[str, dict[str, dict[int, float]]] = {}
    minutes: dict[str, dict[str, float]] = {}
    for row in csv.DictReader(line for line in lines if not line.startswith("# ")):
        name, quantity, value = row["claim"], row["quantity"], float(row["value"])
        if quantity.startswith(MINUTES_OF):
            minutes.setdefault(name, {})[quantity.removeprefix(MINUTES_OF)] = value
        else:
            values.setdefault(name, {}).setdefault(quantity, {})[int(row["seed"])] = value
    return {
        name: Measured(values=each, minutes=minutes.get(name, {}), versions=versions.get(name, ""))
        for name, each in values.items()
    }


def as_csv(found: Mapping[str, Measured]) -> str:
    """Write a line for each claim, quantity and seed. The first lines are comments: versions, and their claims."""
    text = io.StringIO()
    text.writelines(f"# {versions}: {', '.join(names)}\n" for versions, names in by_versions(found).items())
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, measured in sorted(found.items()):
        for quantity, by_seed in measured.values.items():
            writer.writerows([name, quantity, seed, f"{value:.6g}"] for seed, value in by_seed.items())
        writer.writerows([name, MINUTES_OF + each, "", f"{value:.3g}"] for each, value in measured.minutes.items())
    return text.getvalue()
