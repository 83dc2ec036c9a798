"""The data of the report as plain values: the runs, their settings and their metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from autoenc.comparison.formatting import as_typed, is_number, listed_in_words
from autoenc.comparison.grouping import group_names, grouped_by_setting, have_several_seeds
from autoenc.comparison.keys import differing_settings, split_of
from autoenc.comparison.ranking import baseline_name, baseline_of, better_direction, comparable_sections
from autoenc.comparison.reasons import reasons
from autoenc.display_names import value_label
from autoenc.evaluation.estimates import student_t
from autoenc.evaluation.metrics import find_metric, metric_names
from autoenc.runs import SPLITS, RunRecord, printable

MOST_RUNS, MOST_SETTINGS, MOST_METRICS = 2000, 300, 120
"""What a browser shows quickly."""
MOST_SEEDS = 200
"""The interval of more is computed as if they were 200: at the most 0.6 % too wide."""
MOST_REASONS = 5
LONGEST_VALUE, LONGEST_SENTENCE = 160, 600
"""Characters."""
LAST_SETTINGS = ("data_dir", "resume", "rerun", "device", "figures", "figure_format")
"""They differ between machines, not between experiments."""
LARGEST_EXACT = 2**53
"""From here on, the whole numbers of JavaScript have gaps."""


class Part(NamedTuple):
    """A part of the page's data, and what was left out of it."""

    document: Any
    notes: list[str]


