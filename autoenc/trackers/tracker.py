"""What all trackers have in common: the names of the numbers, and a guard against errors and delays."""

from __future__ import annotations

import contextlib
import itertools
import logging
import textwrap
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from autoenc.registry import Choice
from autoenc.runs import RunDirectory, State, moment
from autoenc.settings import flattened

log = logging.getLogger(__name__)

Row = Mapping[str, Any]
"""A line of `metrics.jsonl`: the numbers of an epoch."""

FINISHED_WAIT, UNFINISHED_WAIT = 60.0, 5.0
"""Seconds that the end of a run waits for its tracker: a finished run uploads its pictures; a user who interrupts a run
wants it to end soon."""
ERROR_LENGTH = 300
"""Characters of an error that the warning shows."""


class TrackerSettings(Choice):
    """A choice of the group `tracker`."""

    def require(self) -> None:
        """Import the tracker's package in the main thread, before the run's folder is made.

        Raises:
            ConfigError: the package is not installed; the message says what to install.
        """

    @abstractmethod
    def build(self, run: TrackedRun) -> Tracker:
        """Build the tracker of one run."""


class TrackedRun(NamedTuple):
    """The run that a tracker records."""

    directory: RunDirectory
    title: str
    """The heading of its pictures."""
    values: Mapping[str, Any]
    """Its config, as plain values."""
    units: Mapping[str, str]
    """The unit of each number, by its name without the split: `mse`."""
    sending: str
    """The command that sends it to this tracker after its end."""

    @property
    def name(self) -> str:
        """The last two folders of its path: a date and a time, or a sweep and a job."""
        return "/".join(self.directory.path.absolute().parts[-2:])

    @property
    def started(self) -> float:
        """When it began, in seconds since 1970."""
        began = moment(self.directory.status().get("started_at"))
        return time.time() if began is None else began.timestamp()

    def settings(self) -> dict[str, bool | float | str]:
        """The config by dotted keys, without the tracker's own; lists and null as YAML writes them."""
        flat = flattened(self.values)
        return {key: _as_scalar(value) for key, value in flat.items() if not key.startswith("tracker.")}

    def note(self, quantities: Collection[str]) -> str:
        """A text in Markdown: the title, the folder, and the units of these quantities."""
        table = "\n".join(f"| `{name}` | {unit} |" for name, unit in self.units.items() if name in quantities)
        return f"{self.title}\n\n`{self.directory.path}`\n\n| number | unit |\n| --- | --- |\n{table}"

    def quantity(self, name: str) -> str | None:
        """The key of a number in `units`: `mse` for `test/mse`, `seconds` for `final/seconds/total`."""
        return next((part for part in reversed(name.split("/")) if part in self.units), None)


class Epoch(NamedTuple):
    """The numbers of an epoch."""

    number: int
    values: Mapping[str, float]
    time: float
    """When it ended, in seconds since 1970."""


class Ending(NamedTuple):
    """How a run ended."""

    state: State
    error: str | None
    time: float
    """In seconds since 1970."""
    epochs: int
    scores: Mapping[str, float]
    """The numbers of `summary.json`; empty unless the run finished."""
    scored: float
    """When they were measured last: at the run's end or, if it was scored again, later."""


class Backend(Protocol):
    """Records one run in one program. Its methods may raise anything."""

    def begin(self, epochs: Sequence[Epoch]) -> None:
        """Record the settings and the epochs so far. What an earlier process recorded is not recorded twice."""

    def epoch(self, epoch: Epoch) -> None:
        """Record an epoch without waiting for it to arrive."""

    def finish(self, ending: Ending) -> None:
        """Record the scores, the state and the pictures, and wait until everything has arrived."""


class TrackerError(RuntimeError):
    """A run that could not be sent; the message is one line."""


