from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoenc.comparison.report import images
from autoenc.comparison.report.images import read_picture, texts_of
from autoenc.runs import ArrayError, RunRecord
from tests.comparison.report_examples import record, save_arrays


@pytest.fixture
def run(tmp_path: Path) -> RunRecord:
    return record(tmp_path, "run")


def saved(run: RunRecord, values: Any = None, **stored: Any) -> Path:
    path = run.path / "figures" / "a.npz"
    save_arrays(path, values or {"captions": ["a"]}, **stored)
    return path


def fault(run: RunRecord, **dimensions: int) -> str:
    with pytest.raises(ArrayError) as caught:
        read_picture(run, "a", dimensions or {"x": 2})
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_our_own_pictures_are_read(run: RunRecord) -> None:
    from autoenc.pictures.reconstructions import Reconstructions

    shown = np.random.default_rng(0).random((2, 1, 4, 4)).astype(np.float32)
    picture = Reconstructions(clean=shown, given=shown, final=shown / 2, captions=("a", "b"))
    picture.save(run.path / "figures" / "reconstructions.npz")
    arrays, values = read_picture(run, "reconstructions", {"clean": 4, "final": 4})
    assert np.array_equal(arrays["final"], shown / 2)
    assert texts_of(values, "captions", count=2) == ["a", "b"]


def test_faults_are_sentences(run: RunRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "No such file" in fault(run)
    (run.path / "figures" / "a.npz").write_bytes(b"hello")
    assert "is no archive of arrays" in fault(run)
    saved(run, x=np.ones((2, 2)))
    assert "'y'" in fault(run, y=2)
    assert "dimensions" in fault(run, x=3)
    monkeypatch.setattr(images, "LARGEST", 100)
    assert "is larger than 0 kB" in fault(run)


@pytest.mark.parametrize("text", ["[1]", "{", "[" * 90_000, " " * 200_000 + "{}"])
def test_values_that_are_not_a_short_table_are_a_fault(run: RunRecord, text: str) -> None:
    saved(run, np.array(text), x=np.ones((1, 1)))
    assert fault(run)


def test_a_link_out_of_the_run_is_not_followed(run: RunRecord, tmp_path: Path) -> None:
    secret = record(tmp_path, "secret")
    saved(secret, x=np.ones((2, 2)))
    figures = run.path / "figures"
    (figures / "a.npz").symlink_to(secret.path / "figures" / "a.npz")
    assert fault(run) == "is a link to somewhere else"
    figures.rename(run.path / "real")
    figures.symlink_to(secret.path / "figures")
    assert fault(run) == "is a link to somewhere else"
    figures.unlink()
    figures.symlink_to(run.path / "real")
    (figures / "a.npz").unlink()
    saved(run, x=np.ones((2, 2)))
    assert read_picture(run, "a", {"x": 2})


@pytest.mark.parametrize(
    ("values", "words"),
    [({}, "no list of texts"), ({"c": "ab"}, "no list"), ({"c": [1]}, "no list"), ({"c": ["a"]}, "1 of 'c' instead")],
)
def test_lists_of_texts_are_checked(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ArrayError, match=words):
        texts_of(values, "c", count=2)
    assert texts_of({"c": ["\x1b[31mred", "b"]}, "c") == ["\\x1b[31mred", "b"]


def test_neither_torch_nor_matplotlib_is_imported() -> None:
    program = "import sys; import autoenc.comparison.report; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert {"torch", "torchvision", "matplotlib", "sklearn"}.isdisjoint(loaded)
