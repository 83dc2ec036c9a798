"""Runs that differ only in their seeds as one result: means with 95 % intervals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any

from autoenc.comparison.columns import Column
from autoenc.comparison.comparability import digest_names, not_comparable_in
from autoenc.comparison.formatting import LARGEST, as_typed, format_numbers, is_number
from autoenc.comparison.keys import differing_settings, split_of, value_of
from autoenc.comparison.ranking import (
    Ranking,
    Section,
    better_direction,
    comparable_sections,
    is_baseline,
    sorted_by,
)
from autoenc.display_names import run_label, setting_label, told_apart, value_label
from autoenc.evaluation.estimates import MOST_DECIMALS, PLUS_MINUS, Estimate, estimate
from autoenc.runs import RunRecord

SEED, CODE_SIZE = "seed", "architecture.code_size"
MOST_IN_NAMES = 4
"""Settings that all stand in a name; the table has a column for each."""
MIXED = "mixed"
"""Shown instead of a mean of numbers that are not comparable."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """Runs that have the same values of some keys."""

    values: Mapping[str, Any]
    """By the keys that define the group."""
    records: tuple[RunRecord, ...]
    """At least one; in a ranking, those that are ranked."""
    varying: tuple[str, ...]
    """The settings in which its runs may differ: usually the seed alone. Runs with the same values are copies."""
    left_out: int = 0
    """Draws that would belong to it if they had finished: a mean of the others may be too good."""
    apart: Mapping[str, str] = field(default_factory=dict)
    """What distinguishes its section from the others."""

    @cached_property
    def draws(self) -> dict[tuple[str, ...], list[RunRecord]]:
        """The runs by their values of `varying`: a seed with its copies."""
        return _by_place(self.records, self.varying)

    @cached_property
    def by_draw(self) -> Callable[[str], Mapping[tuple[str, ...], float]]:
        """A metric of each draw that has it, averaged over copies; empty if the values are not comparable.

        A table asks for the same metric several times.
        """
        return cache(self._by_draw)

    def _by_draw(self, key: str) -> dict[tuple[str, ...], float]:
        if len(comparable_sections(self.records, key)) != 1:
            return {}
        found = {
            draw: [record.metrics[key] for record in records if key in record.metrics]
            for draw, records in self.draws.items()
        }
        return {draw: float(statistics.mean(values)) for draw, values in found.items() if values}

    def estimate(self, key: str) -> Estimate | None:
        """The mean of a metric; None if no run has it or its values are not comparable."""
        values = self.by_draw(key).values()
        return estimate(list(values)) if values else None

    def is_partial(self, key: str) -> bool:
        """Whether some of its draws are missing from the mean of a metric: they may be the better ones."""
        return 0 < len(self.by_draw(key)) < len(self.draws)


def grouped(records: Sequence[RunRecord], keys: Sequence[str], *, differing: Sequence[str]) -> list[Group]:
    """Runs by their values of some keys, in the order of their first runs.

    `differing` are all settings in which runs differ. Groups by the seed itself have no copies.
    """
    others = [key for key in differing if key not in keys and key != SEED]
    varying = (*others, "name" if SEED in keys else SEED)
    return [
        Group(values={key: value_of(found[0], key) for key in keys}, records=tuple(found), varying=varying)
        for found in _by_place(records, keys).values()
    ]


def grouped_by_setting(records: Sequence[RunRecord]) -> list[Group]:
    """Runs by all settings in which they differ except the seed, in the order of their first runs."""
    differing = differing_settings(records)
    return grouped(records, without_seed(differing), differing=differing)


def without_seed(keys: Iterable[str]) -> tuple[str, ...]:
    """Keys of settings without the seed's."""
    return tuple(key for key in keys if key != SEED)


def have_several_seeds(groups: Iterable[Group]) -> bool:
    """Whether there is anything to average."""
    return any(len(group.draws) > 1 for group in groups)


def groups_of(section: Section, *, ranking: Ranking, keys: Sequence[str]) -> list[Group]:
    """The runs of a section by their values of some keys, the best mean first or in the ranking's order."""
    similar = [record for record in ranking.unranked if _belongs_to(record, section, metric=ranking.metric or "")]
    unfinished = _by_place(similar, keys)
    groups = []
    for group in grouped(section.records, keys, differing=ranking.differing):
        lost = _by_place(unfinished.get(place_of(group.records[0], keys), []), group.varying)
        groups.append(replace(group, left_out=len(lost.keys() - group.draws.keys()), apart=section.apart))
    return _sorted(groups, ranking)


def groups_by_seed(ranking: Ranking, *, also_by: Sequence[str] = ()) -> list[list[Group]] | None:
    """The groups of each section by all settings that differ except the seed, and by other keys that are shown.

    None if no group has several seeds: a table of the runs shows more.
    """
    keys = tuple(dict.fromkeys([*without_seed(ranking.differing), *also_by]))
    groups = [groups_of(section, ranking=ranking, keys=keys) for section in ranking.sections]
    return groups if have_several_seeds(group for section in groups for group in section) else None


