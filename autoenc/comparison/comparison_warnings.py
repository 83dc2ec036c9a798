"""The notes and warnings about a ranking: its direction, separate sections, different code sizes, means over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from autoenc.comparison.formatting import listed_in_words
from autoenc.comparison.grouping import SEED, Group, has_mean
from autoenc.comparison.keys import differing_settings
from autoenc.comparison.ranking import Ranking, Section, better_direction, split_of
from autoenc.runs import RunRecord

TEST_NOTE = (
    "To choose among runs, rank them on the validation split: a test score that was used to choose is no longer a test."
)


def ranking_note(ranking: Ranking) -> str:
    """What the runs are ordered by, which direction is better, and the split; empty if nothing is ranked."""
    metric = ranking.metric
    if metric is None:
        return ""
    split, better = split_of(metric), better_direction(metric, unit=ranking.unit)
    note = f"By {metric}, {better} is better" if better else f"By {metric}"
    note += f": on the {split} split." if split else "."
    if split == "test":
        note += f" {TEST_NOTE}"
    if ranking.order is None:
        return note
    key, descending = ranking.order
    order = f"Sorted by {key}, {'descending' if descending else 'ascending'}."
    return f"{order} {note}" if key == metric else order


def ranking_warnings(sections: Sequence[Section], metric: str | None) -> list[str]:
    """Why the sections are not ranked together, and which of them have different code sizes, a line each."""
    if metric is None:
        return []
    lines = [_separate_rankings(sections, metric)] if len(sections) > 1 else []
    if split_of(metric) is not None and better_direction(metric) is not None:
        for section in sections:
            sizes = different_code_sizes(section.records)
            if sizes:
                within = f" (in {section.name})" if section.apart else ""
                lines.append(f"{metric} is ranked{within} across {sizes}. Compare runs of one code size.")
    return lines


def _separate_rankings(sections: Sequence[Section], metric: str) -> str:
    values: dict[str, dict[str, None]] = {}
    for section in sections:
        for name, value in section.apart.items():
            values.setdefault(name, {})[value] = None
    differing = listed_in_words(f"{name} ({listed_in_words(found)})" for name, found in values.items())
    count = sum(len(section.records) for section in sections)
    return (
        f"{metric} cannot rank all {count} runs together, because it does not measure the same thing in each: they "
        f"differ in {differing}. There are {len(sections)} separate rankings."
    )


def different_code_sizes(records: Iterable[RunRecord]) -> str:
    """How the code sizes of runs differ, with PCA's errors if known; empty if they are all the same."""
    baselines: dict[int, float | None] = {}
    for record in records:
        size = record.metrics.get("code_size")
        if size is not None:
            baselines[int(size)] = baselines.get(int(size)) or record.metrics.get("test.pca_mse")
    if len(baselines) < 2:
        return ""
    text = f"codes of {listed_in_words(map(str, sorted(baselines)))} numbers: a larger code alone gives a smaller error"
    known = [(size, error) for size, error in sorted(baselines.items()) if error is not None]
    if len(known) < 2:
        return text
    (small, most), *_, (large, least) = known
    return f"{text} (PCA's test mse: {most:.3g} with {small}, {least:.3g} with {large})"


def group_warnings(groups: Sequence[Group], *, metrics: Sequence[str]) -> list[str]:
    """Why the means over groups and their intervals may be misleading, a line each."""
    lines = []
    mixed = dict.fromkeys(
        key for group in groups for key in differing_settings(group.records) if key not in {SEED, *group.values}
    )
    if mixed:
        lines.append(
            f"Runs within a group also differ in {listed_in_words(mixed)}: the intervals are not over seeds alone. "
            "--group-by settings separates them."
        )
    copies = sum(len(group.records) - len(group.draws) for group in groups)
    if copies:
        runs = "1 run is a copy of another" if copies == 1 else f"{copies} runs are copies of others"
        lines.append(f"{runs}, with the same settings and seed: copies add no evidence, so each seed counts once.")
    if any(group.left_out for group in groups):
        lines.append("Some runs of these groups are not ranked (left_out): a mean of the others may be too good.")
    partly = [key for key in metrics if has_mean(key) and any(group.is_partial(key) for group in groups)]
    if partly:
        lines.append(
            f"Some runs have no {listed_in_words(partly, last='or')}: a mean with a number in brackets is over that "
            "many runs. It may be too good and is not marked as the best."
        )
    return lines
