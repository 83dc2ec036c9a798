"""docs/extending.md: its files, in an empty folder and a fresh environment, are a package that trains."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "extending.md").read_text()
SMALL = ["dataset.limit=64", "training.epochs=1", "device=cpu", "device.threads=1", "figures=[]"]
PROGRAM = "import sys; sys.argv[0] = 'autoenc-train'; from autoenc.command_line import main; sys.exit(main())"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the package of the page, and with the packages of this one, but without a network."""
    folder = tmp_path_factory.mktemp("extending")
    code = re.findall(r"^```\w+\n# (my-package/\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    settings = re.findall(r"^`(my-package/\S+)`:\n\n```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for name, text in code + settings:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "my-package" / "my_package" / "__init__.py").touch()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    (packages,) = (folder / "venv").glob("lib/python*/site-packages")
    (packages / "this_environment.pth").write_text(sysconfig.get_path("purelib"))
    (command,) = re.findall(r"^pip (install .*)$", PAGE, re.MULTILINE)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "venv" / "bin" / "python")]
    offline = ["--no-index", "--no-build-isolation", "--no-deps", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *shlex.split(command), *offline], check=True, cwd=folder)
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    command = [str(folder / "venv" / "bin" / "python"), "-c", PROGRAM, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)


@pytest.mark.slow
def test_the_package_of_the_page_trains_in_a_fresh_environment(installed: Path) -> None:
    choices = ["architecture=one_hidden", "loss=charbonnier", "noise=stripes"]
    done = run(installed, *choices, *SMALL, "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    config = yaml.safe_load((installed / "run" / "config.yaml").read_text())
    assert (config["architecture"]["width"], config["loss"]["epsilon"], config["noise"]["probability"]) == (
        256,
        0.01,
        0.3,
    )
    summary = json.loads((installed / "run" / "summary.json").read_text())
    assert 0 < summary["test"]["largest_error"] < 1
    assert summary["test"]["denoising_largest_error"] > 0
    assert summary["units"]["loss"].startswith("mean Charbonnier distance per pixel")


@pytest.mark.slow
def test_its_commands_are_accepted(installed: Path) -> None:
    commands = re.findall(r"^autoenc-train (.*)$", PAGE, re.MULTILINE)
    assert len(commands) == 5
    for command in commands:
        words = shlex.split(command)
        done = run(installed, *words, *([] if "--help" in words else ["--cfg", "job"]))
        assert (done.returncode, done.stderr) == (0, ""), command
        shown = "architecture.width=256 units of the hidden layer" if "--help" in words else "width: "
        assert re.search(shown, " ".join(done.stdout.split())), command  # the terminal's width wraps it
        assert "my_package/conf" not in done.stdout  # the YAML's first line is the meaning


@pytest.mark.slow
def test_a_mistake_in_its_settings_is_one_line(installed: Path) -> None:
    done = run(installed, "architecture=one_hidden", "architecture.width=0", *SMALL)
    assert done.returncode == 2
    assert done.stderr == "error: architecture.width=0: it must be a whole number of at least 1\n"
