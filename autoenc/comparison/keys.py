"""What can be asked of runs by name: their settings, their metrics, and what their folders say of themselves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from autoenc.comparison.wording import said
from autoenc.runs import RunRecord, printable
from autoenc.settings import ConfigError, listed, nearest

FIELDS: dict[str, Callable[[RunRecord], Any]] = {
    "name": lambda record: record.name,
    "label": lambda record: record.label,
    "state": lambda record: record.state,
    "error_kind": lambda record: record.error_kind,
    "error_message": lambda record: record.error_message,
    "machine": lambda record: record.device,
}
"""Beside settings and metrics; they go before a setting of the same name."""


class Keys:
    """The names that some runs know."""

    def __init__(self, records: Iterable[RunRecord]) -> None:
        found = list(records)
        self.metrics = list(dict.fromkeys(key for record in found for key in record.metrics))
        self.settings = list(dict.fromkeys(key for record in found for key in record.settings))
        self._metrics, self._settings = set(self.metrics), set(self.settings)
        self._short: dict[str, list[str]] = {}
        for key in dict.fromkeys([*self.metrics, *self.settings]):
            short = key.rpartition(".")[2]
            if short != key:
                self._short.setdefault(short, []).append(key)

    def __contains__(self, key: str) -> bool:
        return key in FIELDS or key in self._metrics or key in self._settings

    def is_metric(self, key: str) -> bool:
        """Whether a key is that of something measured."""
        return key in self._metrics and key not in FIELDS

    def found(self, word: str, *, option: str, place: str = "") -> str:
        """The key that a person means: the whole of it, or its last part where no other key ends so.

        Raises:
            ConfigError: there is none, or there are several.
        """
        if word in self:
            return word
        meant = self._short.get(word, [])
        if len(meant) == 1:
            return meant[0]
        if meant:
            raise ConfigError(option, printable(f"{place}'{word}' could be {' or '.join(meant[:6])}: say which"))
        every = [*self.metrics, *self.settings, *FIELDS, *self._short]
        hint = nearest(word, every) or f"; there are, among others, {listed([*self.metrics, *self.settings][:8])}"
        raise ConfigError(option, printable(f"{place}no run has a setting or metric '{word}'{hint}"))

    def matching(self, pattern: str, *, option: str) -> list[str]:
        """The keys that a pattern with `*` or `?` matches; of a word without them, the one key that it means.

        Raises:
            ConfigError: there is none.
        """
        if not is_pattern(pattern):
            return [self.found(pattern, option=option)]
        every = dict.fromkeys([*self.metrics, *self.settings, *FIELDS])
        matches = [key for key in every if matches_pattern(key, pattern)]
        if not matches:
            raise ConfigError(option, f"no run has a setting or metric like '{pattern}'")
        return matches


def value_of(record: RunRecord, key: str) -> Any:
    """What a run says under a key; None where it says nothing."""
    if key in FIELDS:
        return FIELDS[key](record)
    return record.metrics[key] if key in record.metrics else record.settings.get(key)


def is_pattern(text: str) -> bool:
    """Whether a text is one that `matches_pattern` takes for more than itself."""
    return "*" in text or "?" in text


def matches_pattern(text: str, pattern: str) -> bool:
    """Whether the whole of a text is like a pattern, in which `*` stands for anything and `?` for one character."""
    first, *others = ["".join("." if part == "?" else re.escape(part) for part in each) for each in pattern.split("*")]
    if not others:
        return re.fullmatch(first, text, _FLAGS) is not None
    # What a star stands for is the least that will do, and never tried again: no pattern takes long.
    between = "".join(f"(?>.*?{part})" for part in others[:-1] if part)
    return re.fullmatch(f"{first}{between}.*{others[-1]}", text, _FLAGS) is not None


_FLAGS = re.IGNORECASE | re.DOTALL


IRRELEVANT = ("data_dir", "resume", "rerun", "figures", "comparison", "tracker", "sweep", "hydra")
IRRELEVANT_KEYS = ("training.snapshot_every", "training.checkpoint_every")
"""Where things are, and what is kept, drawn or said of a run: no number that is measured depends on it."""


def differing_settings(records: Sequence[RunRecord]) -> list[str]:
    """The keys of the settings that are not the same in all runs, in their order.

    Without those of `IRRELEVANT`, and without what one choice of a group alone has and has but one value of: that
    `architecture` is `conv` says that it has these `architecture.channels`.
    """
    readable = [record for record in records if record.settings]
    values: dict[str, set[str]] = {}
    holders: dict[str, int] = {}
    last: dict[str, Any] = {}
    for record in readable:
        for key, value in record.settings.items():
            holders[key] = holders.get(key, 0) + 1
            if key not in last or last[key] is not value:  # readers share small numbers and words: a quick way out
                values.setdefault(key, set()).add(said(value))
                last[key] = value
    several = [key for key, found in values.items() if len(found) > 1]
    partly = [key for key in values if holders[key] < len(readable) and len(values[key]) == 1]
    differing = set(partly).difference(_explained_by_their_groups(partly, readable)).union(several)
    return [
        key
        for key in values
        if key in differing and key.partition(".")[0] not in IRRELEVANT and key not in IRRELEVANT_KEYS
    ]


def _explained_by_their_groups(keys: Iterable[str], records: Sequence[RunRecord]) -> set[str]:
    """Those of the keys of which the choice of their group tells which runs have them.

    These are the runs of some choices, and all of them. They are counted: a comparison may have a million keys.
    """
    groups = {key: group for key, (group, _, rest) in ((key, key.partition(".")) for key in keys) if rest}
    every: dict[str, Counter[str]] = {group: Counter() for group in groups.values()}
    having: dict[str, Counter[str]] = {key: Counter() for key in groups}
    for record in records:
        chosen = {group: said(record.settings.get(group)) for group in every}
        for group, choice in chosen.items():
            every[group][choice] += 1
        for key in record.settings:
            if key in groups:
                having[key][chosen[groups[key]]] += 1
    return {
        key
        for key, group in groups.items()
        if all(count == every[group][choice] for choice, count in having[key].items())
    }
