"""The values of a claim's quantities, seed by seed, from the runs in a folder; the table of them that is kept."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from autoenc.runs import RunRecord, read_runs
from autoenc.verification.claim import BEST, SOURCES, Claim, training_of
from autoenc.verification.formula import Formula, MissingNumberError, Numbers

COLUMNS = ("claim", "quantity", "seed", "value")
LONGEST = 60  # letters of a command line in the name of a folder
SECONDS = "seconds of all its runs"
"""Stands in the place of a quantity."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured for a claim."""

    values: Mapping[str, Mapping[int, float]]
    """By the quantity of each test: a value for each seed. Empty if the claim was not tested."""
    seconds: Mapping[int, float]
    """What the runs of each seed took together, one after another."""
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
            return Measured(values={}, seconds={}, reason=str(error))
        return Measured(values=values, seconds={seed: _seconds(found.values()) for seed, found in runs.items()})

    def seconds(self, claims: Iterable[Claim]) -> float:
        """What all finished runs of these claims took, one after another; shared runs are counted once."""
        sweeps = {self.sweep(training) for claim in claims for training in claim.trainings}
        return _seconds(run for sweep in sweeps for run in self._all(sweep))

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


def _seconds(runs: Iterable[Numbers]) -> float:
    records = {each.path: each for each in runs if isinstance(each, RunRecord)}
    return sum(each.metrics.get("seconds.total", 0.0) for each in records.values())


@dataclass(frozen=True)
class Results:
    """What was measured for some claims, as a small table in a file."""

    measured: Mapping[str, Measured]
    machine: str
    """Where, with which versions."""

    @classmethod
    def read(cls, path: Path) -> Results:
        """The table of a file; without a file, an empty one."""
        if not path.is_file():
            return cls({}, machine="")
        first, _, text = path.read_text(encoding="utf-8").partition("\n")
        values: dict[str, dict[str, dict[int, float]]] = {}
        for row in csv.DictReader(io.StringIO(text)):
            by_seed = values.setdefault(row["claim"], {}).setdefault(row["quantity"], {})
            by_seed[int(row["seed"])] = float(row["value"])
        measured = {claim: Measured(values=found, seconds=found.pop(SECONDS, {})) for claim, found in values.items()}
        return cls(measured, machine=first.removeprefix("# "))

    @cached_property
    def as_csv(self) -> str:
        """A line for each claim, quantity and seed, below a line that says where they were measured."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for claim, found in sorted(self.measured.items()):
            for quantity, by_seed in {**found.values, SECONDS: found.seconds}.items():
                writer.writerows([claim, quantity, seed, f"{value:.6g}"] for seed, value in by_seed.items())
        return f"# {self.machine}\n{text.getvalue()}"
