from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from autoenc.command_line import main
from autoenc.trackers.background import FedFromAThread, Recorder
from tests.training.test_training_loop import Killed, kill, stop_at

KilledRun = Callable[..., Path]


def warnings_of_trackers(run: Path) -> list[str]:
    """What the log of a run has of them."""
    lines = (run / "train.log").read_text().splitlines()
    return [line for line in lines if " WARNING autoenc.trackers" in line]


class Gone:
    """A recorder whose process was killed: a thread that comes here does nothing any more."""

    def __init__(self, recorder: object) -> None:
        self.recorder = recorder  # its open file would be complained of, were it not kept

    def __getattr__(self, name: str) -> Callable[..., object]:
        return lambda *_, **__: threading.Event().wait()


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch, elsewhere: Path) -> KilledRun:
    """A run that was killed at a step, as the command line begins it; returns its folder."""
    trackers: list[FedFromAThread] = []
    original = FedFromAThread.__init__

    def remembered(self: FedFromAThread, *arguments: Any, **others: Any) -> None:
        trackers.append(self)
        original(self, *arguments, **others)

    def call(*arguments: str, step: int) -> Path:
        with monkeypatch.context() as patched:
            patched.setattr(FedFromAThread, "__init__", remembered)
            stop_at(step, kill, patched)
            with pytest.raises(Killed):
                main([*arguments, "hydra.run.dir=run"])
        for tracker in trackers:
            tracker._recorder = cast(Recorder, Gone(tracker._recorder))
        return elsewhere / "run"

    return call
