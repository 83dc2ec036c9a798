from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autoenc.command_line import main
from autoenc.trackers import Tracker
from tests.conftest import TINY
from tests.training.test_training_loop import Killed, kill, stop_at

KilledRun = Callable[..., Path]


def tracker_warnings(run: Path) -> list[str]:
    """The warnings of trackers in the log of a run."""
    lines = (run / "train.log").read_text().splitlines()
    return [line for line in lines if " WARNING autoenc.trackers" in line]


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch, elsewhere: Path) -> KilledRun:
    """A run that is killed at a step, started by the command line; returns its folder."""
    trackers: list[Tracker] = []
    original = Tracker.__init__

    def remember(self: Tracker, *arguments: Any, **others: Any) -> None:
        trackers.append(self)
        original(self, *arguments, **others)

    def call(*arguments: str, step: int) -> Path:
        with monkeypatch.context() as patched:
            patched.setattr(Tracker, "__init__", remember)
            stop_at(step, kill, patched)
            with pytest.raises(Killed):
                main([*arguments, "hydra.run.dir=run"])
        for tracker in trackers:  # the threads of a killed process would be gone
            for future in getattr(tracker._backend, "_sent", []):
                future.result()
        return elsewhere / "run"

    return call


@pytest.fixture(scope="session")
def untracked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run without a tracker."""
    folder = tmp_path_factory.mktemp("untracked") / "run"
    assert main([*TINY, f"hydra.run.dir={folder}"]) == 0
    return folder