class Tracker:
    """Records a run as it goes on. Its backend's errors and delays do not reach the run; without one it does nothing.

    After its first error the backend is not called again, and the log has one warning.
    """

    def __init__(self, backend: Backend | None, *, name: str, run: TrackedRun) -> None:
        self._backend = backend
        self._name = name
        self._run = run
        self._directory = run.directory
        self._begun = False

    def begin(self, rows: Sequence[Row]) -> None:
        """Record that training begins, after these epochs of earlier processes."""
        self._begun = True
        self._call(lambda backend: backend.begin(_dated(rows, end=time.time())))

    def epoch(self, row: Row) -> None:
        """Record an epoch."""
        self._call(lambda backend: backend.epoch(_epoch(row, time.time())))

    def finish(self, state: State, *, error: str | None = None) -> None:
        """Record how the run ended, and wait until everything has arrived, but not for long. A signal ends the wait."""
        self._call(lambda _: self._finish(state, error))

    def _finish(self, state: State, error: str | None) -> None:
        if not self._begun:  # the run failed before its training
            self.begin(self._directory.metrics())
        ending = self._ending(state, error)
        thread = threading.Thread(target=self._call, args=(lambda backend: backend.finish(ending),), daemon=True)
        thread.start()
        seconds = FINISHED_WAIT if state == "finished" else UNFINISHED_WAIT
        thread.join(seconds)
        if thread.is_alive():
            raise TimeoutError(f"it has not answered for {seconds:g} seconds")

    def send(self, state: State, *, error: str | None = None) -> None:
        """Record a run that has ended, from its folder, and complete what the tracker has of it.

        Raises:
            TrackerError: the tracker or the folder does not allow it.
        """
        assert self._backend is not None, "tracker=none records nothing"
        try:
            ending = self._ending(state, error)
            last = min(ending.time, self._written("metrics.jsonl"))
            self._backend.begin(_dated(self._directory.metrics(), end=last))
            self._backend.finish(ending)
        except Exception as problem:  # see `_call`
            raise TrackerError(f"tracker={self._name} does not work: {_shortened(problem)}") from problem

    def _ending(self, state: State, error: str | None) -> Ending:
        summary = self._directory.summary() if state == "finished" else {}
        recorded = moment(self._directory.status().get("finished_at"))  # None if its process was killed
        end = self._written("status.json", "metrics.jsonl") if recorded is None else recorded.timestamp()
        scored = max(end, self._written("summary.json"))
        return Ending(state, error, end, len(self._directory.metrics()), _scores(summary), scored)

    def _written(self, *names: str) -> float:
        """When the last of these files was written, in seconds since 1970; now, if there is none."""
        files = [self._directory.path / name for name in names]
        return max((file.stat().st_mtime for file in files if file.exists()), default=time.time())

    def _call(self, call: Callable[[Backend], None]) -> None:
        backend = self._backend
        if backend is None:
            return
        try:
            call(backend)
        except Exception as error:  # other people's code, a database, a network: anything can be raised
            if self._backend is not backend:  # its thread has gone on after the wait for it
                return
            self._backend = None
            problem = f"tracker={self._name} does not work: {_shortened(error)}"
            advice = f"To send it when it has ended: {self._run.sending}"
            log.warning("%s. The run goes on, and its folder has everything. %s", problem, advice)
            log.debug("The tracker's error in full:", exc_info=error)
        except BaseException:  # a signal, while the run began: the backend is not ready to be told of its end
            self._backend = None
            raise


NOT_TRACKED = ("health", "units", "standard_errors", "digests", "duplicates", "images", "evaluation")
"""Entries of `summary.json` that no tracker receives."""


@dataclass
class Tracking:
    """The tracker of a run, once the run is prepared far enough to have one."""

    tracker: Tracker | None = None

    def finish(self, state: State, *, error: str | None = None) -> None:
        """Tell the tracker that the run is over. A signal only ends the wait for it."""
        if self.tracker is not None:
            with contextlib.suppress(KeyboardInterrupt, SystemExit):
                self.tracker.finish(state, error=error)


@contextlib.contextmanager
def tracked() -> Iterator[Tracking]:
    """Tell the tracker, if there is one by then, how the work inside ended.

    The run's state is written inside, so that waiting for a tracker cannot change it.
    """
    tracking = Tracking()
    try:
        yield tracking
    except (KeyboardInterrupt, SystemExit):
        tracking.finish("interrupted")
        raise
    except Exception as error:
        tracking.finish("failed", error=" ".join(str(error).split()) or type(error).__name__)
        raise
    tracking.finish("finished")


def _epoch(row: Row, end: float) -> Epoch:
    values = {name: float(value) for name, value in row.items() if name != "epoch" and value is not None}
    return Epoch(row["epoch"], values, end)


def _dated(rows: Sequence[Row], *, end: float) -> list[Epoch]:
    """Date the epochs of an earlier process as if it had trained without a break until `end`."""
    left = itertools.accumulate((row.get("seconds", 0.0) for row in reversed(rows)), initial=0.0)
    return [_epoch(row, end - seconds) for row, seconds in zip(reversed(rows), left, strict=False)][::-1]


def _scores(summary: Mapping[str, Any]) -> dict[str, float]:
    """Name the numbers of `summary.json`: `test/mse`, and the others after `final/`, since epochs have the same names.

    What describes the scores is left out, and so are dead and saturated units: their names are those of the model's
    layers, and differ from run to run.
    """
    flat = flattened({name: value for name, value in summary.items() if name not in NOT_TRACKED})
    found = {key.replace(".", "/"): value for key, value in flat.items() if isinstance(value, (int, float))}
    return {name if name.startswith("test/") else f"final/{name}": float(value) for name, value in found.items()}


def _as_scalar(value: Any) -> bool | float | str:
    return value if isinstance(value, (bool, int, float, str)) else "null" if value is None else str(value)


def _shortened(error: Exception) -> str:
    """The innermost message of the operating system or the network; libraries wrap many words around it."""
    cause: BaseException = error
    inner: BaseException | None = error
    while inner is not None:
        cause = inner if isinstance(inner, OSError) else cause
        inner = inner.__cause__ or inner.__context__
    return textwrap.shorten(f"{type(cause).__name__}: {cause}".rstrip().rstrip("."), ERROR_LENGTH, placeholder=" ...")
