"""What the page says of the runs, as plain values: who they are, how they were set and what they scored."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from autoenc.comparison import protocol
from autoenc.comparison.cautions import cautions
from autoenc.comparison.keys import differing_settings
from autoenc.comparison.report import texts
from autoenc.comparison.wording import listed_in_words
from autoenc.runs import SPLITS, RunRecord, printable

MOST_RUNS = 2000
MOST_SETTINGS = 300
MOST_METRICS = 120
MOST_REASONS = 5
ROOM_FOR_SETTINGS, ROOM_FOR_METRICS = 1_000_000, 2_000_000  # characters

METRICS_FIRST = ("mse", "loss", "noisy_mse", "psnr", "ssim", "elbo_nats", "nll_nats", "kl_nats", "reconstruction")
"""In this order, then the others as the runs have them."""

SETTINGS_LAST = ("data_dir", "resume", "rerun", "device", "figures")
"""What differs between machines and not between experiments."""

_NOWHERE = object()


class Part(NamedTuple):
    """What the page is given, and what has been left out of it."""

    document: Any
    notes: list[str]


def names(records: Sequence[RunRecord]) -> list[str]:
    """What each run is called: its label, with its name where two have the same."""
    count = Counter(record.label for record in records)
    return [
        printable(
            record.label if count[record.label] == 1 else f"{record.label} \N{MIDDLE DOT} {record.name}",
            most=texts.MOST_LABEL,
        )
        for record in records
    ]


def runs(records: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """Who the runs are, what can be asked of them by `keys.FIELDS`, and of those that did not finish why.

    What a run does not have is not there, nor is `ownLabel` where it is `label`, nor `hasSettings` where it has some.
    """
    return [
        {"label": label, "name": printable(record.name, most=texts.MOST_LABEL), "state": record.state}
        | _said_of_itself(record, shown_as=label)
        | ({"reasons": reasons} if (reasons := _reasons(record)) else {})
        | ({} if record.settings else {"hasSettings": False})
        for label, record in zip(names(records), records, strict=True)
    ]


def _said_of_itself(record: RunRecord, *, shown_as: str) -> dict[str, str]:
    label = printable(record.label, most=texts.MOST_LABEL)
    found = {
        "ownLabel": None if label == shown_as else label,
        "errorKind": record.error_kind and printable(record.error_kind, most=texts.MOST_LABEL),
        "errorMessage": record.error_message and printable(record.error_message, most=texts.MOST_SENTENCE),
        "machine": record.device and printable(record.device, most=texts.MOST_LABEL),
    }
    return {key: said for key, said in found.items() if said is not None}


def _reasons(record: RunRecord) -> list[str]:
    error = ": ".join(part for part in (record.error_kind, record.error_message) if part)
    said = [*([error] if error else []), *record.problems]
    if not said and record.state != "finished":
        said = [protocol.why_not_finished(record)]
    shown = [printable(sentence, most=texts.MOST_SENTENCE) for sentence in said[:MOST_REASONS]]
    return [*shown, f"and {len(said) - MOST_REASONS} more"] if len(said) > MOST_REASONS else shown


def settings(records: Sequence[RunRecord]) -> Part:
    """The settings that differ, of each key its values and which run has which; and those that all runs share.

    A run without a config differs in nothing. -1 stands for a key that a run's config does not have. `main` are those
    that tables of runs show. Where there is no room for all, those that differ go before those that are shared.
    """
    main = set(differing_settings(records))
    configured = [record for record in records if record.settings]
    keys = list(dict.fromkeys(key for record in configured for key in record.settings))
    differing = {key for key in keys if _differs(key, configured)}
    wanted = sorted(keys, key=lambda key: (key not in main, key not in differing))
    kept = _as_far_as_there_is_room(wanted[:MOST_SETTINGS], lambda key: _setting(key, records), room=ROOM_FOR_SETTINGS)
    placed = sorted((key for key in keys if key in kept), key=_place_of_setting)
    found = {
        "differing": [kept[key] | {"main": key in main} for key in placed if key in differing],
        "shared": [[kept[key]["key"], kept[key]["values"][0]] for key in placed if key not in differing],
    }
    left_out = [key for key in wanted if key not in kept]
    differ = len(differing.intersection(left_out))
    how_many = f"in {differ:,} of them" if differ else "in none of them"
    return Part(found, _left_out("setting", left_out, remark=f" (the runs differ {how_many})"))


def _differs(key: str, records: Sequence[RunRecord]) -> bool:
    values = [record.settings.get(key, _NOWHERE) for record in records]
    first = values[0]
    others = [value for value in values if value is not first]  # readers share small numbers and words: a quick way
    return bool(others) and (
        first is _NOWHERE
        or any(value is _NOWHERE or texts.identity(value) != texts.identity(first) for value in others)
    )


def _setting(key: str, records: Sequence[RunRecord]) -> dict[str, Any]:
    found = _Distinct()
    of = [found.index(record.settings[key]) if key in record.settings else -1 for record in records]
    return {"key": printable(key, most=texts.MOST_LABEL), "values": found.values, "of": of}


def metrics(records: Sequence[RunRecord], *, main: str | None = None) -> Part:
    """What was measured: of each metric the values, the units, which direction is better and what is comparable.

    Of very many the first alone, and the main one, by which the runs are ranked.
    """
    keys = sorted(dict.fromkeys(key for record in records for key in record.metrics), key=_place_of_metric)
    wanted = sorted(keys, key=lambda key: key != main)
    kept = _as_far_as_there_is_room(wanted[:MOST_METRICS], lambda key: _metric(key, records), room=ROOM_FOR_METRICS)
    notes = _left_out("metric", [key for key in keys if key not in kept])
    return Part([kept[key] for key in keys if key in kept], notes)


def _as_far_as_there_is_room(
    keys: Sequence[str], made: Callable[[str], dict[str, Any]], *, room: int
) -> dict[str, dict[str, Any]]:
    """What is made of the first keys, by key: as many as are written in so many characters."""
    found: dict[str, dict[str, Any]] = {}
    for key in keys:
        entry = made(key)
        room -= len(json.dumps(entry))
        if room < 0:
            break
        found[key] = entry
    return found


def _left_out(what: str, keys: Sequence[str], *, remark: str = "") -> list[str]:
    if not keys:
        return []
    count = f"1 {what} is" if len(keys) == 1 else f"{len(keys):,} {what}s are"
    listed = listed_in_words(printable(key, most=texts.MOST_LABEL) for key in keys)
    return [f"{count} left out to keep this page small{remark}: {listed}."]


def _metric(key: str, records: Sequence[RunRecord]) -> dict[str, Any]:
    units = _Distinct()
    has = [key in record.metrics for record in records]
    unit_of = [units.index(record.unit(key)) if known else -1 for known, record in zip(has, records, strict=True)]
    directions = {protocol.is_higher_better(key, unit=record.unit(key)) for record in records if key in record.metrics}
    found: dict[str, Any] = {
        "key": printable(key, most=texts.MOST_LABEL),
        "values": [texts.number(record.metrics[key]) if key in record.metrics else None for record in records],
        "units": units.values,
        "unitOf": unit_of if len(units.values) > 1 else None,
    }
    (higher,) = directions if len(directions) == 1 else (None,)
    if higher is not None:
        found["better"] = "higher" if higher else "lower"
    sections = protocol.comparable_sections(records, key)
    place = {id(record): number for number, section in enumerate(sections) for record in section.records}
    found["sections"] = [printable(section.name, most=texts.MOST_SENTENCE) for section in sections]
    found["sectionOf"] = [place.get(id(record), -1) for record in records] if len(sections) > 1 else None
    return found


def warnings(records: Sequence[RunRecord], metric: str | None) -> list[str]:
    """What has to be said beside a ranking."""
    if metric is None:
        return []
    return [printable(sentence, most=texts.MOST_SENTENCE) for sentence in cautions(records, metric)]


class _Distinct:
    """Values, each once, in the order of their first appearance."""

    def __init__(self) -> None:
        self.values: list[texts.Plain] = []
        self._places: dict[object, int] = {}
        self._shown: set[str] = set()

    def index(self, found: Any) -> int:
        key = texts.identity(found)
        if key not in self._places:
            self._places[key] = len(self.values)
            self.values.append(self._told_apart(texts.value(found)))
        return self._places[key]

    def _told_apart(self, written: texts.Plain) -> texts.Plain:
        """With its number behind it where another is shown alike: long texts may differ in what is cut off."""
        if not isinstance(written, str):
            return written
        shown = f"{written} ({len(self.values) + 1})" if written in self._shown else written
        self._shown.add(shown)
        return shown


def _place_of_setting(key: str) -> tuple[bool, bool]:
    """As in the config, but the seed and what belongs to the machine last."""
    return key.partition(".")[0] in SETTINGS_LAST, key == "seed"


def _place_of_metric(key: str) -> tuple[int, int, str]:
    split, _, name = key.partition(".")
    if split in SPLITS:
        rank = METRICS_FIRST.index(name) if name in METRICS_FIRST else len(METRICS_FIRST)
        return SPLITS.index(split), rank, name
    return len(SPLITS), 0, ""
