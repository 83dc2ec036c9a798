"""A tracker that is fed from a thread, so that a slow, dead or broken one costs a run neither its end nor its time."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from autoenc.runs import RunDirectory, State
from autoenc.trackers.tracker import Ending, Row, ending_of

log = logging.getLogger(__name__)

LONGEST_WAIT = 60.0
"""Seconds that the end of a finished run waits in all, for pictures on their slow way to a server that takes them."""
UNFINISHED_WAIT = 5.0
"""The same of a run that failed or was asked to stop: whoever asked waits too, and not for long."""
TRIES = 3
"""How often something is tried before the tracker counts as failing: a database may be locked for a moment."""
LAST_TRY = 3.0
"""Seconds after the end of a run when nothing is tried for another time."""
SHORT_PAUSE = 0.5
"""Seconds between two tries, and between two batches of epochs that went well."""
LONG_PAUSE = 30.0
"""Seconds until a failing tracker is tried again: a server may be started anew."""
MOST_ROWS = 10_000
"""How many epochs are kept for a failing tracker; older ones are only in `metrics.jsonl`."""

LONGEST_WORDS = 300
"""How many letters of an error are shown."""


class Epoch(NamedTuple):
    """An epoch's numbers."""

    row: Row
    time: float
    """Of its end, in seconds since 1970: whatever is sent twice is sent with the same time."""


def dated(rows: Sequence[Row], *, end: float) -> list[Epoch]:
    """Epochs of an earlier process, as if it had trained without a break until `end`, in seconds since 1970.

    One that does not say how long it took counts as if it took no time.
    """
    epochs = []
    for row in reversed(rows):
        epochs.append(Epoch(row, end))
        end -= row.get("seconds", 0.0)
    return epochs[::-1]


