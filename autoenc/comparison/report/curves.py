"""The curves of the runs by epoch, thinned so that many of them still make a small page."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

from autoenc.comparison.formatting import listed_in_words
from autoenc.comparison.report.report_data import Part, short_number
from autoenc.evaluation.metrics import find_metric, metric_names
from autoenc.runs import RunRecord

MOST_NUMBERS = 180_000
"""Of all curves together, eight characters each."""
MOST_POINTS, FEWEST_POINTS = 400, 16
"""Of a curve."""
MOST_NAMES = 10
DIGITS = 5
NOT_CURVES = {"epoch", "seconds"}


def curves(records: Sequence[RunRecord]) -> Part:
    """For each run its epochs, the elapsed seconds, and its curves by name and split; null if it has none."""
    names = _names(records)
    kept, left_out = names[:MOST_NAMES], names[MOST_NAMES:]
    notes = [f"Curves of {listed_in_words(left_out)} are left out to keep this page small."] if left_out else []
    drawn = [index for index, record in enumerate(records) if record.history]
    numbers = max((len(_keys(records[index], kept)) + 2 for index in drawn), default=1) * max(1, len(drawn))
    points = max(FEWEST_POINTS, min(MOST_POINTS, MOST_NUMBERS // numbers))
    most_runs = max(1, MOST_NUMBERS * len(drawn) // (numbers * points)) if drawn else 0
    if most_runs < len(drawn):
        notes.append(f"Curves are shown for the first {most_runs} runs of {len(drawn)}, to keep this page small.")
        drawn = drawn[:most_runs]
    if any(len(records[index].history) > points for index in drawn):
        notes.append(
            f"Curves of more than {points} epochs are thinned evenly; each keeps its first, last, lowest and highest "
            "value."
        )
    units = _units(records)
    found: list[dict[str, Any] | None] = [None] * len(records)
    for index in drawn:
        record = records[index]
        unit_of = [record.unit(name) or units.get((name, _objective(record)), "") for name in kept]
        found[index] = {**_curves_of(record, kept, points=points), "units": unit_of}
    scales = [known.scale if (known := find_metric(name)) else "linear" for name in kept]
    return Part({"names": kept, "scales": scales, "runs": found}, notes)


def _names(records: Sequence[RunRecord]) -> list[str]:
    found: dict[str, None] = {}
    for record in records:
        for row in (*record.history[:1], *record.history[-1:]):
            measured = [key for key, value in row.items() if value is not None and key not in NOT_CURVES]
            found |= {re.sub(r"^(train|validation)/", "", key): None for key in measured}
    known = metric_names(split="validation")
    return sorted(found, key=lambda name: known.index(name) if name in known else len(known))


def _keys(record: RunRecord, names: Sequence[str]) -> list[str]:
    possible = [key for name in names for key in (f"train/{name}", f"validation/{name}", name)]
    first, last = record.history[0], record.history[-1]
    return [key for key in possible if first.get(key) is not None or last.get(key) is not None]


def _curves_of(record: RunRecord, names: Sequence[str], *, points: int) -> dict[str, Any]:
    rows = record.history
    columns = {key: [row.get(key) for row in rows] for key in ("epoch", "seconds", *_keys(record, names))}
    epochs = [place if epoch is None else epoch for place, epoch in enumerate(columns.pop("epoch"), start=1)]
    took = columns.pop("seconds")
    kept = _kept(list(columns.values()), len(rows), points=points)

    def thinned(values: Sequence[float | None]) -> list[float | None]:
        return [None if (value := values[index]) is None else short_number(value, digits=DIGITS) for index in kept]

    return {
        "epoch": thinned(epochs),
        "seconds": None if None in took else thinned(list(itertools.accumulate(took))),
        "series": {key: thinned(values) for key, values in columns.items()},
    }


def _kept(series: Sequence[Sequence[float | None]], count: int, *, points: int) -> list[int]:
    if count <= points:
        return list(range(count))
    kept = {0, count - 1}
    for values in series:
        known = [(value, index) for index, value in enumerate(values) if value is not None]
        if known:
            kept |= {min(known)[1], max(known)[1]}
    room = max(2, points - len(kept))
    return sorted(kept | {round(step * (count - 1) / (room - 1)) for step in range(room)})


def _units(records: Sequence[RunRecord]) -> dict[tuple[str, str], str]:
    return {(name, _objective(record)): unit for record in reversed(records) for name, unit in record.units.items()}


def _objective(record: RunRecord) -> str:
    return repr([(key, value) for key, value in record.settings.items() if key.startswith(("loss", "bottleneck"))])
