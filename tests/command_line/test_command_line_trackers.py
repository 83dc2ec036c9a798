"""The command line alone chooses the tracker: a run's folder may come from a stranger."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from autoenc.command_line import main
from autoenc.runs import RunDirectory
from autoenc.sweeps import worker
from autoenc.sweeps.plan import JobTask
from autoenc.trackers.choices import Mlflow
from autoenc.trackers.tensorboard_events import EVENT_FILES
from tests.conftest import TINY, Train
from tests.training.test_training_loop import stop_at


class Listener(ThreadingHTTPServer):
    """A server that a stranger's folder names; it remembers the requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.heard: list[str] = []

    @property
    def tracker(self) -> dict[str, str]:
        return {"name": "mlflow", "tracking_uri": f"http://127.0.0.1:{self.server_port}", "experiment": "a"}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Listener)
        self.server.heard.append(f"{self.path} {self.headers.get('Authorization')}")
        self.send_error(404)

    do_POST = do_GET  # noqa: N815 - so named by the library

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def make_strangers(folder: Path, tracker: dict[str, str]) -> None:
    """Make the folder that of an interrupted run with this tracker."""
    run = RunDirectory(folder)
    text = yaml.safe_dump({**run.config(), "tracker": tracker})
    (folder / "config.yaml").write_text(text)
    run.write_tracker({"tracker": "mlflow", "tracking_uri": tracker.get("tracking_uri"), "run_id": "0" * 32})
    run.set_state("interrupted")


def interrupted(train: Train, monkeypatch: pytest.MonkeyPatch, *overrides: str) -> Path:
    """A run that was stopped after its first epoch."""
    with monkeypatch.context() as patched:
        stop_at(9, lambda: signal.raise_signal(signal.SIGTERM), patched)
        with pytest.raises(SystemExit):
            train(*overrides)
    return Path("run").absolute()


@pytest.fixture(scope="module")
def _once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("once") / "run"
    assert main([*TINY, f"hydra.run.dir={folder}"]) == 0
    return folder


@pytest.fixture
def trained(_once: Path, elsewhere: Path) -> Path:
    """A copy of a finished run in the folder `run`."""
    return shutil.copytree(_once, elsewhere / "run")


def tracked_epochs(folder: Path) -> list[int]:
    reader = EventAccumulator(str(folder))
    reader.Reload()
    return [event.step for event in reader.Scalars("train/loss")]


@pytest.mark.parametrize("command", ["resume=run", "rerun=run"])
def test_nothing_is_sent_to_the_tracker_of_a_folder(
    command: str,
    trained: Path,
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    make_strangers(trained, listener.tracker)
    before = Path("run/config.yaml").read_bytes()
    assert main([command]) == 0
    assert listener.heard == []
    assert (
        "The earlier run had tracker=mlflow. This one has none unless the command sets it." in capsys.readouterr().out
    )
    assert Path("run/config.yaml").read_bytes() == before


def test_a_chosen_tracker_has_the_settings_of_the_command(
    trained: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Mlflow] = []

    def require(settings: Mlflow) -> None:
        asked.append(settings)

    monkeypatch.setattr(Mlflow, "require", require)
    monkeypatch.setattr(Mlflow, "build", lambda *_: pytest.fail("too far"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    make_strangers(trained, listener.tracker)
    with pytest.raises(pytest.fail.Exception):
        main(["resume=run", "tracker=mlflow", "tracker.experiment=mine"])
    (settings,) = asked
    assert settings.tracking_uri == f"sqlite:///{Path.cwd() / 'outputs' / 'mlflow.db'}"
    assert settings.experiment == "mine"


def test_a_run_continues_without_its_recorded_tracker(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "autoenc.trackers.mlflow_run", None)  # as if it could not be imported
    for tracker in ({"name": "mlflow"}, {"name": "of_an_uninstalled_package", "project": "a"}):
        make_strangers(trained, tracker)
        assert main(["resume=run"]) == 0


@pytest.mark.parametrize("overrides", [[], ["tracker=tensorboard"]])
def test_an_interrupted_run_continues_with_its_tracker_or_another(
    overrides: list[str], train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = interrupted(train, monkeypatch, *overrides)
    printed = capsys.readouterr().out
    (line,) = (line for line in printed.splitlines() if line.startswith("Interrupted. Continue with: "))
    assert line.endswith(" ".join([" resume=run", *overrides]))
    recorded = RunDirectory(run).config()["tracker"]
    assert main(["resume=run", "tracker=tensorboard"]) == 0
    assert tracked_epochs(run) == [1, 2, 3]
    assert RunDirectory(run).config()["tracker"] == recorded


def test_a_rerun_has_the_tracker_of_the_command(trained: Path) -> None:
    assert main(["rerun=run", "tracker=tensorboard", "hydra.run.dir=again"]) == 0
    assert tracked_epochs(Path("again")) == [1, 2, 3]
    assert RunDirectory(Path("again")).config()["tracker"] == {"name": "tensorboard"}
    assert main(["rerun=again", "hydra.run.dir=third"]) == 0
    assert list(Path("third").glob(EVENT_FILES)) == []
    assert RunDirectory(Path("third")).config()["tracker"] == {"name": "none"}


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            ["tracker=weights_and_biases"],
            "there is no such choice (did you mean 'wandb'?); the choices are mlflow, none, tensorboard, wandb",
        ),
        (["tracker.experiment=a"], "tracker.experiment=a: tracker=none has no settings; choose one of tracker=mlflow"),
        (["tracker.name=mlflow"], "tracker.name=mlflow: a choice is made by tracker=mlflow"),
        (["++tracker.name=none"], "tracker.name=none: a choice is made by tracker=none"),
        (
            ["tracker=none", "seed=3"],
            "resume=run: a resumed run keeps its settings, all but tracker, dataset.path, training.epochs, "
            "training.patience, and 'seed=3' is",
        ),
        (["~tracker"], "and '~tracker' is set"),
    ],
    ids=str,
)
def test_a_mistake_next_to_resume_is_refused(
    overrides: list[str], words: str, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    RunDirectory(trained).set_state("interrupted")
    assert main(["resume=run", *overrides]) == 2
    assert words in capsys.readouterr().err
    assert RunDirectory(Path("run")).status()["state"] == "interrupted"


@pytest.mark.parametrize("chosen", [{"name": "tensorboard"}, None], ids=str)
def test_a_continued_job_has_the_tracker_of_the_command(
    chosen: dict[str, str] | None, trained: Path, listener: Listener
) -> None:
    run = trained
    config = {key: value for key, value in RunDirectory(run).config().items() if key != "tracker"}
    make_strangers(run, listener.tracker)
    config |= {} if chosen is None else {"tracker": chosen}
    worker._train(
        RunDirectory(run), JobTask(folder=str(run), config=config, hydra={}, logging={}, timeout=None, command_line=())
    )
    assert RunDirectory(run).status()["state"] == "finished"
    assert listener.heard == []
    assert len(list(run.glob(EVENT_FILES))) == (0 if chosen is None else 1)
