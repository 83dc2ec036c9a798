"""The wheel: it carries the YAML, and its console command works from anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, TINY


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installed wheel, as a folder for sys.path."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index", "-w"]
    subprocess.run([*command, folder, REPOSITORY], check=True, capture_output=True)
    (built,) = folder.glob("autoenc-*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = "import sys; sys.argv[0] = 'autoenc-train'; from autoenc.command_line import main; sys.exit(main())"
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.slow
def test_the_wheel_has_every_yaml_and_trains(wheel: Path, elsewhere: Path) -> None:
    ours = {path.relative_to(REPOSITORY / "conf") for path in (REPOSITORY / "conf").rglob("*.yaml")}
    packed = {path.relative_to(wheel / "autoenc" / "conf") for path in (wheel / "autoenc" / "conf").rglob("*.yaml")}
    assert packed == ours
    points = next(wheel.glob("*.dist-info/entry_points.txt")).read_text()
    assert "autoenc-train = autoenc.command_line:program" in points
    done = run(wheel, *TINY, "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    assert "autoenc-train rerun=run" in done.stdout
    assert (elsewhere / "run" / "summary.json").exists()
    # The package under test is the wheel's, not the checkout's.
    assert '"git": null' in (elsewhere / "run" / "environment.json").read_text()
