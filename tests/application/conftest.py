from __future__ import annotations

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
    for name in ("draw_odd_pictures", "draw_error_histograms"):
        monkeypatch.setattr(f"autoenc.application.scoring.{name}", lambda *arguments, **options: None)
