"""`autoenc.compare`: the comparison of the command line, from Python."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

import autoenc
from autoenc.command_line.compare import main as compare_main
from autoenc.comparison.columns import Column
from autoenc.comparison.html_tables import as_html
from autoenc.comparison.tables import Line
from autoenc.settings import ConfigError
from tests.conftest import TINY


def test_rows_are_the_runs_with_what_differs_and_the_metrics_the_best_first(elsewhere: Path) -> None:
    runs = [autoenc.train(*TINY, f"training.epochs={epochs}", f"hydra.run.dir=runs/{epochs}") for epochs in (1, 3)]
    comparison = autoenc.compare("runs")
    assert [(row["run"], row["state"], row["training.epochs"]) for row in comparison.rows] == [
        ("3", "finished", 3),
        ("1", "finished", 1),
    ]
    assert [row["test.mse"] for row in comparison.rows] == [run.scores["mse"] for run in reversed(runs)]
    assert [record.path for record in autoenc.compare(*runs).runs] == [run.path for run in reversed(runs)]
    table = list(csv.DictReader(io.StringIO(comparison.to_csv())))
    assert [float(row["test.mse"]) for row in table] == [row["test.mse"] for row in comparison.rows]


def test_it_shows_the_tables_of_the_command(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (0, 1):
        autoenc.train(*TINY, f"seed={seed}", f"hydra.run.dir=runs/{seed}")
    comparison = autoenc.compare("runs")
    assert len(comparison.rows) == 2
    capsys.readouterr()
    assert compare_main(["runs", "--markdown", "-", "--metric", "validation.denoising_mse"]) == 0
    assert str(comparison) == capsys.readouterr().out
    html = comparison._repr_html_()
    assert "<th>n</th>" in html
    assert " ± " in html


@pytest.mark.parametrize("folders", [["nothing"], ["empty"], []])
def test_a_folder_without_runs_is_refused(elsewhere: Path, folders: list[str]) -> None:
    (elsewhere / "empty").mkdir()
    with pytest.raises(ConfigError) as caught:
        autoenc.compare(*folders)
    assert "\n" not in str(caught.value)


def test_html_is_escaped_and_marks_the_best() -> None:
    columns = [Column("run", ["<i>", "b"], right=False), Column("test.mse", ["1", "2"], best=frozenset({0}))]
    html = as_html([Line("a < b", "heading"), Line("note & more", "note"), columns])
    assert "<h4" in html
    assert "a &lt; b" in html
    assert "note &amp; more" in html
    assert '<td style="text-align: left; white-space: nowrap">&lt;i&gt;</td>' in html
    assert "<b>1</b>" in html
    assert "<b>2</b>" not in html
