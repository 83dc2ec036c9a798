"""Two runs beside one another: what of their configs and of their numbers differs, from the first to the second."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from autoenc.comparison.protocol import is_higher_better, measured_how
from autoenc.comparison.wording import said
from autoenc.runs import RunRecord

MISSING = object()


class Change(NamedTuple):
    """A value that is not the same in both."""

    key: str
    old: Any
    """`MISSING` where there is none."""
    new: Any


class MetricChange(NamedTuple):
    """What a metric is in both, the same or not."""

    key: str
    old: float | None
    new: float | None
    absolute: float | None
    """New minus old; None where one is missing, or they are not of the same thing."""
    relative: float | None
    """That, as a share of the old one's size; None of an old one that is 0."""
    better: bool | None
    """Whether the new one is better; None where they are equal or neither is."""
    apart: str
    """Where they are not of the same thing: in what they differ."""


class Difference(NamedTuple):
    """From one run to another."""

    settings: list[Change]
    metrics: list[MetricChange]
    environment: list[Change]
    """Versions, device and code."""


def difference(old: RunRecord, new: RunRecord) -> Difference:
    """Everything that differs between two runs but their places and times."""
    keys = dict.fromkeys([*old.metrics, *new.metrics])
    return Difference(
        settings=_changes(old.settings, new.settings),
        metrics=[_metric_change(old, new, key) for key in keys],
        environment=_changes(_told(old.environment), _told(new.environment)),
    )


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    changes = [Change(key, old.get(key, MISSING), new.get(key, MISSING)) for key in dict.fromkeys([*old, *new])]
    return [change for change in changes if _as_text(change.old) != _as_text(change.new)]


def _as_text(value: Any) -> str | None:
    return None if value is MISSING else said(value)


def _told(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Of `environment.json`, what numbers may depend on, by dotted key."""
    found: dict[str, Any] = {}
    for key, value in environment.items():
        if key == "command_line":
            continue
        if isinstance(value, Mapping):
            found |= {f"{key}.{name}": each for name, each in value.items()}
        else:
            found[key] = value
    return found


def _metric_change(old: RunRecord, new: RunRecord, key: str) -> MetricChange:
    before, after = old.metrics.get(key), new.metrics.get(key)
    if before is None or after is None:
        return MetricChange(key, before, after, absolute=None, relative=None, better=None, apart="")
    apart = _apart(old, new, key)
    if apart:
        return MetricChange(key, before, after, absolute=None, relative=None, better=None, apart=apart)
    absolute = after - before
    higher = is_higher_better(key, unit=new.unit(key))
    return MetricChange(
        key,
        before,
        after,
        absolute=absolute if math.isfinite(absolute) else None,
        relative=absolute / abs(before) if before and math.isfinite(absolute) else None,
        better=None if higher is None or not absolute or not math.isfinite(absolute) else (absolute > 0) is higher,
        apart="",
    )


def _apart(old: RunRecord, new: RunRecord, key: str) -> str:
    """In what two numbers of one name are not of the same thing; nothing where they are."""
    one, two = measured_how(old, key), measured_how(new, key)
    return ", ".join(name for name in dict.fromkeys([*one, *two]) if said(one.get(name)) != said(two.get(name)))
