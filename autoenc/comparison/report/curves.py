"""The epochs of the runs, thinned so that the curves of many still make a small page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from autoenc.comparison.report import texts
from autoenc.comparison.wording import listed_in_words
from autoenc.runs import RunRecord, printable

MOST_NUMBERS = 180_000  # of all curves together; eight characters each
MOST_POINTS, FEWEST_POINTS = 400, 16  # of a curve
MOST_NAMES = 10
MOST_NAME = 60  # characters; a longer one, or one that cannot be shown, is not one of ours and has no curve
DIGITS = 5

FIRST = ("loss", "mse", "reconstruction", "kl_nats", "noisy_mse", "elbo_nats", "penalty")
"""Which curves are kept where there are many, in this order; then the others as the runs have them."""

NO_CURVES = {"epoch", "seconds"}
SPLITS = ("train", "validation")


class Curves(NamedTuple):
    """What the page is given, and what has been left out of it."""

    document: dict[str, Any]
    notes: list[str]


def curves(records: Sequence[RunRecord]) -> Curves:
    """Of each run the epochs, the seconds that had passed, and its curves by name and split; null where it has none."""
    names = _names(records)
    kept = [name for name in names if printable(name, most=MOST_NAME) == name][:MOST_NAMES]
    left_out = listed_in_words(printable(name, most=MOST_NAME) for name in names if name not in kept)
    notes = [f"Curves of {left_out} are left out to keep this page small."] if left_out else []
    drawn = [index for index, record in enumerate(records) if record.history]
    each = max(1, sum(len(_keys(records[index], kept)) + 2 for index in drawn))
    points = min(MOST_POINTS, MOST_NUMBERS // each)
    if points < FEWEST_POINTS:
        points = FEWEST_POINTS
        most = max(1, MOST_NUMBERS * len(drawn) // (each * FEWEST_POINTS))
        notes.append(f"Curves are shown of the first {most} runs of {len(drawn)}, to keep this page small.")
        drawn = drawn[:most]
    if any(len(records[index].history) > points for index in drawn):
        notes.append(
            f"Curves of more than {points} epochs are thinned evenly; the first, the last, the lowest and the highest "
            "value of each is kept."
        )
    units = _Units(records)
    found: list[dict[str, Any] | None] = [None] * len(records)
    for index in drawn:
        found[index] = _of_run(records[index], kept, points=points) | {"units": units.of(records[index], kept)}
    return Curves({"names": kept, "runs": found}, notes)


def _of_run(record: RunRecord, names: Sequence[str], *, points: int) -> dict[str, Any]:
    rows = record.history
    epochs = [_finite(row.get("epoch")) for row in rows]
    series = {key: [_finite(row.get(key)) for row in rows] for key in _keys(record, names)}
    kept = _kept(list(series.values()), len(rows), points=points)
    seconds = _running_sum([_finite(row.get("seconds")) for row in rows])
    return {
        "epoch": [index + 1 if epochs[index] is None else _short(epochs[index]) for index in kept],
        "seconds": None if seconds is None else [_short(seconds[index]) for index in kept],
        "series": {key: [_short(values[index]) for index in kept] for key, values in series.items()},
    }


def _kept(series: Sequence[Sequence[float | None]], count: int, *, points: int) -> list[int]:
    """Which rows: evenly, and where a curve is at its lowest and its highest."""
    if count <= points:
        return list(range(count))
    kept = {0, count - 1}
    for values in series:
        known = [index for index, value in enumerate(values) if value is not None]
        if known:
            kept |= {
                min(known, key=lambda index: values[index] or 0.0),
                max(known, key=lambda index: values[index] or 0.0),
            }
    room = max(2, points - len(kept))
    return sorted(kept | {round(step * (count - 1) / (room - 1)) for step in range(room)})


def _running_sum(seconds: Sequence[float | None]) -> list[float] | None:
    """From the start of the training to the end of each epoch; None where an epoch does not say how long it took."""
    total, found = 0.0, []
    for value in seconds:
        if value is None:
            return None
        total += value
        found.append(total)
    return found


def _names(records: Sequence[RunRecord]) -> list[str]:
    found: dict[str, None] = {}
    for record in records:
        for row in (record.history[0], record.history[-1]) if record.history else ():
            for key, value in row.items():
                if _finite(value) is not None and key not in NO_CURVES:
                    found[_bare(key)] = None
    return sorted(found, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))


def _bare(key: str) -> str:
    split, _, name = key.partition("/")
    return name if name and split in SPLITS else key


def _keys(record: RunRecord, names: Sequence[str]) -> list[str]:
    """Which of the possible curves the run has."""
    possible = [key for name in names for key in (f"train/{name}", f"validation/{name}", name)]
    ends: tuple[Mapping[str, Any], ...] = (record.history[0], record.history[-1]) if record.history else ()
    return [key for key in possible if any(_finite(row.get(key)) is not None for row in ends)]


class _Units:
    """The units of the curves: as the run's summary says, or, before it has one, that of a run with the same loss."""

    def __init__(self, records: Sequence[RunRecord]) -> None:
        self._known: dict[tuple[str, str], str] = {}
        for record in records:
            for name, unit in _units(record).items():
                self._known.setdefault((name, _objective(record)), unit)

    def of(self, record: RunRecord, names: Sequence[str]) -> list[str]:
        units = _units(record)
        found = [units.get(name) or self._known.get((name, _objective(record)), "") for name in names]
        return [printable(unit, most=texts.MOST_SENTENCE) for unit in found]


def _units(record: RunRecord) -> dict[str, str]:
    units = record.summary.get("units")
    return {str(name): str(unit) for name, unit in units.items()} if isinstance(units, Mapping) else {}


def _objective(record: RunRecord) -> str:
    """What decides on the unit of a loss."""
    return repr([(key, value) for key, value in record.settings.items() if key.startswith(("loss", "bottleneck"))])


def _finite(value: object) -> float | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _short(value: float | None) -> Any:
    return None if value is None else texts.number(value, digits=DIGITS)
