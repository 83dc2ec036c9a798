"""The thread that feeds a tracker: what fails is tried again, what hangs is left behind, and the run hears one word."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autoenc.runs import RunDirectory
from autoenc.trackers import background, tracked
from autoenc.trackers.background import Epoch, FedFromAThread, dated
from autoenc.trackers.tracker import Ending

PICTURES = ["one", "three", "two"]


def row(epoch: int) -> dict[str, Any]:
    return {"epoch": epoch, "train/loss": 1 / epoch, "seconds": 2.0}


class Recording:
    """A recorder that remembers; before each call it does what the test wants."""

    def __init__(self, before: Callable[[str], object] = lambda _: None) -> None:
        self.before = before
        self.begun_after: list[int] = []
        self.epochs: list[int] = []
        self.endings: list[Ending] = []
        self.pictures: list[str] = []
        self.closed = threading.Event()

    def begin(self, epochs: Sequence[Epoch]) -> None:
        self.before("begin")
        self.begun_after += [epoch.row["epoch"] for epoch in epochs]

    def write(self, epochs: Sequence[Epoch]) -> None:
        self.before("write")
        self.epochs += [epoch.row["epoch"] for epoch in epochs]

    def end(self, ending: Ending) -> None:
        self.before("end")
        self.endings.append(ending)

    def picture(self, path: Path, *, epoch: int) -> None:
        self.before("picture")
        self.pictures.append(path.stem)

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    run = RunDirectory(tmp_path)
    run.figures.mkdir()
    for name in PICTURES:
        (run.figures / f"{name}.png").touch()
    for epoch in (1, 2, 3):
        run.append_metrics(row(epoch))
    run.write_summary({"test": {"mse": 0.5}, "seconds": {"total": 3.0}, "device": "cpu", "units": {"mse": "squares"}})
    return run


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(background, "SHORT_PAUSE", 0.01)
    monkeypatch.setattr(background, "LONG_PAUSE", 0.05)
    yield
    assert wait_until(lambda: not any(thread.name.startswith("tracker") for thread in threading.enumerate()))


LIMIT = 60.0
"""Seconds that nothing here takes, on however busy a machine, unless it is wrong."""


class Clock:
    """Stands for `time`: each call of the recorder takes so long, of which no machine makes more or less.

    And none ends before whoever waits for the run's end has looked at this clock.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, seconds: float) -> None:
        self.now, self._seconds = 0.0, seconds
        self._looked, self.given_up = threading.Event(), threading.Event()
        monkeypatch.setattr(
            background, "time", SimpleNamespace(monotonic=self._monotonic, time=time.time, sleep=time.sleep)
        )

    def __call__(self, _: str) -> None:
        """Before a call of the recorder."""
        self._looked.clear()
        self.now += self._seconds
        deadline = time.monotonic() + LIMIT
        while not self._looked.wait(0.01) and not self.given_up.is_set() and time.monotonic() < deadline:
            pass

    def _monotonic(self) -> float:
        if threading.current_thread() is threading.main_thread():
            self._looked.set()
        return self.now


def fed(recorder: Recording, directory: RunDirectory, *, patience: float = 10.0) -> FedFromAThread:
    return FedFromAThread(recorder, name="fake", directory=directory, patience=patience)


def wait_until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + LIMIT
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def failing(times: int, *, at: str | None = None) -> Callable[[str], None]:
    """Fail so many times, at any call or at those of one name."""
    left = times

    def before(call: str) -> None:
        nonlocal left
        if left and at in {None, call}:
            left -= 1
            raise ConnectionError("nobody\nthere.")

    return before


def told_everything(recorder: Recording) -> None:
    assert recorder.begun_after == [1]
    assert recorder.epochs == [2, 3]
    assert [ending.state for ending in recorder.endings] == ["finished"]
    assert recorder.pictures == PICTURES
    assert recorder.closed.wait(LIMIT)


def a_run(tracker: FedFromAThread) -> None:
    tracker.begin([row(1)])
    tracker.epoch(row(2))
    tracker.epoch(row(3))
    tracker.finish("finished")


