"""A tracker's errors and delays cost a run one warning: not its state, its exit code or its time."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from autoenc.experiment.status import recorded
from autoenc.runs import RunDirectory, State
from autoenc.settings import ConfigError
from autoenc.trackers import TrackedRun, Tracker, tracked, tracker
from autoenc.trackers.tracker import Backend, Ending, Epoch

LIMIT = 60.0
"""Seconds that only a hang takes."""


def row(epoch: int) -> dict[str, Any]:
    return {"epoch": epoch, "train/loss": 1 / epoch, "seconds": 2.0}


class Recording:
    """A backend that remembers; before each call it does what the test wants."""

    def __init__(self, before: Callable[[str], object] = lambda _: None) -> None:
        self.before = before
        self.begun_after: list[Epoch] = []
        self.epochs: list[int] = []
        self.endings: list[Ending] = []

    def begin(self, epochs: Sequence[Epoch]) -> None:
        self.before("begin")
        self.begun_after += epochs

    def epoch(self, epoch: Epoch) -> None:
        self.before("epoch")
        self.epochs.append(epoch.number)

    def finish(self, ending: Ending) -> None:
        self.before("finish")
        self.endings.append(ending)


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    run = RunDirectory(tmp_path)
    for epoch in (1, 2, 3):
        run.append_metrics(row(epoch))
    run.write_summary({"test": {"mse": 0.5}, "seconds": {"total": 3.0}, "device": "cpu", "units": {"mse": "squares"}})
    return run


def guarded(backend: Backend, directory: RunDirectory) -> Tracker:
    return Tracker(backend, name="fake", run=TrackedRun(directory, "a run", values={}, units={}, sending="track it"))


def record(tracker: Tracker) -> None:
    tracker.begin([row(1)])
    tracker.epoch(row(2))
    tracker.epoch(row(3))
    tracker.finish("finished")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_backend_gets_everything_once_and_in_order(directory: RunDirectory, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []
    backend = Recording(calls.append)
    record(guarded(backend, directory))
    assert calls == ["begin", "epoch", "epoch", "finish"]
    assert [epoch.number for epoch in backend.begun_after] == [1]
    assert backend.begun_after[0].values == {"train/loss": 1.0, "seconds": 2.0}
    assert backend.epochs == [2, 3]
    assert backend.endings[0].epochs == 3
    assert backend.endings[0].scores == {"test/mse": 0.5, "final/seconds/total": 3.0}
    assert warnings(caplog) == []


@pytest.mark.parametrize("call", ["begin", "epoch", "finish"])
def test_an_error_costs_one_warning_and_ends_the_tracking(
    call: str, directory: RunDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []

    def before(name: str) -> None:
        calls.append(name)
        if name == call:
            raise ConnectionError("nobody\nthere.")

    record(guarded(Recording(before), directory))
    problem = "tracker=fake does not work: ConnectionError: nobody there."
    advice = "To send it when it has ended: track it"
    assert warnings(caplog) == [f"{problem} The run goes on, and its folder has everything. {advice}"]
    assert calls[-1] == call


@pytest.mark.parametrize(("state", "wait"), [("finished", "FINISHED_WAIT"), ("failed", "UNFINISHED_WAIT")])
def test_a_backend_that_never_answers_is_left_behind(
    state: State, wait: str, directory: RunDirectory, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tracker.UNFINISHED_WAIT <= 5  # the user wants the run to end
    monkeypatch.setattr(tracker, wait, 0.1)
    released = threading.Event()
    guarded(Recording(lambda call: call == "finish" and released.wait(LIMIT)), directory).finish(state)
    released.set()
    (warning,) = warnings(caplog)
    assert "it has not answered for 0.1 seconds" in warning


def test_a_backend_that_fails_after_it_was_left_behind_costs_no_second_warning(
    directory: RunDirectory, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracker, "FINISHED_WAIT", 0.1)
    released, threads = threading.Event(), []

    def hang_and_fail(call: str) -> None:
        if call == "finish":
            threads.append(threading.current_thread())
            released.wait(LIMIT)
            raise TimeoutError("too late")

    guarded(Recording(hang_and_fail), directory).finish("finished")
    released.set()
    threads[0].join(LIMIT)
    (warning,) = warnings(caplog)
    assert "it has not answered for 0.1 seconds" in warning


def test_a_backend_that_a_signal_has_stopped_is_not_told_of_the_end(
    directory: RunDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []

    def before(call: str) -> None:
        calls.append(call)
        raise SystemExit(130)

    tracker = guarded(Recording(before), directory)
    with pytest.raises(SystemExit):
        tracker.begin([])
    tracker.finish("interrupted")
    assert calls == ["begin"]
    assert warnings(caplog) == []


@pytest.mark.parametrize(
    ("error", "state", "message"),
    [
        (None, "finished", None),
        (ValueError("too\nlarge"), "failed", "too large"),
        (ValueError(), "failed", "ValueError"),
        (KeyboardInterrupt(), "interrupted", None),
    ],
    ids=str,
)
def test_a_tracker_is_told_how_the_run_ended(
    error: BaseException | None, state: str, message: str | None, directory: RunDirectory
) -> None:
    backend = Recording()
    raises = contextlib.nullcontext() if error is None else pytest.raises(type(error))
    with raises as caught, tracked() as tracking:
        tracking.tracker = guarded(backend, directory)
        if error is not None:
            raise error
    assert caught is None or caught.value is error
    (ending,) = backend.endings
    assert (ending.state, ending.error) == (state, message)
    assert bool(ending.scores) == (state == "finished")
    assert [epoch.number for epoch in backend.begun_after] == [1, 2, 3]  # it had not been told of the training


def test_earlier_epochs_are_dated_by_the_time_they_took() -> None:
    rows = [{**row(1), "seconds": 5.0}, {**row(2), "seconds": 3.0}, {**row(3), "seconds": 1.0}]
    assert [(epoch.number, epoch.time) for epoch in tracker._dated(rows, end=100.0)] == [(1, 96), (2, 99), (3, 100)]
    rows[1].pop("seconds")
    assert [epoch.time for epoch in tracker._dated(rows, end=100.0)] == [99.0, 99.0, 100.0]


@pytest.mark.parametrize("broken", ["summary", "row", "thread"])
def test_our_own_errors_cost_one_warning_too(
    broken: str, directory: RunDirectory, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        if broken == "summary":
            (directory.path / "summary.json").write_text("{")
        elif broken == "thread":
            patched.setattr(threading.Thread, "start", refuse)
        recording = guarded(Recording(), directory)
        recording.epoch({"train/loss": 1.0} if broken == "row" else row(1))
        recording.finish("finished")
    (warning,) = warnings(caplog)
    assert {"summary": "summary.json", "row": "KeyError: 'epoch'", "thread": "can't start"}[broken] in warning


# --- the end of a run ---


@pytest.fixture
def hanging(directory: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tracker]:
    """A tracker that never comes to its end; whoever waits for it gets SIGTERM."""
    released = threading.Event()
    join = threading.Thread.join

    def wait(self: threading.Thread, timeout: float | None = None) -> None:
        if timeout in {tracker.FINISHED_WAIT, tracker.UNFINISHED_WAIT}:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(LIMIT)
        join(self, timeout)

    monkeypatch.setattr(threading.Thread, "join", wait)
    yield guarded(Recording(lambda call: call == "finish" and released.wait(LIMIT)), directory)
    released.set()


def run(directory: RunDirectory, tracker: Tracker, work: Callable[[], object] = lambda: None) -> None:
    with recorded(directory) as (_, tracking):
        tracking.tracker = tracker
        work()


def fail() -> None:
    raise ValueError("too large")


@pytest.mark.parametrize(
    ("work", "raised", "state"),
    [
        (lambda: None, None, "finished"),
        (fail, ValueError, "failed"),
        (lambda: signal.raise_signal(signal.SIGINT), SystemExit, "interrupted"),
    ],
)
def test_a_signal_ends_only_the_wait_for_the_tracker(
    work: Callable[[], object],
    raised: type[BaseException] | None,
    state: str,
    directory: RunDirectory,
    hanging: Tracker,
) -> None:
    with contextlib.nullcontext() if raised is None else pytest.raises(raised):
        run(directory, hanging, work)
    assert directory.status()["state"] == state
    assert (directory.status()["error"] is None) == (raised is not ValueError)


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
    assert directory.status()["state"] == "finished"


def test_the_state_is_written_and_the_folder_locked_while_the_tracker_is_waited_for(directory: RunDirectory) -> None:
    seen = []

    def look(call: str) -> None:
        if call == "finish":
            seen.append(directory.status()["state"])
            with pytest.raises(ConfigError, match="is working in this folder"), directory.locked():
                pass

    run(directory, guarded(Recording(look), directory))
    assert seen == ["finished"]