def runs(records: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """Names and facts of the runs, and why unfinished ones have not finished. Facts that are missing are left out."""
    found = []
    for label, record in zip(unique_labels(records), records, strict=True):
        facts = {
            "ownLabel": None if record.label == label else record.label,
            "errorKind": record.error_kind,
            "errorMessage": record.error_message and printable(record.error_message, most=LONGEST_SENTENCE),
            "machine": record.device,
            "reasons": _reasons(record) or None,
            "hasSettings": None if record.settings else False,
        }
        known = {name: value for name, value in facts.items() if value is not None}
        found.append({"label": label, "name": record.name, "state": record.state, **known})
    return found


def groups(records: Sequence[RunRecord]) -> dict[str, Any] | None:
    """The runs by their settings without the seed; None if no setting has several seeds.

    `members` has the indices of the runs of each seed, `t` the 97.5 % quantiles of Student's t distribution, from one
    degree of freedom on.
    """
    configured = [record for record in records if record.settings]
    found = grouped_by_setting(configured)
    if not have_several_seeds(found):
        return None
    place = {record.name: index for index, record in enumerate(records)}
    members = [[[place[record.name] for record in draw] for draw in group.draws.values()] for group in found]
    largest = min(MOST_SEEDS, max(len(group.draws) for group in found))
    others = [record for record in records if not record.settings]
    return {
        "labels": [*group_names(found), *(record.label for record in others)],
        "members": [*members, *([[place[record.name]]] for record in others)],
        "t": [short_number(student_t(degrees), digits=6) for degrees in range(1, largest)],
    }


def unique_labels(records: Sequence[RunRecord]) -> list[str]:
    """The label of each run, with its name if several have the same label."""
    count = Counter(record.label for record in records)
    return [each.label if count[each.label] == 1 else f"{each.label} \N{MIDDLE DOT} {each.name}" for each in records]


def _reasons(record: RunRecord) -> list[str]:
    found = reasons(record)
    shown = [printable(sentence, most=LONGEST_SENTENCE) for sentence in found[:MOST_REASONS]]
    return [*shown, f"and {len(found) - MOST_REASONS} more"] if len(found) > MOST_REASONS else shown


def settings(records: Sequence[RunRecord]) -> Part:
    """The settings that differ, with the values of each key and the index of each run's value, and the shared ones.

    -1 stands for a key that a run's config lacks. `labels` has the display names of values by key. `main` marks the
    settings in the tables of runs. If there are too many, differing settings are kept before shared ones.
    """
    main = set(differing_settings(records))
    keys = list(dict.fromkeys(key for record in records for key in record.settings))
    found = {key: _setting(key, records) for key in keys}
    configured = [index for index, record in enumerate(records) if record.settings]
    differing = {key for key in keys if len({found[key]["of"][index] for index in configured}) > 1}
    by_importance = sorted(keys, key=lambda key: (key not in main, key not in differing))
    kept, left_out = set(by_importance[:MOST_SETTINGS]), by_importance[MOST_SETTINGS:]
    # In the order of the config, but machine-dependent settings and the seed last.
    in_order = [key for key in keys if key in kept]
    placed = sorted(in_order, key=lambda key: (key.partition(".")[0] in LAST_SETTINGS, key == "seed"))
    document = {
        "differing": [found[key] | {"main": key in main} for key in placed if key in differing],
        "shared": [[key, found[key]["values"][0]] for key in placed if key not in differing],
    }
    document["labels"] = {key: labels for key in in_order if (labels := _labels(key, found[key]["values"]))}
    differ = len(differing.intersection(left_out))
    remark = f" (the runs differ in {f'{differ:,}' if differ else 'none'} of them)"
    return Part(document, _left_out("setting", left_out, remark=remark))


def _labels(key: str, values: Sequence[Any]) -> dict[str, str]:
    """The values of a setting that have a display name, as they are typed, and this name."""
    labels = {text: value_label(key, text) for text in map(as_typed, values)}
    return {text: label for text, label in labels.items() if label != text}


def _setting(key: str, records: Sequence[RunRecord]) -> dict[str, Any]:
    shown: list[Any] = []
    places: dict[object, int] = {}
    of = []
    for record in records:
        value = record.settings.get(key)
        identity = value if is_number(value) else repr(value)
        if key in record.settings and identity not in places:
            places[identity] = len(shown)
            written = plain_value(value)
            if isinstance(written, str) and written in shown:  # the difference was cut off
                written = f"{written} ({len(shown) + 1})"
            shown.append(written)
        of.append(places[identity] if key in record.settings else -1)
    return {"key": key, "values": shown, "of": of}


def plain_value(value: Any) -> Any:
    """A setting's value: a number, a truth value or null as it is, anything else as text.

    `{"number": "9007199254740993"}` is a whole number that JavaScript's own numbers cannot hold.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) >= LARGEST_EXACT:
        return {"number": str(value)}
    if isinstance(value, (int, float)):
        return short_number(value)
    return printable(value if isinstance(value, str) else as_typed(value), most=LONGEST_VALUE)


def short_number(value: float, *, digits: int | None = None) -> float:
    """A number with so many significant digits, or all of them; without a fraction of zero, to save characters."""
    rounded = value if digits is None else float(f"{value:.{digits}g}")
    return int(rounded) if float(rounded).is_integer() and abs(rounded) < LARGEST_EXACT else rounded


def metrics(records: Sequence[RunRecord], *, main: str | None = None) -> Part:
    """The metrics: values, units, the better direction, the scale of an axis, and which runs are comparable.

    If there are too many, the first are kept, and the main one, by which the runs are ranked.
    """
    keys = sorted(dict.fromkeys(key for record in records for key in record.metrics), key=_place_of_metric)
    kept = set(sorted(keys, key=lambda key: key != main)[:MOST_METRICS])
    document = [_metric(key, records, measured=kept) for key in keys if key in kept]
    return Part(document, _left_out("metric", [key for key in keys if key not in kept]))


def _metric(key: str, records: Sequence[RunRecord], *, measured: Collection[str]) -> dict[str, Any]:
    unit_of = [record.unit(key) if key in record.metrics else None for record in records]
    units = [unit for unit in dict.fromkeys(unit_of) if unit is not None]
    directions = {better_direction(key, unit=unit) for unit in units}
    sections = comparable_sections(records, key)
    section_of = {record.name: number for number, section in enumerate(sections) for record in section.records}
    known, baseline = find_metric(key), baseline_of(key, measured=measured)
    return {
        "key": key,
        "values": [short_number(record.metrics[key]) if key in record.metrics else None for record in records],
        "units": units,
        "unitOf": [-1 if unit is None else units.index(unit) for unit in unit_of] if len(units) > 1 else None,
        "better": directions.pop() if len(directions) == 1 else None,
        "scale": known.scale if known is not None else "linear",
        "baseline": baseline,
        "baselineName": None if baseline is None else baseline_name(baseline),
        "sections": [section.name for section in sections],
        "sectionOf": [section_of.get(record.name, -1) for record in records] if len(sections) > 1 else None,
    }


def _left_out(what: str, keys: Sequence[str], *, remark: str = "") -> list[str]:
    if not keys:
        return []
    count = f"1 {what} is" if len(keys) == 1 else f"{len(keys):,} {what}s are"
    return [f"{count} left out to keep this page small{remark}: {listed_in_words(keys)}."]


def _place_of_metric(key: str) -> tuple[int, int, str]:
    split, _, name = key.partition(".")
    if split_of(key) is None:
        return len(SPLITS), 0, ""
    known = metric_names(split=split)
    return SPLITS.index(split), known.index(name) if name in known else len(known), name
