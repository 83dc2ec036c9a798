"""Which runs can be ranked together, and in which order.

Two numbers are comparable if they have the same unit and were measured in the same way on the same images. Runs whose
numbers are not comparable fall into sections, and each section is ranked separately.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypeVar

from autoenc.comparison.formatting import as_typed, is_number
from autoenc.comparison.keys import differing_keys, value_of
from autoenc.evaluation.metrics import find_metric
from autoenc.runs import SPLITS, RunRecord

T = TypeVar("T")

LIKELIHOOD_OF = {"mse": "gaussian", "bce": "bernoulli", "l1": "laplace"}
"""The likelihood that a variational model uses for these losses; the other losses are named after theirs."""
IRRELEVANT_DATASET_SETTINGS = ("dataset.shuffle", "dataset.unreadable")
"""They change no image of any split."""


class SortOrder(NamedTuple):
    """The order that `--sort` asks for."""

    key: str
    descending: bool


class Section(NamedTuple):
    """Runs that a metric can rank together."""

    records: tuple[RunRecord, ...]
    """Finished runs that have the metric, the best first; ascending if neither direction is better."""
    apart: Mapping[str, str]
    """By name (`dataset`, `unit`), what distinguishes it from other sections; empty if it is the only one."""

    @property
    def name(self) -> str:
        """The heading of its table: `dataset mnist, noise.std 0.3`."""
        return ", ".join(f"{name} {value}" for name, value in self.apart.items())


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Runs in sections, each of comparable numbers."""

    records: tuple[RunRecord, ...]
    """All of them, in the order in which they were read."""
    metric: str | None
    """None if nothing was measured."""
    order: SortOrder | None
    """None: the best first."""
    sections: tuple[Section, ...]
    unranked: tuple[RunRecord, ...]

    @property
    def rows(self) -> list[RunRecord]:
        """All runs in the order in which they are shown: section by section, then those that are not ranked."""
        return [*(record for section in self.sections for record in section.records), *self.unranked]

    @property
    def unit(self) -> str:
        """The metric's unit in the first section."""
        return self.sections[0].records[0].unit(self.metric) if self.sections and self.metric else ""

    def first(self, count: int) -> Ranking:
        """Only the first runs of each section."""
        sections = tuple(section._replace(records=section.records[:count]) for section in self.sections)
        shown = replace(self, sections=sections, unranked=())
        return replace(shown, records=tuple(shown.rows))


def rank(records: Sequence[RunRecord], *, metric: str | None, order: SortOrder | None = None) -> Ranking:
    """Rank runs by a metric in comparable sections, or sort each section by another key."""
    sections = [] if metric is None else comparable_sections(records, metric)
    if order is not None:
        key, descending = order
        for number, section in enumerate(sections):
            ordered = sorted_by(section.records, lambda record: value_of(record, key), descending=descending)
            sections[number] = section._replace(records=tuple(ordered))
    unranked = tuple(record for record in records if not record.finished or metric not in record.metrics)
    return Ranking(records=tuple(records), metric=metric, order=order, sections=tuple(sections), unranked=unranked)


def comparable_sections(records: Iterable[RunRecord], metric: str) -> list[Section]:
    """The runs that a metric ranks, by measurement protocol; the sections are in the order of their first runs."""
    found: dict[frozenset[tuple[str, str]], list[RunRecord]] = {}
    protocols: dict[frozenset[tuple[str, str]], dict[str, Any]] = {}
    for record in records:
        if record.finished and metric in record.metrics:
            protocol = measurement_protocol(record, metric)
            key = frozenset((name, as_typed(value)) for name, value in protocol.items())
            found.setdefault(key, []).append(record)
            protocols[key] = protocol
    names = differing_keys(list(protocols.values()))
    return [Section(tuple(best_first(runs, metric)), _apart(protocols[key], names)) for key, runs in found.items()]


