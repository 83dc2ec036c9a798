"""A picture of several runs that can be drawn whole, or in parts on several slides; and the names of its settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoenc.comparison.formatting import as_typed
from autoenc.comparison.grouping import SEED, Group, group_names, grouped, grouped_by_setting, have_several_seeds
from autoenc.comparison.labels import split_words
from autoenc.comparison.ranking import best_first
from autoenc.runs import RunRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A picture of several runs."""

    title: str
    items: Sequence[Any]
    """Its panels or rows, at least one."""
    draw: Callable[[Sequence[Any], str], Figure]
    """From some of the items and a title, inside `house_style`. ValueError: they cannot be drawn."""


def named_groups(records: Sequence[RunRecord]) -> list[tuple[str, Group]]:
    """The runs by their settings without the seed, with names; without several seeds, each run with its label."""
    groups = grouped_by_setting(records)
    if have_several_seeds(groups):
        return list(zip(group_names(groups), groups, strict=True))
    return [(group.records[0].label, group) for group in grouped(records, ["name"], differing=())]


def counted_groups(records: Sequence[RunRecord]) -> list[tuple[str, Group]]:
    """The same with the number of seeds: `conv (5 seeds)`."""
    groups = named_groups(records)
    if not have_several_seeds(group for _, group in groups):
        return groups
    counts = [f"{len(group.draws)} seed{'' if len(group.draws) == 1 else 's'}" for _, group in groups]
    return [(f"{name} ({count})", group) for count, (name, group) in zip(counts, groups, strict=True)]


def representatives(records: Sequence[RunRecord], *, metric: str) -> list[tuple[str, RunRecord]]:
    """One run for each setting: the median of its seeds by a metric; of two in the middle, the better one.

    A setting whose runs lack the metric has its first run.
    """
    found = []
    for name, group in named_groups(records):
        runs = [copies[0] for copies in group.draws.values()]
        seeds = best_first((run for run in runs if metric in run.metrics), metric) or runs[:1]
        median = seeds[(len(seeds) - 1) // 2]
        chosen = "median" if len(seeds) > 2 else "better"
        which = f", seed {as_typed(median.settings.get(SEED))} ({chosen} of {len(seeds)} by {split_words(metric)})"
        found.append((name + (which if len(seeds) > 1 else ""), median))
    return found


def best_runs(
    runs: Sequence[tuple[str, RunRecord]], *, metric: str, most: int
) -> tuple[Sequence[tuple[str, RunRecord]], str]:
    """At most so many labelled runs, the best, in their order; and what a title adds if some are left out."""
    if len(runs) <= most:
        return runs, ""
    measured = best_first((run for _, run in runs if metric in run.metrics), metric) or [run for _, run in runs]
    kept = {run.name for run in measured[:most]}
    shown = [each for each in runs if each[1].name in kept]
    return shown, f", the {len(kept)} best of {len(runs)} by {split_words(metric)}"
