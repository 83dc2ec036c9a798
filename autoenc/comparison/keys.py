"""The names by which runs can be queried: settings, metrics, and facts that their folders state."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from autoenc.comparison.formatting import as_typed
from autoenc.evaluation.metrics import current_key
from autoenc.runs import SPLITS, RunRecord
from autoenc.settings import ConfigError, listed, nearest

FIELDS: dict[str, Callable[[RunRecord], Any]] = {
    "name": lambda record: record.name,
    "label": lambda record: record.label,
    "state": lambda record: record.state,
    "error_kind": lambda record: record.error_kind,
    "error_message": lambda record: record.error_message,
    "machine": lambda record: record.device,
}
"""They take precedence over a setting of the same name."""

IRRELEVANT = (
    "data_dir",
    "resume",
    "rerun",
    "figures",
    "figure_format",
    "comparison",
    "evaluation",
    "tracker",
    "sweep",
    "hydra",
)
IRRELEVANT_KEYS = (
    *("training.snapshot_every", "training.checkpoint_every"),
    *("dataset.cache", "dataset.max_pixels"),
)
"""Settings that no training depends on: where things are, and what a run keeps, draws, measures and reports.

A metric that depends on a setting of `evaluation` says so itself, by `Metric.depends_on`.
"""


class Keys:
    """The keys that some runs have."""

    def __init__(self, records: Sequence[RunRecord]) -> None:
        self.metrics = list(dict.fromkeys(key for record in records for key in record.metrics))
        self.settings = list(dict.fromkeys(key for record in records for key in record.settings))
        self._all = dict.fromkeys([*self.metrics, *self.settings, *FIELDS])
        self._by_last_part: dict[str, list[str]] = {}
        for key in self._all:
            if "." in key:
                self._by_last_part.setdefault(key.rpartition(".")[2], []).append(key)

    def __contains__(self, key: str) -> bool:
        return key in self._all

    def is_metric(self, key: str) -> bool:
        """Whether a key names a metric."""
        return key in self.metrics and key not in FIELDS

    def find(self, word: str, *, option: str, place: str = "") -> str:
        """The key that a word means: the whole key, or its last part if no other key ends in it.

        Raises:
            ConfigError: there is no such key, or there are several.
        """
        word = word if word in self._all else current_key(word)
        if word in self._all:
            return word
        meant = self._by_last_part.get(word, [])
        if len(meant) == 1:
            return meant[0]
        if meant:
            raise ConfigError(option, f"{place}'{word}' could be {' or '.join(meant[:6])}: write the whole key")
        hint = nearest(word, [*self._all, *self._by_last_part])
        hint = hint or f"; there are, among others, {listed([*self.metrics, *self.settings][:8])}"
        raise ConfigError(option, f"{place}no run has a setting or metric '{word}'{hint}")

    def matching(self, pattern: str, *, option: str) -> list[str]:
        """The keys that match a pattern with `*` or `?`; for a word without them, the one key that it means.

        Raises:
            ConfigError: there is none.
        """
        if not is_pattern(pattern):
            return [self.find(pattern, option=option)]
        matches = [key for key in self._all if matches_pattern(key, current_key(pattern))]
        if not matches:
            raise ConfigError(option, f"no run has a setting or metric like '{pattern}'")
        return matches


def value_of(record: RunRecord, key: str) -> Any:
    """A run's value of a key; None if it has none."""
    if key in FIELDS:
        return FIELDS[key](record)
    return record.metrics[key] if key in record.metrics else record.settings.get(key)


def split_of(metric: str) -> str | None:
    """`test` of `test.mse`; None of a metric without a split."""
    first, _, name = metric.partition(".")
    return first if name and first in SPLITS else None


def without_split(metric: str) -> str:
    """`mse` of `test.mse`; a metric without a split as it is."""
    return metric if split_of(metric) is None else metric.partition(".")[2]


def is_pattern(text: str) -> bool:
    """Whether a text has wildcards."""
    return "*" in text or "?" in text


def matches_pattern(text: str, pattern: str) -> bool:
    """Whether a whole text matches a pattern: `*` stands for anything, `?` for one character; case is ignored."""
    return fnmatch.fnmatchcase(text.lower(), pattern.lower().replace("[", "[[]"))


def differing_settings(records: Sequence[RunRecord]) -> list[str]:
    """The keys of the settings that differ between runs, without `IRRELEVANT` ones, in their order."""
    found = differing_keys([record.settings for record in records if record.settings])
    return [key for key in found if key.partition(".")[0] not in IRRELEVANT and key not in IRRELEVANT_KEYS]


def differing_keys(tables: Sequence[Mapping[str, Any]]) -> list[str]:
    """The dotted keys whose values differ between tables, in their order, without those that a choice explains:
    `architecture=conv` already tells that a run has `architecture.channels`, if these have a single value.
    """
    values: dict[str, set[str]] = {}
    holders: Counter[str] = Counter()
    last: dict[str, Any] = {}
    for table in tables:
        holders.update(table.keys())
        for key, value in table.items():
            if key not in last or last[key] is not value:  # equal values are often the same object: a shortcut
                values.setdefault(key, set()).add(as_typed(value))
                last[key] = value
    return [
        key
        for key, found in values.items()
        if len(found) > 1 or (holders[key] < len(tables) and not _is_explained_by_choice(key, tables))
    ]


def _is_explained_by_choice(key: str, tables: Sequence[Mapping[str, Any]]) -> bool:
    """Whether exactly the tables with certain choices of the key's group have it."""
    group, dot, _ = key.partition(".")
    having = {as_typed(table.get(group)) for table in tables if key in table}
    return bool(dot) and having.isdisjoint(as_typed(table.get(group)) for table in tables if key not in table)
