from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.application.application_cases import Given
from tests.conftest import TINY


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the digits, 8x8 and grey, with Gaussian noise."""
    from autoenc.command_line import main

    run = tmp_path_factory.mktemp("finished") / "run"
    assert main([*TINY, f"hydra.run.dir={run}"]) == 0
    return run


@pytest.fixture
def given(elsewhere: Path) -> Given:
    return Given(elsewhere)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the pictures of a scoring, which take longer than all the rest."""
    for name in ("draw_odd_pictures", "draw_error_histograms"):
        monkeypatch.setattr(f"autoenc.application.scoring.{name}", lambda *arguments, **options: None)


@pytest.fixture
def without_noise(finished: Path, tmp_path: Path) -> Path:
    """The same run, as if it had been trained without noise."""
    config = finished / "config.yaml"
    run = tmp_path / "without_noise"
    shutil.copytree(finished, run)
    values = yaml.safe_load(config.read_text())
    (run / "config.yaml").write_text(yaml.safe_dump({**values, "noise": {"name": "none"}}))
    return run
