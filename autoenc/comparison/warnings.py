"""The notes and warnings about a ranking: its direction, separate sections, different code sizes, means over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from autoenc.comparison.formatting import listed_in_words
from autoenc.comparison.grouping import SEED, Group, has_mean, place_of
from autoenc.comparison.keys import differing_settings
from autoenc.comparison.ranking import Ranking, Section, better_direction, split_of
from autoenc.runs import RunRecord


def ranking_note(ranking: Ranking) -> str:
    """What the runs are ordered by, as a line above their table; empty if nothing is ranked."""
    if ranking.metric is None:
        return ""
    note = metric_note(ranking.metric, unit=ranking.unit)
    if ranking.order is None:
        return note
    key, descending = ranking.order
    order = f"Sorted by {key}, {'descending' if descending else 'ascending'}."
    return f"{order} {note}" if key == ranking.metric else order


def metric_note(metric: str, *, unit: str = "") -> str:
    """The metric of a ranking, which direction is better, and its split."""
    split, better = split_of(metric), better_direction(metric, unit=unit)
    by = f"By {metric}, {better} is better" if better else f"By {metric}"
    if split is None:
        return f"{by}."
    if split == "test":
        return (
            f"{by}: on the test split. To choose among runs, rank them on the validation split: a test score that "
            "was used to choose is no longer a test."
        )
    return f"{by}: on the {split} split."


def ranking_warnings(sections: Sequence[Section], metric: str | None) -> list[str]:
    """Warnings about a ranking, a line each."""
    if metric is None:
        return []
    return [*_separate_rankings(sections, metric), *code_size_warnings(sections, metric)]


def _separate_rankings(sections: Sequence[Section], metric: str) -> list[str]:
    """Why the sections are not ranked together."""
    if len(sections) < 2:
        return []
    values: dict[str, dict[str, None]] = {}
    for section in sections:
        for name, value in section.apart.items():
            values.setdefault(name, {})[value] = None
    differing = listed_in_words(f"{name} ({listed_in_words(found)})" for name, found in values.items())
    count = sum(len(section.records) for section in sections)
    return [
        f"{metric} cannot rank all {count} runs together, because it does not measure the same thing in each: they "
        f"differ in {differing}. There are {len(sections)} separate rankings."
    ]


def code_size_warnings(sections: Sequence[Section], metric: str) -> list[str]:
    """A warning for each section that ranks scores of runs with different code sizes."""
    if split_of(metric) is None or better_direction(metric) is None:
        return []
    found = [(section, different_code_sizes(section.records)) for section in sections]
    return [
        f"{metric} is ranked{f' (in {section.name})' if section.apart else ''} across {sizes}. "
        "Compare runs of one code size."
        for section, sizes in found
        if sizes
    ]


def different_code_sizes(records: Iterable[RunRecord]) -> str:
    """How the code sizes of runs differ, with PCA's errors if known; empty if they are all the same."""
    baselines: dict[int, float | None] = {}
    for record in records:
        size = record.metrics.get("code_size")
        if size is not None:
            baselines[int(size)] = baselines.get(int(size)) or record.metrics.get("test.pca_mse")
    if len(baselines) < 2:
        return ""
    sizes = listed_in_words(str(size) for size in sorted(baselines))
    return f"codes of {sizes} numbers: a larger code alone gives a smaller error{_pca_errors(baselines)}"


def _pca_errors(baselines: Mapping[int, float | None]) -> str:
    known = {size: error for size, error in sorted(baselines.items()) if error is not None}
    if len(known) < 2:
        return ""
    (small, most), *_, (large, least) = known.items()
    return f" (PCA's test mse: {most:.3g} with {small}, {least:.3g} with {large})"


def group_warnings(groups: Sequence[Group], *, metrics: Sequence[str]) -> list[str]:
    """Why the means over groups and their intervals may be misleading, a line each."""
    if not groups:
        return []
    lines = []
    mixed = dict.fromkeys(
        key for group in groups for key in differing_settings(group.records) if key not in {SEED, *group.values}
    )
    if mixed:
        lines.append(
            f"Runs within a group also differ in {listed_in_words(mixed)}: the intervals are not over seeds alone. "
            "--group-by settings separates them."
        )
    if SEED not in groups[0].values and any(_has_copies(group) for group in groups):
        lines.append("A group has several runs with the same settings and the same seed: copies add no evidence.")
    if any(group.left_out for group in groups):
        lines.append("Some runs of these groups are not ranked (left_out): a mean of the others may be too good.")
    partly = [key for key in metrics if has_mean(key) and any(group.is_partial(key) for group in groups)]
    if partly:
        lines.append(
            f"Some runs have no {listed_in_words(partly, last='or')}: a mean with a number in brackets is over that "
            "many runs. It may be too good and is not marked as the best."
        )
    return lines


def _has_copies(group: Group) -> bool:
    keys = [SEED, *differing_settings(group.records)]
    return len({place_of(record, keys) for record in group.records}) < len(group.records)
