"""A run as its folder tells of it: what every table, diff and report is made from. Plain values, nothing of torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

RecordState = Literal["finished", "running", "failed", "interrupted", "dead", "waiting", "unreadable"]
"""`dead`: its folder says that it runs, and its process is gone. `waiting`: a job of a sweep that has not begun.
`unreadable`: `problems` has why."""

SPLITS = ("test", "validation", "train")
FACTS = ("parameters", "code_size", "best_epoch", "epochs", "images_per_second")


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One run, in whatever state its folder is."""

    path: Path
    """Absolute."""
    name: str
    """The path below the folder that was asked for, with `/`: no two records that were read together have the same."""
    label: str
    """What it is called beside others: of a sweep's job what varies, else the name."""
    state: RecordState
    error_kind: str | None = None
    """`raised`, `not_finite`, `out_of_memory`, `killed` or `timed_out`, of a failed run."""
    error_message: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    """Nested plain values; empty where it cannot be read."""
    summary: Mapping[str, Any] = field(default_factory=dict)
    """`summary.json`; empty while there is none."""
    history: Sequence[Mapping[str, Any]] = ()
    """The rows of `metrics.jsonl` that can be read."""
    status: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    """What of the folder could not be read, and why: a sentence each."""
    sweep: Path | None = None
    """The folder of the sweep that it is a job of."""
    changed_at: datetime | None = None
    """When the newest of its files was written."""

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The config by dotted key: `architecture` is the choice, `architecture.code_size` a value of it."""
        found: dict[str, Any] = {}
        _flatten(self.config, "", found)
        return found

    @cached_property
    def metrics(self) -> dict[str, float]:
        """What was measured, by dotted key: `test.mse`, `validation.loss`, `seconds.training`, `parameters`."""
        found: dict[str, float] = {}
        for split in (*SPLITS, "seconds"):
            values = self.summary.get(split)
            for name, value in values.items() if isinstance(values, Mapping) else ():
                if _is_number(value):
                    found[f"{split}.{name}"] = value
        found.update({name: self.summary[name] for name in FACTS if _is_number(self.summary.get(name))})
        return found

    @property
    def device(self) -> str | None:
        """On what it ran, as `environment.json` or else `summary.json` says; None where neither has a text for it."""
        said = (self.environment.get("device"), self.summary.get("device"))
        return next((value for value in said if isinstance(value, str)), None)

    def unit(self, metric: str) -> str:
        """What the numbers of a metric are, named as in `metrics`; empty where the folder does not say."""
        split, _, name = metric.partition(".")
        units = self.summary.get("units")
        return (
            str(units.get("seconds" if split == "seconds" else name or split, "")) if isinstance(units, Mapping) else ""
        )


def _flatten(values: Mapping[str, Any], path: str, found: dict[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, Mapping):
            _flatten(value, f"{path}{key}.", found)
        elif key == "name" and path:
            found[path.removesuffix(".")] = value
        else:
            found[f"{path}{key}"] = value


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