class Recorder(Protocol):
    """One run in a tracker. Its methods may raise anything; a call that raised is made again."""

    def begin(self, epochs: Sequence[Epoch]) -> None:
        """The training begins, or goes on after these epochs."""
        ...

    def write(self, epochs: Sequence[Epoch]) -> None:
        """Record epochs."""
        ...

    def end(self, ending: Ending) -> None:
        """Record the scores and the state."""
        ...

    def picture(self, path: Path, *, epoch: int) -> None:
        """Record a PNG file, drawn after so many epochs."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


class _Begin(NamedTuple):
    """What a run told of its beginning."""

    rows: Sequence[Row]
    """The epochs before it."""
    time: float
    """In seconds since 1970."""


class _End(NamedTuple):
    """What a run told of its end."""

    state: State
    error: str | None
    time: float
    """In seconds since 1970."""


class FedFromAThread:
    """Hands on what it is told to a `Recorder`, in a thread of its own.

    The thread that trains only puts down what it tells: whatever is made of it, even if it is only read, is made by the
    other one, where it may fail.

    What cannot be handed on is tried again: soon at first, and then now and then as long as the run lasts. There is one
    warning, when the first tries have failed.
    """

    def __init__(self, recorder: Recorder, *, name: str, directory: RunDirectory, patience: float) -> None:
        self._recorder = recorder
        self._name = name
        self._directory = directory
        self._patience = patience
        """Seconds that the end of the run waits while nothing at all arrives."""
        self._begin: _Begin | None = None
        self._epochs: deque[Epoch] = deque(maxlen=MOST_ROWS)
        self._end: _End | None = None
        self._pictures: list[Path] | None = None
        """Still to be handed on; None: the end itself is."""
        self._told = threading.Condition()
        self._over = threading.Event()
        self._progress = self._end_told = time.monotonic()
        self._failures = 0
        self._warned = False
        self._thread = threading.Thread(target=self._work, name=f"tracker {name}", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # no memory for one, or the system allows no more
            self._warn(_in_few_words(error), error=error)

    def begin(self, rows: Sequence[Row]) -> None:
        """See `Tracker`."""
        with self._told:
            self._begin = _Begin(rows, time.time())
            self._told.notify()

    def epoch(self, row: Row) -> None:
        """See `Tracker`."""
        with self._told:
            self._epochs.append(Epoch(row, time.time()))
            self._told.notify()

    def finish(self, state: State, *, error: str | None = None) -> None:
        """See `Tracker`."""
        with self._told:
            self._end = _End(state, error, time.time())
            self._end_told = self._progress = time.monotonic()
            self._told.notify()
        longest = LONGEST_WAIT if state == "finished" else UNFINISHED_WAIT
        try:
            while self._thread.is_alive():
                self._thread.join(timeout=0.1)
                now = time.monotonic()
                if now - self._progress > self._patience or now - self._end_told > longest:
                    self._warn("it does not answer")
                    return
        finally:
            self._over.set()  # also where a signal ends the wait: nothing more is begun in a folder that is let go of

    def _work(self) -> None:
        """The thread."""
        try:
            while not self._over.is_set():
                self._wait_for_news()
                try:
                    self._hand_on()
                # Foreign code, a database, a network: what they may raise cannot be listed, and none of it may stop
                # a run.
                except Exception as error:
                    self._failed(error)
                else:
                    self._succeeded()
        finally:
            with contextlib.suppress(Exception):  # the same
                self._recorder.close()

    def _wait_for_news(self) -> None:
        with self._told:
            self._told.wait_for(lambda: self._begin is not None or self._epochs or self._end is not None)

    def _hand_on(self) -> None:
        """Everything that was told and has not arrived."""
        if self._begin is not None:
            self._recorder.begin(dated(self._begin.rows, end=self._begin.time))
            self._begin = None
            self._progressed()
        with self._told:
            epochs = list(self._epochs)
        if epochs:
            self._recorder.write(epochs)
            with self._told:
                while self._epochs and self._epochs[0].row["epoch"] <= epochs[-1].row["epoch"]:
                    self._epochs.popleft()
            self._progressed()
        if self._end is not None and not self._epochs:
            self._hand_on_end(self._end)

    def _hand_on_end(self, end: _End) -> None:
        ending = ending_of(self._directory, end.state, error=end.error, time=end.time)
        if self._pictures is None:
            self._recorder.end(ending)
            self._pictures = sorted(self._directory.figures.glob("*.png")) if end.state == "finished" else []
            self._progressed()
        while self._pictures and not self._over.is_set():
            self._recorder.picture(self._pictures[0], epoch=ending.epochs)
            del self._pictures[0]
            self._progressed()
        self._over.set()

    def _progressed(self) -> None:
        self._progress = time.monotonic()

    def _succeeded(self) -> None:
        if self._failures and self._warned:
            log.info("tracker=%s works again.", self._name)
        self._failures = 0
        self._pause(SHORT_PAUSE)

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        ended = self._end is not None
        if self._failures >= TRIES or (ended and time.monotonic() - self._end_told > LAST_TRY):
            self._warn(_in_few_words(error), error=error)
        if ended and self._warned:
            self._over.set()
        elif ended:
            time.sleep(SHORT_PAUSE)
        else:
            self._pause(LONG_PAUSE if self._warned else SHORT_PAUSE)

    def _pause(self, seconds: float) -> None:
        """Let more come together, or the tracker recover; the end of the run is waited for by somebody."""
        with self._told:
            self._told.wait_for(lambda: self._end is not None, timeout=seconds)

    def _warn(self, problem: str, *, error: Exception | None = None) -> None:
        if self._warned:
            return
        self._warned = True
        text = "tracker=%s does not work: %s. The run goes on, and its folder has everything."
        log.warning(text, self._name, problem)
        if error is not None:
            log.debug("The tracker's error in full:", exc_info=error)


def _in_few_words(error: Exception) -> str:
    """What the machine or the network said, if that is at the bottom of it: around it libraries wrap many words."""
    said: BaseException = error
    inner: BaseException | None = error
    while inner is not None:
        said = inner if isinstance(inner, OSError) else said
        inner = inner.__cause__ or inner.__context__
    text = " ".join(f"{type(said).__name__}: {said}".split()).rstrip(".")
    return text if len(text) <= LONGEST_WORDS else f"{text[:LONGEST_WORDS]} ..."
