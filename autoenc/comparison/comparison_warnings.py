"""The notes and warnings about a ranking: its direction, separate sections, different code sizes, means over seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from autoenc.comparison.formatting import as_typed, listed_in_words
from autoenc.comparison.grouping import SEED, Group, has_mean
from autoenc.comparison.keys import differing_settings, split_of
from autoenc.comparison.ranking import (
    LOSS_METRICS,
    TRAINED,
    Ranking,
    Section,
    baseline_of,
    better_direction,
    loss_metric_of,
    objective_of,
)
from autoenc.display_names import choice_label, run_name, value_label
from autoenc.evaluation.metrics import DENOISING, find_metric
from autoenc.evaluation.score_rows import ALIKE
from autoenc.runs import INITIAL_WEIGHTS, RunRecord

TEST_NOTE = (
    "To choose among runs, rank them on the validation split: a test score that was used to choose is no longer a test."
)


def ranking_note(ranking: Ranking) -> str:
    """What the runs are ordered by, which direction is better, the split, and whether they were trained for it.

    Empty if nothing is ranked.
    """
    metric = ranking.metric
    if metric is None:
        return ""
    split, better = split_of(metric), better_direction(metric, unit=ranking.unit)
    note = f"By {metric}, {better} is better" if better else f"By {metric}"
    note += f": on the {split} split." if split else "."
    ranked = [record for section in ranking.sections for record in section.records]
    objective = metric.partition(".")[2]
    if split and objective in TRAINED and all(objective_of(record) == objective for record in ranked):
        note += f" {_so_many(len(ranked), len(ranked))} trained {TRAINED[objective]}."
    if split == "test":
        note += f" {TEST_NOTE}"
    if ranking.order is None:
        return note
    key, descending = ranking.order
    order = f"Sorted by {key}, {'descending' if descending else 'ascending'}."
    return f"{order} {note}" if key == metric else order


def ranking_warnings(sections: Sequence[Section], metric: str | None) -> list[str]:
    """Which runs were trained for another metric or started from changed weights, why the sections are not ranked
    together, and which of them have different code sizes, a line each.
    """
    if metric is None:
        return []
    lines = _other_objectives(sections, metric)
    lines += changed_sources([record for section in sections for record in section.records])
    lines += [_separate_rankings(sections, metric)] if len(sections) > 1 else []
    known = find_metric(metric)
    # The bound and the likelihood charge for what a larger code holds.
    is_likelihood = known is not None and "loss" in known.depends_on
    if split_of(metric) is not None and better_direction(metric) is not None and not is_likelihood:
        for section in sections:
            sizes = different_code_sizes(section.records, metric)
            if sizes:
                within = f" (in {section.name})" if section.apart else ""
                lines.append(f"{metric} is ranked{within} across {sizes}. Compare runs of one code size.")
    return lines


def baseline_findings(records: Sequence[RunRecord], metric: str | None) -> list[str]:
    """How many runs are worse than each baseline of the metric on the test split, a sentence for each baseline.

    Errors that are called equal on a run's page are equal here too; a run with a quantized code is not compared with a
    linear baseline, whose code has more bits.
    """
    known = None if metric is None else find_metric(metric)
    if known is None:
        return []
    baselines = [*known.baselines[-1:], *(["noise_mse"] if known.name == f"{DENOISING}mse" else [])]
    sentences = []
    for baseline in filter(None, map(find_metric, baselines)):
        own, key = f"test.{known.name}", f"test.{baseline.name}"
        compared = [record for record in records if record.finished and {own, key} <= record.metrics.keys()]
        if baseline.has_code:
            compared = [record for record in compared if "test.rate_bits" not in record.metrics]
        sign = -1 if known.better == "higher" else 1
        pairs = [(record, record.metrics[own], record.metrics[key]) for record in compared]
        worse = [record for record, score, other in pairs if sign * (score - other) > ALIKE * abs(other)]
        if worse:
            name = baseline.in_words(numbers="the same code size")
            explained = known.better == "lower" and all((record.path / "index.html").is_file() for record in worse)
            sentences.append(
                f"{len(worse)} of {len(compared)} run{'' if len(compared) == 1 else 's'} "
                f"{'is' if len(worse) == 1 else 'are'} worse than {name} (test {known.name.replace('_', ' ')})"
                f"{': index.html of each run says why' if explained else ''}."
            )
    return sentences


def _other_objectives(sections: Sequence[Section], metric: str) -> list[str]:
    """That runs were trained to improve something else, and which metric measures that."""
    split, known = split_of(metric), find_metric(metric)
    if split is None or known is None or known.better is None:
        return []
    served = {"denoising_mse"} if known.input == "noisy" else {"elbo_nats"} if "loss" in known.depends_on else set()
    records = [record for section in sections for record in section.records]
    counts = Counter(objective_of(record) for record in records)
    objectives = [
        f"{_so_many(counts[name], len(records))} trained {purpose}, which {split}.{name} measures."
        for name, purpose in TRAINED.items()
        if counts[name] and name not in served and known.name != "loss"
    ]
    return [*objectives, *_other_losses(records, split=split, name=known.name)]


def _other_losses(records: Sequence[RunRecord], *, split: str, name: str) -> list[str]:
    """That runs were trained with another loss than the one that the ranking metric equals."""
    if name.removeprefix(DENOISING) not in LOSS_METRICS.values():
        return []
    counts = Counter((as_typed(record.settings.get("loss")), loss_metric_of(record)) for record in records)
    return [
        f"{_so_many(count, len(records))} trained with the loss {choice_label('loss', loss)}, which {split}.{own} "
        "measures."
        for (loss, own), count in counts.items()
        if own is not None and own.removeprefix(DENOISING) != name.removeprefix(DENOISING)
    ]


def _so_many(count: int, total: int) -> str:
    if count == total:
        return "These runs were" if count > 1 else "This run was"
    return f"{count} of these {total} runs {'was' if count == 1 else 'were'}"


def _separate_rankings(sections: Sequence[Section], metric: str) -> str:
    count = sum(len(section.records) for section in sections)
    return (
        f"{metric} cannot rank all {count} runs together, because it does not measure the same thing in each: they "
        f"differ in {differences_between(sections)}. There are {len(sections)} separate rankings."
    )


def differences_between(sections: Iterable[Section]) -> str:
    """What distinguishes sections, with the values: `noise.std (0.1 and 0.3)`."""
    values: dict[str, dict[str, None]] = {}
    for section in sections:
        for name, value in section.apart.items():
            values.setdefault(name, {})[value_label(name, value)] = None
    return listed_in_words(f"{name} ({listed_in_words(found)})" for name, found in values.items())


def changed_sources(records: Iterable[RunRecord]) -> list[str]:
    """From which run several of these took different weights, because it was trained in between, a line each."""
    digests: dict[str, set[str]] = {}
    for record in records:
        source, digest = record.settings.get("initialize_from"), record.digests.get(INITIAL_WEIGHTS)
        if source is not None and digest is not None:
            digests.setdefault(as_typed(source), set()).add(digest)
    return [
        f"Not all runs with initialize_from={run_name(source)} started from the same weights: that run was trained "
        "further, or replaced, in between."
        for source, found in digests.items()
        if len(found) > 1
    ]


def different_code_sizes(records: Iterable[RunRecord], metric: str) -> str:
    """How the code sizes of runs differ, with the metric's baseline if known; empty if they are all the same."""
    records = list(records)
    baseline = baseline_of(metric, measured={key for record in records for key in record.metrics})
    baselines: dict[int, float | None] = {}
    for record in records:
        size = record.metrics.get("code_size")
        if size is not None:
            baselines[int(size)] = baselines.get(int(size)) or record.metrics.get(baseline or "")
    if len(baselines) < 2:
        return ""
    better = "a smaller error" if better_direction(metric) == "lower" else "a higher score"
    text = f"codes of {listed_in_words(map(str, sorted(baselines)))} numbers: a larger code alone gives {better}"
    errors = [(size, error) for size, error in sorted(baselines.items()) if error is not None]
    if len(errors) < 2:
        return text
    (small, most), *_, (large, least) = errors
    return f"{text} ({baseline}: {most:.3g} with {small}, {least:.3g} with {large})"


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
