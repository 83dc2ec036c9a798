"""Runs that differ only in their seeds as one group: means with 95 % intervals."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from autoenc.comparison.columns import BASELINES, Column
from autoenc.comparison.comparability import digest_names, not_comparable_in
from autoenc.comparison.formatting import LARGEST, as_typed, format_numbers
from autoenc.comparison.keys import split_of, value_of
from autoenc.comparison.ranking import (
    Ranking,
    Section,
    better_direction,
    comparable_sections,
    sorted_by,
)
from autoenc.runs import RunRecord

SEED = "seed"
MOST_DECIMALS = 9
PLUS_MINUS = " ± "
MIXED = "mixed"
"""Shown instead of a mean of numbers that are not comparable."""


class Estimate(NamedTuple):
    """A mean over runs."""

    mean: float
    half_width: float | None
    """Of the mean's 95 % interval; None if there is a single number or the interval is larger than any float."""
    runs: int

    def text(self, style: str) -> str:
        """Both numbers in a format's style."""
        half = "" if self.half_width is None else f"{PLUS_MINUS}{self.half_width:{style}}"
        return f"{self.mean:{style}}{half}"


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of at least one number and its interval by Student's t distribution."""
    count = len(values)
    mean = float(statistics.mean(values))
    if count < 2:
        return Estimate(mean, None, count)
    from scipy.special import stdtrit  # a tenth of the import time of scipy.stats

    try:
        half_width = float(stdtrit(count - 1, 0.975)) * statistics.stdev(values) / math.sqrt(count)
    except OverflowError:
        half_width = math.inf
    return Estimate(mean, half_width if half_width < math.inf else None, count)


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """Runs of a section that have the same values of some keys."""

    values: Mapping[str, Any]
    """By the keys that define the group."""
    records: tuple[RunRecord, ...]
    """The ranked runs, at least one."""
    left_out: int
    """Runs that would belong to it if they had finished: a mean of the others may be too good."""
    apart: Mapping[str, str]
    """What distinguishes its section from the others."""

    def estimate(self, key: str) -> Estimate | None:
        """The mean of a metric; None if no run has it or its values are not comparable."""
        sections = comparable_sections(self.records, key)
        return estimate([record.metrics[key] for record in sections[0].records]) if len(sections) == 1 else None

    def is_partial(self, key: str) -> bool:
        """Whether some of its runs are missing from the mean of a metric: they may be the better ones."""
        having = sum(key in record.metrics for record in self.records)
        return 0 < having < len(self.records) and self.estimate(key) is not None


def groups_of(section: Section, *, ranking: Ranking, keys: Sequence[str]) -> list[Group]:
    """The runs of a section by their values of some keys, the best mean first or in the ranking's order."""
    found: dict[tuple[str, ...], list[RunRecord]] = {}
    for record in section.records:
        found.setdefault(place_of(record, keys), []).append(record)
    similar = [record for record in ranking.unranked if _belongs_to(record, section, metric=ranking.metric or "")]
    left_out = Counter(place_of(record, keys) for record in similar)
    groups = [
        Group(
            values={key: value_of(records[0], key) for key in keys},
            records=tuple(records),
            left_out=left_out[place],
            apart=section.apart,
        )
        for place, records in found.items()
    ]
    return _sorted(groups, ranking)


def place_of(record: RunRecord, keys: Sequence[str]) -> tuple[str, ...]:
    """The values of some keys, equal for runs of one group."""
    return tuple(as_typed(value_of(record, key)) for key in keys)


def _belongs_to(record: RunRecord, section: Section, *, metric: str) -> bool:
    """Whether an unfinished run would be in a section; it has no unit, machine and digests yet."""
    differing = not_comparable_in(record, section.records[0], metric)
    return not set(differing) - {"unit", "likelihood", "device", "threads", "host", *digest_names(metric)}


def _sorted(groups: Sequence[Group], ranking: Ranking) -> list[Group]:
    assert ranking.metric is not None
    key, descending = ranking.order or (ranking.metric, better_direction(ranking.metric, unit=ranking.unit) == "higher")

    def value(group: Group) -> Any:
        if key in group.values:
            return group.values[key]
        found = group.estimate(key)
        return None if found is None else found.mean

    return sorted_by(groups, value, descending=descending)


def group_columns(groups: Sequence[Group], *, metrics: Sequence[str]) -> list[Column]:
    """The keys that define the groups, the number of runs, and the means."""
    return [
        *(Column(key, [as_typed(group.values[key]) for group in groups], right=False) for key in groups[0].values),
        Column("n", [str(len(group.records)) for group in groups]),
        Column("left_out", [str(group.left_out or "") for group in groups]),
        *(_metric_column(groups, key) for key in metrics),
    ]


def group_metrics(groups: Sequence[Group], keys: Sequence[str]) -> list[str]:
    """The metrics among some keys, without those that define the groups."""
    measured = {key for group in groups for record in group.records for key in record.metrics}
    return [key for key in keys if key in measured and key not in groups[0].values]


def has_mean(key: str) -> bool:
    """Whether a metric depends on chance, unlike the number of parameters."""
    return key not in BASELINES and (split_of(key) is not None or better_direction(key) is not None)


def _metric_column(groups: Sequence[Group], key: str) -> Column:
    if not has_mean(key):
        return Column(key, [_range([record.metrics.get(key) for record in group.records]) for group in groups])
    estimates = [group.estimate(key) for group in groups]
    cells = _mean_cells(estimates)
    best = _best_rows(groups, key, estimates, cells)
    for number, (group, found) in enumerate(zip(groups, estimates, strict=True)):
        if found is None and any(key in record.metrics for record in group.records):
            cells[number] = MIXED
        elif found is not None and group.is_partial(key):
            cells[number] += f" ({found.runs})"
    return Column(key, cells, best=best)


def _best_rows(
    groups: Sequence[Group], key: str, estimates: Sequence[Estimate | None], cells: Sequence[str]
) -> frozenset[int]:
    """The groups whose means are the best or are shown with the same digits; no partial ones."""
    everything = [record for group in groups for record in group.records]
    better = better_direction(key, unit=everything[0].unit(key))
    means = {number: found.mean for number, found in enumerate(estimates) if found is not None}
    if better is None or len(set(means.values())) < 2 or len(comparable_sections(everything, key)) != 1:
        return frozenset()
    aim = (max if better == "higher" else min)(means.values())
    shown = {number: cells[number].partition(PLUS_MINUS)[0] for number in means}
    best = {shown[number] for number, mean in means.items() if mean == aim}
    return frozenset(number for number in means if shown[number] in best and not groups[number].is_partial(key))


def _mean_cells(estimates: Sequence[Estimate | None]) -> list[str]:
    halves = [found.half_width for found in estimates if found is not None and found.half_width]
    if not halves:
        return format_numbers([None if found is None else found.mean for found in estimates])
    means = [abs(found.mean) for found in estimates if found is not None and found.mean]
    decimals = 1 - math.floor(math.log10(min(halves)))
    if means:
        decimals = max(decimals, 2 - math.floor(math.log10(min(means))))
    decimals = min(MOST_DECIMALS, max(0, decimals))
    style = f",.{decimals}f" if max([*means, *halves]) < LARGEST else ".4g"
    return ["" if found is None else found.text(style) for found in estimates]


def _range(values: Sequence[float | None]) -> str:
    found = sorted({value for value in values if value is not None})
    return " to ".join(dict.fromkeys(format_numbers([found[0], found[-1]]))) if found else ""
