"""docs/notebook.ipynb: its code runs, and its stored outputs are what the code gives today."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

from scripts.execute_notebook import execute
from tests.conftest import REPOSITORY

NOTEBOOK = REPOSITORY / "docs" / "notebook.ipynb"
MOST_BYTES = 300_000


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def values_of(notebook: dict[str, Any]) -> list[Any]:
    """The values of the cells that end in plain ones."""
    outputs = [output for cell in code_cells(notebook) for output in cell["outputs"]]
    texts = ["".join(output.get("data", {}).get("text/plain", "")) for output in outputs]
    return [ast.literal_eval(text) for text in texts if re.fullmatch(r"[\d.]+|\{.*\}", text)]


def kinds_of(cell: dict[str, Any]) -> list[tuple[str, ...]]:
    return [(output["output_type"], *output.get("data", {})) for output in cell["outputs"]]


@pytest.mark.slow
def test_the_notebook_runs_and_its_outputs_are_true(elsewhere: Path) -> None:
    mpl.use("agg")  # pyplot must not look for a display
    stored = json.loads(NOTEBOOK.read_text())
    fresh = json.loads(NOTEBOOK.read_text())
    names = execute(fresh)
    # What the text says.
    run, comparison = names["run"], names["comparison"]
    assert run.scores["mse"] < 0.6 * run.scores["pca_mse"]
    assert names["accuracy"] > 0.8
    assert [row["code_size"] for row in comparison.rows] == [8, 4, 2]
    assert float(names["again"].errors(names["test"].images).mean()) == pytest.approx(run.scores["mse"], rel=1e-5)
    # What it shows. Another CPU rounds differently, and a training makes more of it.
    for before, now in zip(values_of(stored), values_of(fresh), strict=True):
        assert now == pytest.approx(before, rel=0.1)
    for before, now in zip(code_cells(stored), code_cells(fresh), strict=True):
        assert kinds_of(before) == kinds_of(now)


def test_the_stored_notebook_is_small_and_names_no_machine() -> None:
    content = NOTEBOOK.read_text()
    assert len(content) < MOST_BYTES
    notebook = json.loads(content)
    texts = [str(output) for cell in code_cells(notebook) for output in cell["outputs"]]
    without_images = [re.sub(r"base64,[\w+/=]+|'image/png': '[^']*'", "", text) for text in texts]
    assert len(without_images) > 8
    for text in without_images:
        assert not re.search(r"(?<![\w.])/(home|root|tmp|work|Users)/", text)
