from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from autoenc.command_line import main
from tests.training.test_training_loop import Killed, kill, stop_at

KilledRun = Callable[..., Path]


def warnings_of_trackers(run: Path) -> list[str]:
    """What the log of a run has of them."""
    lines = (run / "train.log").read_text().splitlines()
    return [line for line in lines if " WARNING autoenc.trackers" in line]


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch, elsewhere: Path) -> KilledRun:
    """A run that was killed at a step, as the command line begins it; returns its folder."""

    def call(*arguments: str, step: int) -> Path:
        with monkeypatch.context() as patched:
            stop_at(step, kill, patched)
            with pytest.raises(Killed):
                main([*arguments, "hydra.run.dir=run"])
        return elsewhere / "run"

    return call