def test_everything_arrives_once_and_in_order(directory: RunDirectory, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []
    recorder = Recording(calls.append)
    a_run(fed(recorder, directory))
    told_everything(recorder)
    assert calls[0] == "begin"
    assert calls[-4:] == ["end", "picture", "picture", "picture"]
    assert recorder.endings[0].epochs == 3
    assert recorder.endings[0].scores == {"test/mse": 0.5, "final/seconds/total": 3.0}
    assert warnings(caplog) == []


@pytest.mark.parametrize("call", ["begin", "write", "end", "picture"])
def test_what_fails_for_a_moment_is_tried_again_without_a_word(
    call: str, directory: RunDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recording(failing(background.TRIES - 1, at=call))
    a_run(fed(recorder, directory))
    told_everything(recorder)
    assert warnings(caplog) == []


def test_what_recovers_during_the_run_gets_everything(
    directory: RunDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recording(failing(background.TRIES + 3))
    tracker = fed(recorder, directory)
    tracker.begin([row(1)])
    tracker.epoch(row(2))
    assert wait_until(lambda: recorder.epochs == [2])
    tracker.epoch(row(3))
    tracker.finish("finished")
    told_everything(recorder)
    assert len(warnings(caplog)) == 1


def test_what_fails_always_is_said_once_and_costs_little(
    directory: RunDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recording(failing(10**9))
    started = time.monotonic()
    tracker = fed(recorder, directory)
    tracker.begin([])
    for epoch in range(1, 200):
        tracker.epoch(row(epoch))
        time.sleep(0.001)
    tracker.finish("finished")
    assert time.monotonic() - started < LIMIT / 2  # as long as it would wait for what works
    problem = "tracker=fake does not work: ConnectionError: nobody there."
    assert warnings(caplog) == [f"{problem} The run goes on, and its folder has everything."]
    assert recorder.closed.wait(LIMIT)


def test_what_never_answers_keeps_nobody_waiting(
    directory: RunDirectory, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    tracker = fed(Recording(lambda _: released.wait()), directory, patience=0.3)
    started = time.monotonic()
    tracker.begin([])
    for epoch in range(1, 1000):
        tracker.epoch(row(epoch))
    tracker.finish("finished")
    assert 0.3 <= time.monotonic() - started < LIMIT / 2
    released.set()
    assert len(warnings(caplog)) == 1
    assert "it does not answer" in warnings(caplog)[0]


def test_what_is_slow_and_gets_on_is_waited_for(directory: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recording(Clock(monkeypatch, seconds=6.0))
    a_run(fed(recorder, directory, patience=10.0))
    told_everything(recorder)  # in about forty seconds of that clock


def test_but_not_for_ever(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock(monkeypatch, seconds=background.LONGEST_WAIT / 4)
    recorder = Recording(clock)
    a_run(fed(recorder, directory, patience=background.LONGEST_WAIT / 2))
    clock.given_up.set()
    assert recorder.closed.wait(LIMIT)
    assert recorder.pictures != PICTURES
    assert len(warnings(caplog)) == 1


def test_a_failing_tracker_keeps_the_last_epochs_and_no_more(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "MOST_ROWS", 5)
    monkeypatch.setattr(background, "TRIES", 10**9)
    broken = threading.Event()
    broken.set()

    def before(call: str) -> None:
        if broken.is_set():
            raise ConnectionError

    recorder = Recording(before)
    tracker = fed(recorder, directory)
    for epoch in range(1, 21):
        tracker.epoch(row(epoch))
    broken.clear()
    tracker.finish("finished")
    assert recorder.epochs == [16, 17, 18, 19, 20]


@pytest.mark.parametrize(
    ("error", "state", "message"),
    [
        (None, "finished", None),
        (ValueError("too\nlarge"), "failed", "too large"),
        (ValueError(), "failed", "ValueError"),
        (KeyboardInterrupt(), "interrupted", None),
        (SystemExit(130), "interrupted", None),
    ],
    ids=str,
)
def test_the_end_of_a_run_is_told_however_it_ends(
    error: BaseException | None, state: str, message: str | None, directory: RunDirectory
) -> None:
    recorder = Recording()
    with (
        contextlib.nullcontext() if error is None else pytest.raises(type(error)) as caught,
        tracked() as tracking,
    ):
        tracking.tracker = fed(recorder, directory)
        if error is not None:
            raise error
    assert caught is None or caught.value is error
    (ending,) = recorder.endings
    assert (ending.state, ending.error) == (state, message)
    assert bool(ending.scores) == bool(recorder.pictures) == (state == "finished")


def test_a_folder_that_cannot_be_read_costs_no_more_than_a_word(
    directory: RunDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    (directory.path / "summary.json").write_text("{")
    a_run(fed(Recording(), directory))
    assert len(warnings(caplog)) == 1
    assert "summary.json" in warnings(caplog)[0]


def test_earlier_epochs_are_dated_by_the_time_they_took() -> None:
    rows = [{**row(1), "seconds": 5.0}, {**row(2), "seconds": 3.0}, {**row(3), "seconds": 1.0}]
    assert [epoch.time for epoch in dated(rows, end=100.0)] == [96.0, 99.0, 100.0]
    assert [epoch.row["epoch"] for epoch in dated(rows, end=100.0)] == [1, 2, 3]
    assert dated([], end=100.0) == []
    rows[1].pop("seconds")
    assert [epoch.time for epoch in dated(rows, end=100.0)] == [99.0, 99.0, 100.0]


def test_what_cannot_be_read_is_the_threads_trouble(directory: RunDirectory, caplog: pytest.LogCaptureFixture) -> None:
    tracker = fed(Recording(), directory)
    tracker.begin([{**row(1), "seconds": "two"}])
    tracker.epoch({"train/loss": 1.0})
    tracker.epoch(None)  # type: ignore[arg-type]
    tracker.finish("finished")
    assert len(warnings(caplog)) == 1


def test_a_thread_that_cannot_be_had_costs_a_word(
    directory: RunDirectory, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        a_run(fed(Recording(), directory))
    (warning,) = warnings(caplog)
    assert "does not work: RuntimeError: can't start new thread" in warning
