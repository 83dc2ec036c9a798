"""scripts/benchmark_defaults.py: one small task, trained with the defaults and by the plain script."""

from __future__ import annotations

import re
import sys

import pytest

from scripts import benchmark_defaults
from scripts.benchmark_defaults import Task


@pytest.fixture
def images_of_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark_defaults, "IMAGES", 300)


@pytest.mark.usefixtures("images_of_digits")
def test_both_columns_are_better_after_more_epochs() -> None:
    train, test = benchmark_defaults._images("digits")
    assert (len(train), len(test)) == (300, 360)
    task = Task("small", "mlp", settings={"code_size": 4, "hidden": [32]})
    for trained in (benchmark_defaults._autoenc, benchmark_defaults._script):
        first, last = trained(task, train, test, seed=0, epochs=[1, 4])
        assert 0 < last < first < 0.25, trained  # the error of pixels that are all 1/2 is at most that


@pytest.mark.usefixtures("images_of_digits")
def test_the_table_has_a_row_for_each_task_and_dataset(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--tasks", "linear", "--datasets", "digits", "--seeds", "1", "--epochs", "1"]
    monkeypatch.setattr(sys, "argv", ["benchmark_defaults.py", *arguments])
    benchmark_defaults.main()
    heading, _, row = capsys.readouterr().out.splitlines()
    assert heading == "| task | dataset | epochs | autoenc | script | pythae |"
    assert re.fullmatch(r"\| linear \| digits \| 1 \| 0\.\d{4} \| 0\.\d{4} \|  \|", row)