def measurement_protocol(record: RunRecord, metric: str) -> dict[str, Any]:
    """Everything that must be equal for two numbers of this metric to be comparable, by name.

    - Scores of a split: the unit, and each setting of the dataset that its images depend on. The test images do not
      depend on `split_seed`, unless it draws their binarization. They do depend on `validation_fraction`: it decides
      how many images are trained on, and whether the best or the last epoch is tested.
    - Scores from a noisy input: the noise.
    - Scores that depend on other settings, as likelihoods on the loss: these settings.
    - Seconds and images per second: the device, its threads, and on a CPU the machine.
    - Facts, such as the number of parameters: nothing.
    """
    settings, split, known = record.settings, split_of(metric), find_metric(metric)
    groups = record.settings_of_groups
    if split is None and known is None:
        return {}
    found = {"dataset": "", **groups.get("dataset", {})}
    found = {key: value for key, value in found.items() if key not in IRRELEVANT_DATASET_SETTINGS}
    if split is None:
        found |= {"device": record.device, "threads": record.environment.get("threads")}
        on_cpu = (record.device or "").startswith("cpu")
        return found | ({"host": record.status["host"]} if on_cpu and record.status.get("host") else {})
    if split == "test" and settings.get("dataset.binarization", "none") == "none":
        found.pop("dataset.split_seed", None)
    found["unit"] = record.unit(metric)
    if known is None or known.input == "noisy":
        found |= groups.get("noise", {})
    for key in () if known is None else known.depends_on:
        if key == "loss":
            found["likelihood"] = LIKELIHOOD_OF.get(str(settings.get(key)), settings.get(key) or "")
        else:
            found[key] = settings.get(key)
    return found


def _apart(protocol: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """The protocol's values of some names; a name that it lacks only if no choice among the names explains that."""
    return {
        name: _shown(protocol[name]) if name in protocol else "not set"
        for name in names
        if name in protocol or name.partition(".")[0] not in names
    }


def _shown(value: object) -> str:
    if value == "":
        return "unknown"
    text = as_typed(value)
    return f"'{text}'" if ", " in text and isinstance(value, str) else text


def why_unranked(record: RunRecord, metric: str | None) -> str:
    """Why a run cannot be ranked by a metric that it lacks."""
    if not record.finished or metric is None:
        return why_not_finished(record) or "nothing was measured"
    return "; ".join([f"it has no {metric}", *record.problems])


_REASONS = {
    "running": "still running",
    "failed": "failed, and its folder does not say why",
    "interrupted": "interrupted; resume= continues it",
    "dead": "its process exited without recording why",
    "waiting": "not started",
    "unreadable": "it cannot be read",
}


def reasons(record: RunRecord) -> list[str]:
    """Why a run has not finished, and what could not be read of it."""
    error = ": ".join(part for part in (record.error_kind, record.error_message) if part)
    found = [*([error] if error else []), *record.problems]
    return found if found or record.finished else [_REASONS[record.state]]


def why_not_finished(record: RunRecord) -> str:
    """The same in a line; empty for a run that has finished and can be read."""
    return "; ".join(reasons(record))


def split_of(metric: str) -> str | None:
    """`test` of `test.mse`; None of a metric without a split."""
    first, _, name = metric.partition(".")
    return first if name and first in SPLITS else None


def better_direction(metric: str, *, unit: str = "") -> Literal["higher", "lower"] | None:
    """Which values of a metric are better; None if neither.

    A metric that this version does not know may say "higher is better" or "lower is better" in its unit.
    """
    known = find_metric(metric)
    if known is not None:
        return known.better
    return "higher" if "higher is better" in unit else "lower" if "lower is better" in unit else None


def best_first(records: Iterable[RunRecord], metric: str) -> list[RunRecord]:
    """Runs that all have a metric, the best first; ties stay in their order."""
    found = list(records)
    descending = bool(found) and better_direction(metric, unit=found[0].unit(metric)) == "higher"
    return sorted(found, key=lambda record: record.metrics[metric], reverse=descending)


def sorted_by(items: Iterable[T], value: Callable[[T], Any], *, descending: bool) -> list[T]:
    """Items sorted by a value: numbers before texts, missing ones last either way.

    Numbers in texts count as numbers: `job 9` before `job 10`.
    """
    found = [(value(item), item) for item in items]
    known = [pair for pair in found if pair[0] is not None]
    ordered = sorted(known, key=lambda pair: _sort_key(pair[0]), reverse=descending)
    return [item for _, item in ordered] + [item for given, item in found if given is None]


def _sort_key(value: Any) -> tuple[int, float, list[tuple[int, int, str]]]:
    if is_number(value):
        return 0, value, []
    parts = re.split(r"([0-9]{1,18})", as_typed(value))
    return 1, 0.0, [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]
