"""The command chooses the tracker, never a run's folder, which may come from a stranger."""

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

from autoenc import load_run
from autoenc.command_line import main
from autoenc.runs import RunDirectory
from autoenc.sweeps import worker
from autoenc.sweeps.plan import JobTask
from autoenc.trackers.choices import Mlflow
from autoenc.trackers.tensorboard_events import EVENT_FILES
from tests.conftest import TINY, Train
from tests.training.test_training_loop import stop_at


class Listener(ThreadingHTTPServer):
    """A server that somebody's folder names; it remembers what it was sent."""

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


def somebodys(folder: Path, tracker: dict[str, str]) -> None:
    """Have the folder say that it is told to this tracker, and was stopped."""
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


def epochs_told(folder: Path) -> list[int]:
    reader = EventAccumulator(str(folder))
    reader.Reload()
    return [event.step for event in reader.Scalars("train/loss")]


@pytest.mark.parametrize("command", ["resume=run", "rerun=run"])
def test_nothing_is_sent_to_where_a_folder_says(
    command: str,
    trained: Path,
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    somebodys(trained, listener.tracker)
    before = Path("run/config.yaml").read_bytes()
    assert main([command]) == 0
    assert listener.heard == []
    assert (
        "The earlier run had tracker=mlflow. This one has none unless the command sets it." in capsys.readouterr().out
    )
    assert Path("run/config.yaml").read_bytes() == before


def test_a_tracker_that_is_chosen_gets_its_own_settings_and_not_the_folders(
    trained: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Mlflow] = []

    def require(settings: Mlflow) -> None:
        asked.append(settings)

    monkeypatch.setattr(Mlflow, "require", require)
    monkeypatch.setattr(Mlflow, "build", lambda *_: pytest.fail("too far"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    somebodys(trained, listener.tracker)
    with pytest.raises(pytest.fail.Exception):
        main(["resume=run", "tracker=mlflow", "tracker.experiment=mine"])
    (settings,) = asked
    assert settings.tracking_uri == f"sqlite:///{Path.cwd() / 'outputs' / 'mlflow.db'}"
    assert settings.experiment == "mine"


def test_where_the_recorded_tracker_is_missing_or_unknown_the_run_goes_on(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "autoenc.trackers.mlflow_run", None)  # as if it could not be imported
    for tracker in ({"name": "mlflow"}, {"name": "of_a_package_that_is_gone", "project": "a"}):
        somebodys(trained, tracker)
        assert main(["resume=run"]) == 0


@pytest.mark.parametrize("choice", ["tracker=none", "++tracker.name=none"])
def test_a_resumed_run_can_be_told_to_nobody(choice: str, trained: Path, listener: Listener) -> None:
    somebodys(trained, listener.tracker)
    assert main(["resume=run", choice]) == (0 if choice == "tracker=none" else 2)
    assert listener.heard == []


@pytest.mark.parametrize("overrides", [[], ["tracker=tensorboard"]])
def test_a_stopped_run_can_go_on_with_its_tracker_or_another(
    overrides: list[str], train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = interrupted(train, monkeypatch, *overrides)
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("Interrupted. Go on with: "))
    assert line.endswith(" ".join([" resume=run", *overrides]))
    begun_with = RunDirectory(run).config()["tracker"]
    assert main(["resume=run", "tracker=tensorboard"]) == 0
    assert epochs_told(run) == [1, 2, 3]
    assert RunDirectory(run).config()["tracker"] == begun_with


def test_a_rerun_is_told_to_the_tracker_that_is_chosen(trained: Path) -> None:
    assert main(["rerun=run", "tracker=tensorboard", "hydra.run.dir=again"]) == 0
    assert epochs_told(Path("again")) == [1, 2, 3]
    assert RunDirectory(Path("again")).config()["tracker"] == {"name": "tensorboard"}
    assert main(["rerun=again", "hydra.run.dir=third"]) == 0
    assert list(Path("third").glob(EVENT_FILES)) == []
    assert RunDirectory(Path("third")).config()["tracker"] == {"name": "none"}


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["tracker=wandb"], "tracker=wandb: there is no such choice; the choices are mlflow, none, tensorboard"),
        (["tracker.experiment=a"], "tracker.experiment=a: tracker=none has no such key"),
        (["tracker.name=mlflow"], "tracker.name=mlflow: a choice is made by tracker=mlflow"),
        (["tracker=none", "seed=3"], "resume=run: a resumed run keeps its settings, all but tracker, and 'seed=3' is"),
        (["~tracker"], "and '~tracker' is set"),
    ],
    ids=str,
)
def test_a_mistake_beside_resume_is_told(
    overrides: list[str], words: str, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    RunDirectory(trained).set_state("interrupted")
    assert main(["resume=run", *overrides]) == 2
    assert words in capsys.readouterr().err
    assert RunDirectory(Path("run")).status()["state"] == "interrupted"


@pytest.mark.parametrize("of_the_command", [{"name": "tensorboard"}, None], ids=str)
def test_a_job_that_goes_on_takes_the_tracker_of_the_command(
    of_the_command: dict[str, str] | None, trained: Path, listener: Listener
) -> None:
    run = trained
    config = {key: value for key, value in RunDirectory(run).config().items() if key != "tracker"}
    somebodys(run, listener.tracker)
    config |= {} if of_the_command is None else {"tracker": of_the_command}
    task = JobTask(folder=str(run), config=config, hydra={}, logging={}, timeout=None, command_line=())
    worker._train(RunDirectory(run), task)
    assert RunDirectory(run).status()["state"] == "finished"
    assert listener.heard == []
    assert len(list(run.glob(EVENT_FILES))) == (0 if of_the_command is None else 1)


def test_a_model_that_is_loaded_is_told_to_nobody(
    trained: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    somebodys(trained, listener.tracker)
    for method in ("require", "build"):
        monkeypatch.setattr(Mlflow, method, lambda *_: pytest.fail("it is not to track"))
    load_run("run")
    assert listener.heard == []