def group_names(groups: Sequence[Group]) -> list[str]:
    """A name for each group: the label of its runs without the seed, settings that differ, or what its first run is.

    The labels of several sweeps do not name what differs between the sweeps.
    """
    labels = [{_without_seed(record) for record in group.records} for group in groups]
    names = ["".join(each) for each in labels if len(each) == 1]
    sweeps = {record.sweep for group in groups for record in group.records}
    if all(names) and len(set(names)) == len(groups) and len(sweeps) == 1:
        return names
    differing = _telling_apart(groups)
    known = [[key for key in differing if group.values[key] is not None] for group in groups]
    parts = [
        [setting_label(key, as_typed(group.values[key])) for key in keys]
        for group, keys in zip(groups, known, strict=True)
    ]
    return [", ".join(each) or run_label(group.records[0].config) for each, group in zip(parts, groups, strict=True)]


def _telling_apart(groups: Sequence[Group]) -> list[str]:
    """The keys whose values differ; of many, choices first, those that tell groups apart that the others do not."""
    typed = [{key: as_typed(value) for key, value in group.values.items()} for group in groups]
    differing = [key for key in groups[0].values if len({each[key] for each in typed}) > 1]
    if len(differing) <= MOST_IN_NAMES:
        return differing
    kept: list[str] = []
    count = 1
    for key in sorted(differing, key=lambda key: "." in key):
        apart = len({tuple(each[name] for name in (*kept, key)) for each in typed})
        if apart > count:
            kept.append(key)
            count = apart
    return kept


def _without_seed(record: RunRecord) -> str:
    """`conv, code size 4` of a sweep's job `conv, code size 4, seed 0`; empty if the label does not name the seed."""
    seed = setting_label(SEED, as_typed(record.settings.get(SEED)))
    parts = record.label.split(", ")
    return ", ".join(part for part in parts if part != seed) if seed in parts else ""


def _by_place(records: Iterable[RunRecord], keys: Sequence[str]) -> dict[tuple[str, ...], list[RunRecord]]:
    found: dict[tuple[str, ...], list[RunRecord]] = {}
    for record in records:
        found.setdefault(place_of(record, keys), []).append(record)
    return found


def place_of(record: RunRecord, keys: Sequence[str]) -> tuple[str, ...]:
    """The values of some keys, equal for runs of one group; the text `null` is not a missing value."""
    values = [value_of(record, key) for key in keys]
    return tuple(repr(value) if isinstance(value, str) else as_typed(value) for value in values)


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


def group_columns(groups: Sequence[Group], *, metrics: Sequence[str], metric: str) -> list[Column]:
    """The keys of the groups, the number of draws, the means, and the standard deviation of `metric`.

    Groups that differ in several keys have names, which stay if a narrow terminal has no room for the keys.
    """
    keys = [_key_column(groups, key) for key in groups[0].values]
    if len([one for one in keys if len(set(one.cells)) > 1]) > 1:
        names = Column("runs", group_names(groups), right=False)
        keys = [names, *(one._replace(is_setting=True) for one in keys)]
    columns = [
        *keys,
        Column("n", [str(len(group.draws)) for group in groups]),
        Column("left_out", [str(group.left_out or "") for group in groups]),
    ]
    for key in metrics:
        columns.append(_metric_column(groups, key))
        if key == metric:
            columns.append(_deviation_column(groups, key))
    return columns


def _key_column(groups: Sequence[Group], key: str) -> Column:
    values = [group.values[key] for group in groups]
    typed = [as_typed(value) for value in values]
    cells = told_apart([value_label(key, text) for text in typed], values=typed)
    return Column(key, cells, right=all(value is None or is_number(value) for value in values))


def _deviation_column(groups: Sequence[Group], key: str) -> Column:
    found = [group.estimate(key) for group in groups]
    deviations = [None if each is None else each.deviation for each in found]
    style = _style([each for each in deviations if each])
    return Column(f"{key}.sd", ["" if each is None else f"{each:{style}}" for each in deviations])


def group_metrics(groups: Sequence[Group], keys: Sequence[str]) -> list[str]:
    """The metrics among some keys, without those that define the groups or equal a setting that does."""
    records = [record for group in groups for record in group.records]
    measured = {key for record in records for key in record.metrics}
    defining = set(groups[0].values)
    if CODE_SIZE in defining and all(each.settings.get(CODE_SIZE) == each.metrics.get("code_size") for each in records):
        defining.add("code_size")
    return [key for key in keys if key in measured and key not in defining]


def has_mean(key: str) -> bool:
    """Whether a metric depends on chance, unlike the number of parameters."""
    return not is_baseline(key) and (split_of(key) is not None or better_direction(key) is not None)


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
            cells[number] += f" ({found.count})"
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
    style = _style(halves, means=means)
    return ["" if found is None else found.text(style) for found in estimates]


def _style(spreads: Sequence[float], *, means: Sequence[float] = ()) -> str:
    """A format with two digits of the median spread, and three of the smallest mean."""
    digits = [1 - math.floor(math.log10(statistics.median_low(spreads)))] if spreads else []
    digits += [2 - math.floor(math.log10(min(means)))] if means else []
    decimals = min(MOST_DECIMALS, max(0, *digits, 0))
    return f",.{decimals}f" if max([*means, *spreads], default=0) < LARGEST else ".4g"


def _range(values: Sequence[float | None]) -> str:
    found = sorted({value for value in values if value is not None})
    return " to ".join(dict.fromkeys(format_numbers([found[0], found[-1]]))) if found else ""
