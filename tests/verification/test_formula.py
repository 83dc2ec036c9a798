"""Formulas over the numbers of runs."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoenc.runs import VALUES, read_run
from autoenc.settings import ConfigError
from autoenc.verification.formula import Formula, MissingNumberError, Numbers
from tests.comparison.run_folders import SUMMARY, make_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    health = {"collapsed_units": 3, "dead_units": {"code": 2}}
    path = make_run(tmp_path / "run", summary={**SUMMARY, "health": health})
    (path / "figures").mkdir()
    values = np.array(json.dumps({"dead_count": 4, "locality": float("nan"), "note": "a text"}))
    arrays: dict[str, Any] = {"roughness": np.array([1.0, 2.0, 6.0]), VALUES: values}
    np.savez(path / "figures" / "kernels.npz", **arrays)
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 + 3 * 4 - 6 / 2", 11.0),
        ("-(1 - 4)", 3.0),
        ("run.test.mse / run.train.mse", 2.0),
        ("run.parameters", 10.0),
        ("run.seconds.total", 75.0),
        ("run[4].train.loss", 0.25),
        ("run[4].train.loss < run[2].train.loss", 1.0),
        ("run.test.mse >= 1", 0.0),
        ("run.kernels.roughness", 3.0),
        ("run.kernels.dead_count", 4.0),
        ("run.health.collapsed_units - run.health.dead_units.code", 1.0),
        ("max(1, run.parameters, 3) + min(4, 2) + mean(1, 3) + abs(-1) + sqrt(9) + log10(100)", 20.0),
    ],
)
def test_the_value_of_a_formula(run: Path, text: str, value: float) -> None:
    formula = Formula(text, key="quantity")
    assert formula.value({"run": read_run(run)}) == pytest.approx(value)
    assert formula.names == ({"run"} if "run" in text else set())


def test_a_row_of_a_benchmark_has_numbers_too() -> None:
    rows: dict[str, Numbers] = {"slow": {"seconds": 3.0, "noise": "dropout"}, "fast": {"seconds": 2.0}}
    assert Formula("slow.seconds / fast.seconds", key="quantity").value(rows) == 1.5
    with pytest.raises(MissingNumberError, match="the benchmark has no noise"):
        Formula("slow.noise", key="quantity").value(rows)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("run.test.psnr", "run has no test.psnr"),
        ("run[9].train.loss", "run has no train.loss after epoch 9"),
        ("run.kernels.nothing", "run has no kernels.nothing"),
        ("run.kernels.note", "run has no kernels.note"),
        ("run.kernels.locality", "run.kernels.locality is not finite"),
        ("run.nothing.roughness", "run has no nothing.roughness"),
        ("run.health.dead_units", "run has no health.dead_units"),
        ("run.health.nothing.code", "run has no health.nothing.code"),
        ("1 / (run.test.mse - 0.25)", "1 / (run.test.mse - 0.25) has no value: float division by zero"),
        ("log10(0 * run.test.mse)", "log10(0 * run.test.mse) has no value: math domain error"),
        ("run.test.mse * 1e308 * 1e308", "run.test.mse * 1e308 * 1e308 is not finite"),
    ],
)
def test_a_number_that_is_missing_is_named(run: Path, text: str, reason: str) -> None:
    record = dataclasses.replace(read_run(run), name="run")
    with pytest.raises(MissingNumberError, match=f"^{re.escape(reason)}"):
        Formula(text, key="quantity").value({"run": record})


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('ls')",
        "run.test.mse.__class__()",
        "run['mse']",
        "run[1:2].mse",
        "open(run.test)",
        "(lambda: 1)()",
        "[1, 2]",
        "'text'",
        "max(*run.a)",
        "max()",
        "run",
        "run.a ** 2",
        "1 < run.a < 2",
        "not run.a",
    ],
)
def test_nothing_else_is_a_formula(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^A2\.quantity=.*: .* is not allowed; there are numbers, RUN\.NUMBER"):
        Formula(text, key="A2.quantity")


def test_a_formula_has_to_be_complete() -> None:
    with pytest.raises(ConfigError, match=r"^A2\.quantity=run\.a \+: it is not a formula$"):
        Formula("run.a +", key="A2.quantity")
