"""The jobs of a sweep, as their folders tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoenc.comparison.records import RunRecord
from autoenc.run_directory import RunDirectory


@dataclass(frozen=True)
class Job:
    """A finished run beside others."""

    label: str
    """What distinguishes it from the others."""
    path: Path
    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    """The rows of `metrics.jsonl`."""

    @classmethod
    def read(cls, path: Path, *, label: str) -> Job | None:
        """The run in a folder; None where it is not finished.

        Raises:
            ConfigError: its files cannot be read.
        """
        run = RunDirectory(path)
        if run.status().get("state") != "finished":
            return None
        return cls(label, path, config=run.config(), summary=run.summary(), history=run.metrics())

    def record(self) -> RunRecord:
        """The same as everything else that reads runs hands it out."""
        return RunRecord(
            path=self.path,
            name=self.path.name,
            label=self.label,
            state="finished",
            config=self.config,
            summary=self.summary,
            history=self.history,
        )

    def setting(self, key: str) -> Any:
        """The value of a dotted key of its config; None where there is no such key."""
        return setting(self.config, key)

    def score(self, split: str, metric: str) -> float | None:
        """A metric of a split; None where it was not measured."""
        value = (self.summary.get(split) or {}).get(metric)
        return None if value is None else float(value)

    @property
    def metrics(self) -> list[str]:
        """The names of what was measured on the test split."""
        return list(self.summary.get("test") or {})

    def unit(self, metric: str) -> str:
        """What a metric's numbers are."""
        return str((self.summary.get("units") or {}).get(metric, metric))


def setting(config: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key of a config; None where there is no such key."""
    value: Any = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def labels(overrides: Sequence[Sequence[str]]) -> list[str]:
    """What to call each job of a sweep, of its overrides: only what varies, as short as is clear.

    A choice of a group is called by its name (`conv`), a value by the last part of its key (`code_size 3`).
    """
    settings = [dict(_key_and_value(text) for text in texts) for texts in overrides]
    varying = [key for key in _all_keys(settings) if len({job.get(key) for job in settings}) > 1]
    if not varying:
        varying = _all_keys(settings)
    return [", ".join(_said(key, job[key]) for key in varying if key in job) or "the run" for job in settings]


def _key_and_value(text: str) -> tuple[str, str]:
    key, _, value = text.lstrip("+~").partition("=")
    return key, value


def _all_keys(settings: Sequence[Mapping[str, str]]) -> list[str]:
    return list(dict.fromkeys(key for job in settings for key in job))


def _said(key: str, value: str) -> str:
    words = value.strip("'\"").replace("_", " ")
    if key == "seed" or "." in key:
        return f"{key.rpartition('.')[2].replace('_', ' ')} {words}"
    return words
