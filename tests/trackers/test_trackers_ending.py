"""The end of a run that has a tracker: how it stands is written down first, and no wait or signal changes it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import filelock
import pytest

from autoenc.command_line import main
from autoenc.experiment.status import recorded
from autoenc.runs import RunDirectory
from autoenc.settings import ConfigError
from autoenc.sweeps.attempt import Attempt
from autoenc.trackers import Tracker, background
from autoenc.trackers.background import FedFromAThread
from tests.conftest import TINY
from tests.sweeps.tasks import outcome, task, wait_until
from tests.trackers.test_trackers_background import Recording

FOR_EVER = 10.0**9


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    run = RunDirectory(tmp_path)
    run.figures.mkdir()
    run.write_summary({"test": {"mse": 0.5}})
    return run


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[RunDirectory], FedFromAThread]]:
    """Trackers that never get anywhere, and would be waited for without end."""
    monkeypatch.setattr(background, "LONGEST_WAIT", FOR_EVER)
    released = threading.Event()
    yield lambda directory: FedFromAThread(
        Recording(lambda _: released.wait()), name="fake", directory=directory, patience=FOR_EVER
    )
    released.set()


@pytest.fixture
def signal_after_the_end(monkeypatch: pytest.MonkeyPatch) -> Callable[[RunDirectory], list[str]]:
    """Send SIGTERM when a tracker's end is waited for; what the folder says then is put into the list."""

    def call(directory: RunDirectory) -> list[str]:
        said: list[str] = []
        join = threading.Thread.join

        def wait(self: threading.Thread, timeout: float | None = None) -> None:
            while self.name.startswith("tracker"):
                said.append(str(directory.status()["state"]))
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(1)
            join(self, timeout)

        monkeypatch.setattr(threading.Thread, "join", wait)
        return said

    return call


def run(directory: RunDirectory, tracker: Tracker, work: Callable[[], object] = lambda: None) -> None:
    with recorded(directory) as supervision:
        supervision.tracking.tracker = tracker
        work()


def fail(error: BaseException) -> None:
    raise error


Hanging = Callable[[RunDirectory], FedFromAThread]
Signal = Callable[[RunDirectory], list[str]]


def test_a_signal_in_the_wait_for_the_tracker_of_a_finished_run_ends_the_wait(
    directory: RunDirectory, hanging: Hanging, signal_after_the_end: Signal
) -> None:
    said = signal_after_the_end(directory)
    run(directory, hanging(directory))
    assert said == ["finished"]
    assert outcome(directory.path) == "finished"


def test_and_of_one_that_failed_which_still_says_why(
    directory: RunDirectory, hanging: Hanging, signal_after_the_end: Signal
) -> None:
    said = signal_after_the_end(directory)
    with pytest.raises(ValueError, match="too large"):
        run(directory, hanging(directory), lambda: fail(ValueError("too large")))
    assert said == ["failed"]
    assert directory.status()["error"] == {"kind": "raised", "message": "too large"}


def test_and_of_one_that_was_interrupted(
    directory: RunDirectory, hanging: Hanging, signal_after_the_end: Signal
) -> None:
    said = signal_after_the_end(directory)
    with pytest.raises(SystemExit) as caught:
        run(directory, hanging(directory), lambda: signal.raise_signal(signal.SIGINT))
    assert caught.value.code == 130
    assert said == ["interrupted"]


@pytest.mark.parametrize("error", [ValueError("too large"), SystemExit(143)], ids=str)
def test_a_run_that_did_not_finish_hardly_waits(
    error: BaseException, directory: RunDirectory, hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert background.UNFINISHED_WAIT <= 5
    monkeypatch.setattr(background, "UNFINISHED_WAIT", 0.2)
    with pytest.raises(type(error)):
        run(directory, hanging(directory), lambda: fail(error))


def test_a_signal_while_the_end_is_written_down_comes_too_late(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = RunDirectory.set_state

    def signalled(self: RunDirectory, state: str, **others: object) -> None:
        if state == "finished":
            signal.raise_signal(signal.SIGTERM)
        original(self, state, **others)  # type: ignore[arg-type]

    monkeypatch.setattr(RunDirectory, "set_state", signalled)
    with recorded(directory):
        pass
    assert outcome(directory.path) == "finished"


def test_nobody_else_trains_in_the_folder_while_the_tracker_is_waited_for(directory: RunDirectory) -> None:
    locked = []

    class Looking:
        def begin(self, rows: object) -> None: ...

        def epoch(self, row: object) -> None: ...

        def finish(self, state: object, *, error: object = None) -> None:
            with pytest.raises(ConfigError, match="is training in this folder"), directory.locked():
                pass
            locked.append(True)

    run(directory, Looking())
    assert locked == [True]


def test_a_wait_that_was_ended_begins_nothing_more(directory: RunDirectory, signal_after_the_end: Signal) -> None:
    (directory.figures / "one.png").touch()
    (directory.figures / "two.png").touch()
    at_a_picture, released = threading.Event(), threading.Event()

    def before(call: str) -> None:
        if call == "picture":
            at_a_picture.set()
            released.wait()

    recorder = Recording(before)
    said = signal_after_the_end(directory)
    run(directory, FedFromAThread(recorder, name="fake", directory=directory, patience=FOR_EVER))
    assert said == ["finished"]
    released.set()
    assert recorder.closed.wait(60)
    assert recorder.pictures in ([], ["one"])


def test_the_command_line_ends_well_when_it_is_stopped_in_the_wait(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, signal_after_the_end: Signal, capsys: pytest.CaptureFixture[str]
) -> None:
    released = threading.Event()
    monkeypatch.setattr("autoenc.trackers.event_files.EventFiles.begin", lambda *_: released.wait())
    said = signal_after_the_end(RunDirectory(elsewhere / "run"))
    assert main([*TINY, "tracker=tensorboard", "hydra.run.dir=run"]) == 0
    released.set()
    assert said == ["finished"]
    assert outcome(elsewhere / "run") == "finished"
    assert "Run again: " in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_job_whose_time_is_up_as_it_waits_for_its_tracker_has_finished(tmp_path: Path) -> None:
    """With the lock of MLflow's file in somebody's hands for ever."""
    pytest.importorskip("mlflow")
    settings = {"name": "mlflow", "tracking_uri": f"sqlite:///{tmp_path / 'mlflow.db'}", "experiment": "a"}
    job = task(tmp_path / "job")
    config = {**job.config, "tracker": settings, "noise": {"name": "none"}}
    attempt = Attempt(replace(job, config=config, timeout=FOR_EVER))
    with filelock.FileLock(tmp_path / ".mlflow.db.lock"):
        attempt.start()
        wait_until(lambda: attempt.poll() or outcome(tmp_path / "job") == "finished")
        time.sleep(1.0)
        assert not attempt.poll()  # it waits
        attempt._deadline = 0.0
        wait_until(attempt.poll)
    assert outcome(tmp_path / "job") == "finished"
    assert "Fatal Python error" not in (tmp_path / "job" / "train.log").read_text()
