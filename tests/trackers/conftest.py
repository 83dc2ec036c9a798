from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from autoenc.command_line import main
from autoenc.trackers import Tracker
from tests.conftest import TINY
from tests.trackers.wandb_files import services
from tests.training.test_training_loop import Killed, kill, stop_at

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

KilledRun = Callable[..., Path]
Store = Callable[[], "MlflowClient"]


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


@pytest.fixture
def wandb_alone(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """W&B without the account and settings of the person who runs the tests, and with no server at its address.

    Its process ends with the test.
    """
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    for name in ("NETRC", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(home / name))
    with socket.socket() as taken:  # no one listens at its port
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
        yield
        assert services() == []


@pytest.fixture
def mlflow_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow without the settings of the person who runs the tests, and impatient."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_ASYNC_LOGGING_BUFFERING_SECONDS", "0")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file with MLflow's tables, which take seconds to make."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    from mlflow.tracking import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "empty.db"
    MlflowClient(f"sqlite:///{path}", f"sqlite:///{path}").search_experiments()
    return path.read_bytes()


@pytest.fixture
def store(elsewhere: Path, empty_store: bytes) -> Store:
    """The file where runs are kept by default, and a client that reads it."""
    from mlflow.tracking import MlflowClient

    path = elsewhere / "outputs" / "mlflow.db"
    path.parent.mkdir()
    path.write_bytes(empty_store)
    return lambda: MlflowClient(f"sqlite:///{path}", f"sqlite:///{path}")
