"""docs/python.md and docs/your_own_images.md: their code and their commands run, and print what they show."""

from __future__ import annotations

import logging
import re
import shlex
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import autoenc
from autoenc.command_line import main
from autoenc.command_line.apply import main as apply_main
from tests.conftest import REPOSITORY

PYTHON = (REPOSITORY / "docs" / "python.md").read_text()
IMAGES = (REPOSITORY / "docs" / "your_own_images.md").read_text()
SMALL = ["training.epochs=1", "architecture=linear", "device=cpu", "device.threads=1", "figures=[]"]


@pytest.mark.slow
def test_the_python_code_runs(elsewhere: Path) -> None:
    names: dict[str, Any] = {}
    blocks = re.findall(r"^( *)```python\n(.*?)^\1```$", PYTHON, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 7
    for _, text in blocks:
        exec(textwrap.dedent(text), names)
    assert names["pictures"].shape == names["same_size"].shape == names["test"].images.shape
    assert float(names["errors"].mean()) == pytest.approx(names["run"].scores["mse"], rel=1e-5)
    assert len(names["comparison"].rows) == 3
    encoder, run = names["encoder"], names["run"]
    for count in (1, 2, 7):
        torch.testing.assert_close(
            encoder(names["test"].images[:count] / 255), run.encode(names["test"].images[:count])
        )
    # The table of what a run has.
    table = PYTHON.split("| of the run | |")[1].split("\n\n")[0]
    assert run.history[-1]["validation/loss"] > 0
    attributes = set(re.findall(r"^\| `(\w+)", table, re.MULTILINE))
    assert attributes == {"encode", "split", "scores", "history", "record", "path", "config", "model"}
    assert all(hasattr(run, name) for name in attributes)


def pictures(folder: str, *, size: tuple[int, int], mode: str, count: int = 600) -> None:
    Path(folder).mkdir()
    generator = np.random.default_rng(0)
    for number in range(count):
        shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
        Image.fromarray(generator.integers(0, 256, shape, dtype=np.uint8)).save(f"{folder}/{number:03}.png")


@pytest.mark.slow
def test_the_commands_for_images_run_and_log_what_is_shown(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    pictures("photos", size=(80, 64), mode="RGB")
    pictures("grey", size=(28, 28), mode="L")
    pictures("scans", size=(80, 64), mode="RGB", count=3)
    command, cached = re.findall(r"^python scripts/train.py (dataset=image_folder .*)$", IMAGES, re.MULTILINE)
    words = [word for word in shlex.split(command) if not word.startswith("architecture=")]
    assert main([*words, *SMALL]) == 0
    log = capsys.readouterr().out
    lines = re.findall(r"^(?:dataset.resize=crop|images:) .*$", IMAGES, re.MULTILINE)
    assert len(lines) == 2
    assert [line for line in lines if line not in log] == []
    assert main(["dataset=image_folder", "dataset.path=grey", *SMALL, "hydra.run.dir=outputs/grey"]) == 0
    (hint,) = re.findall(r"^all 600 pictures are .*$", IMAGES, re.MULTILINE)
    assert hint in capsys.readouterr().out
    for number in range(2):
        assert main([*shlex.split(cached), *SMALL, "data_dir=data", f"hydra.run.dir=outputs/cached{number}"]) == 0
    (line,) = re.findall(r"^/home/me/.cache/autoenc/image_folder/\w+ (.*)$", IMAGES, re.MULTILINE)
    assert re.search(rf"{Path('data').absolute()}/image_folder/\w+ {line}", capsys.readouterr().out)
    applied = re.findall(r"^python scripts/apply.py (.*)$", IMAGES, re.MULTILINE)
    assert len(applied) == 6
    caplog.set_level(logging.INFO)
    for arguments in applied:
        assert apply_main(shlex.split(arguments)) == 0, arguments
    programs = re.findall(r"^```python\n(.*?)^```$", IMAGES, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(next(program for program in programs if "onnxruntime" in program), names)
    expected = autoenc.load_run("outputs/photos").errors(names["images"])
    np.testing.assert_allclose(names["errors"], expected, rtol=1e-4)
    assert re.search(r"Oddest: \d+\.png, error [\d.]+, larger than .* ordinary errors\.\n", caplog.text)


def test_the_array_of_the_docs_is_trained_on(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (snippet,) = re.findall(r"^import numpy\n\nnumpy.*$", IMAGES, re.MULTILINE)
    (command,) = re.findall(r"^python scripts/train.py (dataset=arrays .*)$", IMAGES, re.MULTILINE)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (40, 8, 8), dtype=np.uint8)
    exec(snippet, {"images": images, "labels": np.arange(40) % 3})
    assert main([*shlex.split(command), *SMALL, "hydra.run.dir=outputs/arrays"]) == 0
    assert "test 4 (drawn); 3 classes: 0, 1, 2" in capsys.readouterr().out


def test_a_model_gives_the_type_that_it_is_given(elsewhere: Path) -> None:
    run = autoenc.train(*SMALL, "dataset.limit=64", "hydra.run.dir=run")
    tensors = run.split("test").images[:2]
    given: Any
    for given in (tensors, tensors.numpy()):
        codes = run.encode(given)
        assert type(codes) is type(run.decode(codes)) is type(run.reconstruct(given)) is type(given)
