"""The record of a run: plain, checked values read from its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

State = Literal["running", "finished", "failed", "interrupted"]
"""What a run writes into its `status.json`."""
RecordState = Literal[State, "diverged", "dead", "waiting", "unreadable"]
"""`diverged`: the run is recorded as failed, because a loss or gradient was not finite. `dead`: it is recorded as
running, but its process is gone. `waiting`: a job of a sweep that has not started. `unreadable`: see `problems`."""
Phase = Literal["training", "evaluating", "drawing"]
"""What a running run is doing, as in its `status.json`; it has no phase while it starts."""
ErrorKind = Literal["raised", "not_finite", "out_of_memory", "killed", "timed_out"]

SPLITS = ("test", "validation", "train")
FACTS = ("parameters", "code_size", "best_epoch", "epochs", "images_per_second")
"""Numbers of `summary.json` that belong to no split."""


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One run, in any state. All text is printable, all numbers are finite; known entries have their type or are absent
    or None.
    """

    path: Path
    """Absolute."""
    name: str
    """Path below the folder that was asked for, with `/`. Unique among the records that are read together."""
    label: str
    """Short name next to other runs: for a job of a sweep the settings that vary, else `name`."""
    state: RecordState
    error_kind: str | None = None
    """An `ErrorKind`, for a run that failed or diverged."""
    error_message: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    """Nested plain values; empty if it cannot be read."""
    summary: Mapping[str, Any] = field(default_factory=dict)
    """`summary.json`. The splits, `seconds` and `images` hold numbers, `units` and `digests` text.

    Empty unless finished.
    """
    history: Sequence[Mapping[str, float | None]] = ()
    """Rows of `metrics.jsonl`, one per epoch."""
    status: Mapping[str, Any] = field(default_factory=dict)
    """`status.json`. Times, `phase` and `host` are text, `pid` a number, `error` None or a `kind` and a `message`."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    """`environment.json`. `device` is text."""
    problems: tuple[str, ...] = ()
    """What could not be read, and why: one sentence each."""
    sweep: Path | None = None
    """The folder of the sweep that this run is a job of."""
    changed_at: datetime | None = None
    """When the newest of its files was written."""

    @property
    def finished(self) -> bool:
        """Whether the run has finished, so that it can be ranked."""
        return self.state == "finished"

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The config by dotted key: `architecture` is the choice, `architecture.code_size` one of its settings.

        `evaluation` is that of the last scores: a run may be scored again after its end.
        """
        scores = (self.summary.get("evaluation") or {}).get("scores") or {}
        found: dict[str, Any] = {}
        _flatten({**self.config, **({"evaluation": scores["settings"]} if scores.get("settings") else {})}, "", found)
        return found

    @cached_property
    def settings_of_groups(self) -> dict[str, dict[str, Any]]:
        """The settings by the first part of their keys."""
        found: dict[str, dict[str, Any]] = {}
        for key, value in self.settings.items():
            found.setdefault(key.partition(".")[0], {})[key] = value
        return found

    @cached_property
    def metrics(self) -> dict[str, float]:
        """The numbers of the summary by dotted key: `test.mse`, `validation.loss`, `seconds.training`, `parameters`."""
        tables = {split: self.summary.get(split) or {} for split in (*SPLITS, "seconds")}
        found = {f"{split}.{name}": value for split, values in tables.items() for name, value in values.items()}
        found.update({name: self.summary.get(name) for name in FACTS})
        return {name: value for name, value in found.items() if value is not None}

    @cached_property
    def scores(self) -> dict[str, float]:
        """The scores of the test split and their baselines by name, such as `mse` and `pca_mse`."""
        return {name: value for name, value in (self.summary.get("test") or {}).items() if value is not None}

    @property
    def device(self) -> str | None:
        """The device it ran on; None if the folder does not say."""
        device: str | None = self.environment.get("device") or self.summary.get("device")
        return device

    @cached_property
    def digests(self) -> dict[str, str]:
        """The digest of the images of each split, and of the `training_pool`; empty for a run of an early version."""
        return {name: digest for name, digest in (self.summary.get("digests") or {}).items() if digest is not None}

    @cached_property
    def units(self) -> dict[str, str]:
        """The unit of each metric, by its name without the split."""
        return {name: unit for name, unit in (self.summary.get("units") or {}).items() if unit is not None}

    def unit(self, metric: str) -> str:
        """The unit of a metric, named as in `metrics`; empty if unknown."""
        split, _, name = metric.partition(".")
        return self.units.get("seconds" if split == "seconds" else name or split, "")


def _flatten(values: Mapping[str, Any], path: str, found: dict[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, Mapping):
            _flatten(value, f"{path}{key}.", found)
        elif key == "name" and path:
            found[path.removesuffix(".")] = value
        else:
            found[f"{path}{key}"] = value
