from __future__ import annotations

import shutil
from pathlib import Path

import pytest

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
    monkeypatch.setattr("autoenc.application.scoring._draw", lambda *arguments, **options: None)


@pytest.fixture
def without_noise(finished: Path, tmp_path: Path) -> Path:
    """The same run, as if it had been trained without noise."""
    config = finished / "config.yaml"
    run = tmp_path / "without_noise"
    shutil.copytree(finished, run)
    head, _, tail = config.read_text().partition("\nnoise:\n")
    rest = tail.splitlines(keepends=True)
    while rest and rest[0].startswith(" "):
        rest.pop(0)
    (run / "config.yaml").write_text(f"{head}\nnoise:\n  name: none\n{''.join(rest)}")
    return run
