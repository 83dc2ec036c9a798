"""The columns of a table of runs: the settings that differ, then what was measured, with the best of it marked."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from autoenc.comparison.keys import FIELDS, differing_settings, value_of
from autoenc.comparison.protocol import comparable_sections, is_higher_better, split_of, why_not_finished
from autoenc.comparison.wording import is_number, numbers, said
from autoenc.runs import SPLITS, RunRecord, printable

LIKELIHOODS = ("elbo_nats", "nll_nats")
MAY_BE_SAID_ONCE = ("test.pca_mse", "code_size", "parameters", "epochs", "machine")
"""Of a table's columns: where all runs have the same value it stands below the table."""


class Column(NamedTuple):
    """A column of a table, as text."""

    key: str
    cells: Sequence[str]
    """One a row, safe to print."""
    best: frozenset[int] = frozenset()
    """The rows whose values are the best of all, or look as if they were."""
    right: bool = True
    """Whether it is aligned to the right, as numbers are."""
    is_setting: bool = False


def run_column(records: Sequence[RunRecord]) -> Column:
    """What the runs are called: their labels, and their names where several have the same label."""
    return Column("run", run_names(records), right=False)


def run_names(records: Sequence[RunRecord]) -> list[str]:
    """As `run_column` has them."""
    count = Counter(record.label for record in records)
    chosen = [record.label if record.label and count[record.label] == 1 else record.name for record in records]
    return [printable(name) or "." for name in chosen]


def column(records: Sequence[RunRecord], key: str) -> Column:
    """The values of a key, a row a run."""
    if key == "epochs":
        return Column(key, [_epochs(record) for record in records])
    values = [value_of(record, key) for record in records]
    is_text = not all(value is None or is_number(value) for value in values)
    if not is_text and any(key in record.metrics for record in records):
        texts = numbers(values)
        shown = {texts[number] for number in best_rows(records, key)}
        # Of two that look alike, one alone in bold would be a riddle.
        alike = (n for n, record in enumerate(records) if record.state == "finished" and texts[n] in shown)
        return Column(key, texts, best=frozenset(alike))
    texts = ["" if value is None else said(value) for value in values]
    return Column(key, texts, right=not is_text, is_setting=key not in FIELDS)


def state_columns(records: Sequence[RunRecord]) -> list[Column]:
    """How the runs stand, and why those that have not finished have not."""
    whys = [
        "" if record.state == "finished" and not record.problems else printable(why_not_finished(record))
        for record in records
    ]
    return [
        Column("state", [record.state for record in records], right=False),
        Column("why", whys, right=False),
    ]


def best_rows(records: Sequence[RunRecord], key: str) -> frozenset[int]:
    """The rows with the best value of a metric; none where they are not all of the same thing, or all the same."""
    measured = next((record for record in records if key in record.metrics), None)
    if measured is None or is_higher_better(key, unit=measured.unit(key)) is None:
        return frozenset()
    sections = comparable_sections(records, key)
    if len(sections) != 1:
        return frozenset()
    values = [record.metrics[key] for record in sections[0].records]
    if len(set(values)) < 2:
        return frozenset()
    return frozenset(
        number
        for number, record in enumerate(records)
        if record.state == "finished" and record.metrics.get(key, math.nan) == values[0]
    )


def usual_columns(records: Sequence[RunRecord], metric: str) -> list[str]:
    """The keys of the columns that a table has unless others are asked for: those in which some run has a value."""
    finished = [record for record in records if record.state == "finished"]
    measured = {key for record in finished for key in record.metrics}
    name = metric.partition(".")[2] if split_of(metric) else "mse"
    names = [name, f"noisy_{name}", *LIKELIHOODS, *(["pca_mse"] if name.endswith("mse") else [])]
    scores = [f"{split}.{each}" for each in names for split in SPLITS]
    facts = ["code_size", "parameters", "epochs", "seconds.training", "images_per_second"]
    chosen = [key for key in dict.fromkeys([metric, *scores, *facts]) if key in measured]
    machines = {value_of(record, "machine") for record in finished} - {None}
    settings = [key for key in differing_settings(records) if not _is_the_measured_code_size(key, finished)]
    return [*settings, *chosen, *(["machine"] if machines else [])]


