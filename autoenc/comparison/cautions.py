"""What has to be said above and beside a ranking, in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from autoenc.comparison.protocol import Section, comparable_sections, is_higher_better, split_of
from autoenc.comparison.wording import listed_in_words
from autoenc.runs import RunRecord


def ranking_note(metric: str, *, unit: str = "") -> str:
    """On what a ranking is: to stand above it."""
    split = split_of(metric)
    higher = is_higher_better(metric, unit=unit)
    direction = "" if higher is None else ", higher is better" if higher else ", lower is better"
    if split is None:
        return f"By {metric}{direction}."
    if split == "test":
        return (
            f"By {metric}{direction}: on the test split. To choose among runs, rank them on the validation split: "
            "a test that has chosen no longer tests."
        )
    return f"By {metric}{direction}: on the {split} split."


def cautions(records: Sequence[RunRecord], metric: str) -> list[str]:
    """What has to be said beside a ranking: a line each."""
    sections = comparable_sections(records, metric)
    said = no_overall_ranking(sections, metric)
    return [*([said] if said else []), *code_size_warnings(sections, metric)]


def no_overall_ranking(sections: Sequence[Section], metric: str) -> str | None:
    """Why sections are not ranked together; None where there is only one."""
    if len(sections) < 2:
        return None
    values: dict[str, dict[str, None]] = {}
    for section in sections:
        for name, value in section.apart.items():
            values.setdefault(name, {})[value] = None
    differing = listed_in_words(f"{name} ({listed_in_words(found)})" for name, found in values.items())
    count = sum(len(section.records) for section in sections)
    return (
        f"{metric} cannot rank all {count} runs together, because it is not of the same thing: they differ in "
        f"{differing}. So there are {len(sections)} rankings, each by itself."
    )


def code_size_warnings(sections: Sequence[Section], metric: str) -> list[str]:
    """A line for each section that ranks errors at different code sizes, as if these were no reason by themselves."""
    if split_of(metric) is None or is_higher_better(metric) is None:
        return []
    lines = []
    for section in sections:
        said = different_code_sizes(section.records)
        where = f" (in {section.name})" if section.apart else ""
        if said is not None:
            lines.append(f"{metric} is ranked{where} across {said}. Compare runs of one code size.")
    return lines


def different_code_sizes(records: Iterable[RunRecord]) -> str | None:
    """What runs of different code sizes differ in before anything else; None where they are all of one."""
    baselines = _baseline_by_code_size(records)
    if len(baselines) < 2:
        return None
    sizes = listed_in_words(str(size) for size in baselines)
    return f"codes of {sizes} numbers: a larger code alone gives a smaller error{_of_pca(baselines)}"


def _baseline_by_code_size(records: Iterable[RunRecord]) -> dict[int, float | None]:
    """By code size, what PCA's test mse is there, if any run tells."""
    found: dict[int, float | None] = {}
    for record in records:
        size = record.metrics.get("code_size")
        if size is not None and math.isfinite(size):
            found[int(size)] = found.get(int(size)) or record.metrics.get("test.pca_mse")
    return dict(sorted(found.items()))


def _of_pca(baselines: Mapping[int, float | None]) -> str:
    known = {size: error for size, error in baselines.items() if error is not None}
    if len(known) < 2:
        return ""
    (small, most), *_, (large, least) = known.items()
    return f" (PCA's test mse: {most:.3g} with {small}, {least:.3g} with {large})"
