"""What trackers have in common: what they are told, and by which names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from autoenc.runs import RunDirectory, State

Row = Mapping[str, Any]
"""A line of `metrics.jsonl`: an epoch's numbers."""


class Tracker(Protocol):
    """Told how a run goes. It raises nothing and keeps nobody waiting: whatever befalls a tracker costs no run."""

    def begin(self, rows: Sequence[Row]) -> None:
        """The training begins; where a run is taken up again, it goes on after these epochs."""
        ...

    def epoch(self, row: Row) -> None:
        """An epoch is done."""
        ...

    def finish(self, state: State, *, error: str | None = None) -> None:
        """The run is over. This waits for what was told to arrive, but not for long; a signal may end the wait."""
        ...


class TrackerSettings(Protocol):
    """A choice of the group `tracker`."""

    def require(self) -> None:
        """See that what it needs is installed, and import it: in the main thread, before there is a folder.

        Raises:
            ConfigError: it is not; the message says what to install.
        """
        ...

    def build(self, run: TrackedRun) -> Tracker:
        """The tracker of one run."""
        ...


class TrackedRun(NamedTuple):
    """The run that is told of."""

    directory: RunDirectory
    title: str
    """What stands over its pictures."""
    values: Mapping[str, Any]
    """Its config, as plain values."""
    units: Mapping[str, str]
    """Of each number, by its name without the split: `mse`."""

    @property
    def name(self) -> str:
        """The last two folders of its path: a date and a time, or a sweep and a job."""
        return "/".join(self.directory.path.absolute().parts[-2:])

    def settings(self) -> dict[str, bool | int | float | str]:
        """The config by dotted keys, without the tracker's own; a list or null as it is written in YAML."""
        flat = _flattened(self.values)
        return {key: _as_scalar(value) for key, value in flat.items() if not key.startswith("tracker.")}

    def quantity(self, name: str) -> str | None:
        """What `units` calls the number `name`: `mse` for `test/mse`, `seconds` for `final/seconds/total`."""
        return next((part for part in reversed(name.split("/")) if part in self.units), None)


class Ending(NamedTuple):
    """How a run ended."""

    state: State
    error: str | None
    time: float
    """In seconds since 1970."""
    epochs: int
    scores: Mapping[str, float]
    """The numbers of `summary.json`; none of a run that did not finish."""


@dataclass
class Tracking:
    """Whether a run has a tracker by now: it takes a prepared run to build one, and preparing may fail."""

    tracker: Tracker | None = None

    def finish(self, state: State, *, error: str | None = None) -> None:
        """Tell it that the run is over, and wait for it. A signal changes nothing any more, and only ends the wait."""
        if self.tracker is not None:
            with contextlib.suppress(KeyboardInterrupt, SystemExit):
                self.tracker.finish(state, error=error)


@contextlib.contextmanager
def tracked() -> Iterator[Tracking]:
    """Tell the tracker, if there is one by then, how the work inside ended.

    Whoever writes down how the run stands does so inside: then no wait for a tracker can change it.
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


def ending_of(directory: RunDirectory, state: State, *, error: str | None, time: float) -> Ending:
    """How a run ended, with what its folder says."""
    summary = directory.summary() if state == "finished" else {}
    return Ending(state, error, time, epochs=len(directory.metrics()), scores=_scores(summary))


def numbers(row: Row) -> dict[str, float]:
    """The numbers of an epoch, but for its own."""
    return {name: float(value) for name, value in row.items() if name != "epoch" and value is not None}


def _scores(summary: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of `summary.json`: `test/mse`, and all others after `final/`, since epochs have such names too.

    What is dead or saturated is left out: its names are those of the model's parts, and differ from run to run.
    """
    flat = _flattened({name: value for name, value in summary.items() if name not in {"health", "units"}})
    found = {key.replace(".", "/"): value for key, value in flat.items() if isinstance(value, (int, float))}
    return {name if name.startswith("test/") else f"final/{name}": float(value) for name, value in found.items()}


def _flattened(values: Mapping[str, Any], *, prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flattened(value, prefix=f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _as_scalar(value: Any) -> bool | int | float | str:
    if isinstance(value, (bool, int, float, str)):
        return value
    return "null" if value is None else str(value)