def _is_the_measured_code_size(key: str, records: Sequence[RunRecord]) -> bool:
    """Whether a setting is what stands in the table as `code_size` anyway."""
    return key == "architecture.code_size" and all(
        record.settings.get(key) == record.metrics.get("code_size") for record in records
    )


def usual_metric(records: Sequence[RunRecord]) -> str | None:
    """What to rank by unless it is said: the validation error where every finished run has one, else the test error.

    Without an mse it is the first metric of a split of which more or less is better; None where there is none.
    """
    finished = [record for record in records if record.state == "finished"]
    if finished and all("validation.mse" in record.metrics for record in finished):
        return "validation.mse"
    measured = dict.fromkeys(["test.mse", *(key for record in finished for key in record.metrics)])
    better = [key for key in measured if split_of(key) and is_higher_better(key) is not None]
    return next((key for key in better if any(key in record.metrics for record in finished)), None)


def same_for_all(records: Sequence[RunRecord], keys: Sequence[str]) -> dict[str, str]:
    """Of the keys, those of `MAY_BE_SAID_ONCE` that have one value in all of several runs, and this value."""
    if len(records) < 2:
        return {}
    found = {key: set(column(records, key).cells) for key in keys if key in MAY_BE_SAID_ONCE}
    return {key: next(iter(values)) for key, values in found.items() if len(values) == 1 and "" not in values}


def units(records: Sequence[RunRecord], keys: Sequence[str]) -> dict[str, str]:
    """What the numbers of metrics are, safe to print, by the metric's name without its split; those that say so."""
    found: dict[str, dict[str, None]] = {}
    for key in keys:
        name = key.partition(".")[2] if split_of(key) else key
        said_by = dict.fromkeys(record.unit(key) for record in records if key in record.metrics)
        found.setdefault(name, {}).update(said_by)
    texts = {name: [printable(unit) for unit in each if unit] for name, each in found.items()}
    return {name: " | ".join(each) for name, each in texts.items() if each}


def least_wanted_first(columns: Sequence[Column], *, metric: str, names: Sequence[str]) -> list[str]:
    """The keys of the columns in the order in which a narrow terminal does without them; never the metric."""
    keys = [one.key for one in columns]
    backwards = [one.key for one in reversed(columns)]
    name = metric.partition(".")[2]
    others = [key for key in backwards if split_of(key) and key.partition(".")[2] != name and key != "test.pca_mse"]
    settings = [one.key for one in reversed(columns) if one.is_setting]
    order = [
        *("images_per_second", "machine", *(key for key in keys if key.startswith("train."))),
        *(one.key for one in columns if one.is_setting and _is_in_names(one, names)),
        *("seconds.training", *(key for key in others if key.startswith("validation.")), "epochs", "parameters"),
        *others,
        *(key for key in settings if "." in key),
        *("test.pca_mse", "code_size"),
        *settings,  # what is left of them: choices, as the architecture
        *backwards,
    ]
    return [key for key in dict.fromkeys(order) if key in keys and key not in {metric, "run", "state", "why", "n"}]


def _is_in_names(one: Column, names: Sequence[str]) -> bool:
    """Whether the names of the runs say what a column of settings says."""
    word = one.key.rpartition(".")[2].replace("_", " ")
    pairs = zip(one.cells, names, strict=True)
    return all(
        not cell or f"{word} {cell}" in name or cell.replace("_", " ") in name.split(", ") for cell, name in pairs
    )


def _epochs(record: RunRecord) -> str:
    """`50 (best 37)`, whose weights were tested; of a run that has not finished how far it has come: `37 of 50`."""
    if record.state == "finished":
        total, reached = record.metrics.get("epochs"), record.metrics.get("best_epoch")
        if total is None:
            return ""
        return f"{total:g}" if reached in {None, total} else f"{total:g} (best {reached:g})"
    last = record.history[-1].get("epoch") if record.history else None
    total = record.settings.get("training.epochs")
    return f"{last:g} of {total:g}" if is_number(last) and is_number(total) else ""
