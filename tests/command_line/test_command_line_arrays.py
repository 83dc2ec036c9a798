"""Commands on `dataset=arrays`, whose images are in memory or in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoenc.command_line import main
from autoenc.command_line.apply import main as apply
from autoenc.command_line.evaluate import main as evaluate
from autoenc.command_line.figures import main as draw
from autoenc.data.datasets import memory
from autoenc.runs import RunDirectory
from tests.conftest import TINY
from tests.data.datasets.array_cases import medmnist

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 6, 6), dtype=np.uint8)
OWN = ["dataset=arrays", "dataset.path=images.npz", "dataset.limit=null", "dataset.test_limit=null"]


def trained(folder: str, *overrides: str) -> dict[str, Any]:
    """The losses and digests of a run, and where its epochs ended."""
    assert main([*TINY, *OWN, *overrides, f"hydra.run.dir={folder}"]) == 0
    run = RunDirectory(Path(folder))
    losses = [{key: row[key] for key in row if "loss" in key or "mse" in key} for row in run.metrics()]
    return {"losses": losses, "digests": run.summary()["digests"], "test": run.summary()["test"]}


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("overrides", [[], ["dataset.binarization=dynamic", "loss=bce"]], ids=["grey", "dynamic"])
def test_training_is_the_same_wherever_the_images_are(monkeypatch: pytest.MonkeyPatch, overrides: list[str]) -> None:
    np.savez_compressed("images.npz", **medmnist(IMAGES))
    expected = trained("memory", *overrides)
    assert len(expected["losses"]) == 3
    monkeypatch.setattr(memory, "available_memory", lambda: 500)
    assert trained("converted", *overrides, "data_dir=data") == expected
    assert list(Path("data/arrays").iterdir())
    np.savez("images.npz", **medmnist(IMAGES))
    assert trained("mapped", *overrides, "data_dir=data") == expected


@pytest.mark.usefixtures("elsewhere")
def test_every_command_works_on_images_in_files(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 500)
    np.savez("images.npz", images=IMAGES, labels=np.arange(40) % 3)
    first = trained("run", "data_dir=data")
    sizes = "images: train 32 (images), validation 4 (drawn), test 4 (drawn); 3 classes: 0, 1, 2"
    assert sizes in capsys.readouterr().out
    RunDirectory(Path("run")).set_state("interrupted")
    assert main(["resume=run"]) == 0
    assert main(["rerun=run", "hydra.run.dir=again"]) == 0
    assert RunDirectory(Path("again")).summary()["digests"] == first["digests"]
    assert evaluate(["run", "evaluation=full"]) == 0
    assert draw(["run", "reconstructions"]) == 0
    assert apply(["run", "run:test", "codes.npz", "--do", "encode"]) == 0
    with np.load("codes.npz") as stored:
        assert stored["labels"].tolist() == (stored["indices"] % 3).tolist()
    capsys.readouterr()

    Path("images.npz").rename("moved.npz")
    assert draw(["run", "reconstructions"]) == 2
    problem = "the run's images are not there; if they were moved, give their new place by dataset.path="
    assert capsys.readouterr().err.endswith(f"images.npz: {problem}\n")
    assert draw(["run", "reconstructions", "dataset.path=moved.npz"]) == 0
    np.savez("images.npz", images=255 - IMAGES)
    assert apply(["run", "run:test", "out"]) == 2
    assert "these are not the images of the run" in capsys.readouterr().err
