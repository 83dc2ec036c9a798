"""What the jobs of a sweep are called, and what a config says of a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


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


def key_of(override: str) -> str:
    """The key of an override as it stands on the command line: `seed` of `+seed=1`."""
    return override.lstrip("+~").partition("=")[0]


def _key_and_value(text: str) -> tuple[str, str]:
    return key_of(text), text.partition("=")[2]


def _all_keys(settings: Sequence[Mapping[str, str]]) -> list[str]:
    return list(dict.fromkeys(key for job in settings for key in job))


def _said(key: str, value: str) -> str:
    words = value.strip("'\"").replace("_", " ")
    if key == "seed" or "." in key:
        return f"{key.rpartition('.')[2].replace('_', ' ')} {words}"
    return words
