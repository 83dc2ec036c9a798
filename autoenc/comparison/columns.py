"""The columns of a table of runs: the settings that differ and the metrics, with the best values marked.

A new column is a key of `usual_columns`; one that needs more than a setting's or a metric's value also has its cells in
`column`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

from autoenc.comparison.formatting import as_typed, format_numbers, is_number
from autoenc.comparison.keys import FIELDS, differing_settings, split_of, value_of, without_split
from autoenc.comparison.ranking import (
    baseline_of,
    better_direction,
    comparable_sections,
    is_baseline,
    loss_metric_of,
    objective_of,
)
from autoenc.display_names import setting_label, told_apart, value_label
from autoenc.evaluation.metrics import DENOISING, metrics
from autoenc.runs import SPLITS, RunRecord

DATASET = ("dataset", "dataset.limit", "dataset.test_limit")
FACTS_BELOW = ("code_size", "parameters", "epochs", "machine")
"""Facts that are printed below the table if they are the same for all runs."""
MOST_SETTINGS = 50
"""Settings in the default columns; a config from elsewhere can differ in thousands."""


class Column(NamedTuple):
    """A column of a table, as text."""

    key: str
    cells: Sequence[str]
    """One a row."""
    best: frozenset[int] = frozenset()
    """The rows with the best values of all, or values that are shown with the same digits."""
    right: bool = True
    """Aligned to the right, as numbers are."""
    is_setting: bool = False


def run_names(records: Sequence[RunRecord]) -> list[str]:
    """The labels of the runs, or their names if several have the same label."""
    count = Counter(record.label for record in records)
    chosen = [record.label if record.label and count[record.label] == 1 else record.name for record in records]
    return [name or "." for name in chosen]


def column(records: Sequence[RunRecord], key: str) -> Column:
    """The values of a key, one row a run."""
    if key == "epochs":
        return Column(key, [_epochs(record) for record in records])
    values = [value_of(record, key) for record in records]
    numeric = all(value is None or is_number(value) for value in values)
    if numeric and any(key in record.metrics for record in records):
        texts = format_numbers(values)
        shown = {texts[number] for number in best_rows(records, key)}
        # Values that look alike are all bold: marking only one of equal values would mislead.
        alike = (number for number, record in enumerate(records) if record.finished and texts[number] in shown)
        return Column(key, texts, best=frozenset(alike))
    typed = ["" if value is None else as_typed(value) for value in values]
    texts = told_apart([value_label(key, text) if text else "" for text in typed], values=typed)
    return Column(key, texts, right=numeric, is_setting=key not in FIELDS)


def _epochs(record: RunRecord) -> str:
    """`50 (best 37)`, the epoch whose weights were tested; for an unfinished run its progress, `37 of 50`."""
    if record.finished:
        total, best = record.metrics.get("epochs"), record.metrics.get("best_epoch")
        if total is None:
            return ""
        return f"{total:g}" if best in {None, total} else f"{total:g} (best {best:g})"
    last, total = (record.history[-1].get("epoch") if record.history else None), record.settings.get("training.epochs")
    return f"{last:g} of {total:g}" if last is not None and is_number(total) else ""


def best_rows(records: Sequence[RunRecord], key: str) -> frozenset[int]:
    """The rows with the best value of a metric; none if the values are not comparable or all the same."""
    sections = comparable_sections(records, key)
    if len(sections) != 1:
        return frozenset()
    first, *others = sections[0].records
    best = first.metrics[key]
    if better_direction(key, unit=first.unit(key)) is None or all(record.metrics[key] == best for record in others):
        return frozenset()
    rows = (number for number, record in enumerate(records) if record.finished and record.metrics.get(key) == best)
    return frozenset(rows)


def usual_columns(records: Sequence[RunRecord], metric: str) -> list[str]:
    """The keys of the default columns: those that some run has a value of."""
    finished = [record for record in records if record.finished]
    measured = {key for record in finished for key in record.metrics}
    name = metric.partition(".")[2] if split_of(metric) else "mse"
    likelihoods = [known.name for known in metrics().values() if "loss" in known.depends_on]
    clean = "mse" if name in likelihoods else name.removeprefix(DENOISING)
    both = [f"{DENOISING}{clean}", clean]
    losses = sorted({found for record in finished if (found := loss_metric_of(record)) is not None})
    names = [name, *likelihoods, *both, *losses] if name in likelihoods else [name, *both, *losses, *likelihoods]
    scores = [f"{split}.{each}" for each in names for split in SPLITS]
    errors = [clean if name in likelihoods else name, f"{DENOISING}{clean}"]
    baselines = _baselines(errors, split=split_of(metric) or "test", measured=measured)
    facts = ["code_size", "parameters", "epochs", "seconds.training", "images_per_second"]
    first = [] if metric in scores else [metric]
    chosen = [key for key in dict.fromkeys([*first, *scores, *baselines, *facts]) if key in measured]
    settings = differing_settings(records)
    size = "architecture.code_size"
    if size in settings and all(record.settings.get(size) == record.metrics.get("code_size") for record in finished):
        settings.remove(size)  # the column `code_size` has the same numbers
    return [*settings[:MOST_SETTINGS], *chosen, *(["machine"] if any(record.device for record in finished) else [])]


def _baselines(names: Sequence[str], *, split: str, measured: Collection[str]) -> list[str]:
    """The keys of what errors are compared with; for a denoising error also the error of the noise."""
    found = [baseline_of(f"{split}.{name}", measured=measured) for name in names]
    noise = f"{split}.noise_mse"
    return [*(key for key in found if key is not None), *([noise] if f"{DENOISING}mse" in names else [])]


def usual_metric(records: Sequence[RunRecord]) -> str | None:
    """The default metric of a ranking: what the finished runs were trained for, or mse if that is not the same for all.

    It is that of the validation split if every finished run has it, else of the test split. If no run has it, it is
    the first metric of a split with a better direction; None if there is none.
    """
    finished = [record for record in records if record.finished]
    objectives = {objective_of(record) for record in finished}
    name = objectives.pop() if len(objectives) == 1 else "mse"
    if finished and all(f"validation.{name}" in record.metrics for record in finished):
        return f"validation.{name}"
    measured = dict.fromkeys(key for record in finished for key in record.metrics)
    ranked = (key for key in measured if split_of(key) and better_direction(key))
    return f"test.{name}" if f"test.{name}" in measured else next(ranked, None)


def same_for_all(records: Sequence[RunRecord], keys: Sequence[str]) -> dict[str, str]:
    """The dataset, and baselines and facts among `keys`, if all runs have one value; and this value.

    It is printed once, below the table.
    """
    shown = keys if len(records) > 1 else ()
    printed = (*DATASET, *(key for key in shown if is_baseline(key)), *(key for key in FACTS_BELOW if key in shown))
    found = {key: set(column(records, key).cells) for key in printed}
    return {key: value for key, values in found.items() if len(values) == 1 and (value := next(iter(values)))}


def units(records: Sequence[RunRecord], keys: Sequence[str]) -> dict[str, str]:
    """The units of metrics by name without split, if known and not in the name, as in `seconds.training`."""
    found: dict[str, dict[str, None]] = {}
    for key in keys:
        name = without_split(key)
        for record in records:
            if key in record.metrics and record.unit(key) not in {"", *name.split(".")}:
                found.setdefault(name, {})[record.unit(key)] = None
    return {name: " | ".join(each) for name, each in found.items()}


def least_important_first(columns: Sequence[Column], *, metric: str) -> list[str]:
    """The keys of columns in the order in which a narrow terminal leaves them out; never the metric."""
    keys = [one.key for one in columns]
    baseline = baseline_of(metric, measured=keys)
    own = {*(f"{split}.{metric.partition('.')[2]}" for split in SPLITS), baseline}
    scores = [key for key in reversed(keys) if split_of(key) and key not in own]
    settings = [one.key for one in reversed(columns) if one.is_setting]
    order = [
        *("images_per_second", "machine", *(key for key in keys if key.startswith("train."))),
        *(one.key for one in columns if one.is_setting and _is_in_names(one, columns[0].cells)),
        *("seconds.training", *(key for key in scores if key.startswith("validation.")), "epochs", "parameters"),
        *scores,
        *(key for key in settings if "." in key),
        *("" if baseline is None else baseline, "code_size"),
        *settings,  # those that are left: choices, such as the architecture
        *reversed(keys),
    ]
    return [
        key for key in dict.fromkeys(order) if key in keys and key not in {metric, "run", "runs", "state", "why", "n"}
    ]


def _is_in_names(one: Column, names: Sequence[str]) -> bool:
    """Whether the names of the runs already contain the values of a setting."""
    return all(
        not cell or any(f", {text}, " in f", {name}, " for text in (cell, setting_label(one.key, cell)))
        for cell, name in zip(one.cells, names, strict=True)
    )
