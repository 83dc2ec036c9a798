"""One table of all runs while they go on: how each stands, how far it is, how long it will take."""

from __future__ import annotations

import socket
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from autoenc.runs import RecordState, RunRecord, moment, printable

STYLES: dict[RecordState, str] = {
    "running": "cyan",
    "failed": "bold red",
    "dead": "red",
    "unreadable": "magenta",
    "interrupted": "yellow",
    "waiting": "dim",
    "finished": "green",
}
"""How each state is coloured; where there is no room for all, the first are shown."""
ENDED: frozenset[RecordState] = frozenset({"failed", "dead", "unreadable", "interrupted", "finished"})
"""What is so stays so, until somebody goes on with it."""
AROUND = 7
"""Lines of a terminal that are not rows: heading, caption, and where the cursor stands."""
LONGEST_NOTE = 300
SHORTEST_NAME = 12
BETWEEN = 3
"""Characters that a column takes beside its own."""
LONGEST = 1e10
"""Seconds that are counted: some three centuries."""


def live_table(
    records: Sequence[RunRecord], *, now: datetime, most_rows: int | None = None, width: int | None = None
) -> Table:
    """A row for each run, in their order; or, of more than `most_rows`, first what runs and what failed.

    The caption counts them all. `now` has a time zone. Within `width` characters columns that matter less are left out,
    the remarks among them, which `remarks` has; names are cut in their middle, since runs differ at the end.
    """
    shown = _most_telling(records, most_rows)
    columns: dict[str, Sequence[str]] = {
        name: [cell(record, now) for record in shown] for name, cell in _COLUMNS.items()
    }
    said = {name: cells for name, cells in columns.items() if name in _ALWAYS or any(cells)}
    if len(set(columns["device"])) < 2:
        said.pop("device", None)
    if width is not None:
        said = _fitting(said, width=width)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption=_caption(records, shown), caption_justify="left")
    table.show_header = bool(records)
    for name in said:
        table.add_column(name, justify="left" if name in _TEXTS else "right", no_wrap=True, overflow="ellipsis")
    for record, cells in zip(shown, zip(*said.values(), strict=True), strict=True):
        texts = [
            Text(cell, style=STYLES[record.state] if name == "state" else "")
            for name, cell in zip(said, cells, strict=True)
        ]
        table.add_row(*texts)
    return table


def remarks(records: Sequence[RunRecord], *, now: datetime, most: int) -> list[str]:
    """What there is to say of runs beside numbers, a line each: why one failed, where it is; the first `most`."""
    found = [f"{printable(record.label, most=60)}: {note}" for record in records if (note := _note(record, now))]
    more = [f"... and {len(found) - most} more such lines"] if len(found) > most else []
    return found[:most] + more


def _fitting(columns: Mapping[str, Sequence[str]], *, width: int) -> dict[str, Sequence[str]]:
    kept = dict(columns)
    for name in _FIRST_TO_GO:
        if _width(kept) > width:
            kept.pop(name, None)
    room = max(SHORTEST_NAME, width - _width({name: cells for name, cells in kept.items() if name != "run"}) - BETWEEN)
    kept["run"] = [_cut(text, room) for text in kept["run"]]
    return kept


def _width(columns: Mapping[str, Sequence[str]]) -> int:
    widest = [max([cell_len(name), *(cell_len(cell) for cell in cells)]) for name, cells in columns.items()]
    return sum(widest) + BETWEEN * len(widest)


def _cut(text: str, most: int) -> str:
    """Without its middle, where it is longer."""
    if len(text) <= most:
        return text
    end = (most - 1) * 2 // 3
    return f"{text[: most - 1 - end]}…{text[len(text) - end :]}"


def rows_that_fit(console: Console) -> int:
    """How many rows there is room for on a terminal, with heading and caption."""
    return max(console.height - AROUND, 1)


def _most_telling(records: Sequence[RunRecord], most_rows: int | None) -> list[RunRecord]:
    if most_rows is None or len(records) <= most_rows:
        return list(records)
    order = list(STYLES)
    return sorted(records, key=lambda record: order.index(record.state))[:most_rows]


def _caption(records: Sequence[RunRecord], shown: Sequence[RunRecord]) -> str:
    if not records:
        return "no run"
    all_runs, left_out = _counts(records), _counts(records) - _counts(shown)
    sentences = [f"{len(records)} run{'s' if len(records) > 1 else ''}: {_listed(all_runs)}"]
    if left_out:
        sentences.append(f"not shown: {_listed(left_out)}")
    if any(record.state == "running" and _may_stop_early(record) for record in shown):
        sentences.append("≤: it may stop early")
    return "; ".join(sentences)


def _counts(records: Sequence[RunRecord]) -> Counter[str]:
    return Counter(record.state for record in records)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{counts[state]} {state}" for state in STYLES if counts[state])


def _state(record: RunRecord, now: datetime) -> str:  # noqa: ARG001
    if record.state == "failed" and record.error_kind:
        return f"failed: {printable(record.error_kind.replace('_', ' '), most=40)}"
    return record.state


def _epoch(record: RunRecord, now: datetime) -> str:  # noqa: ARG001
    total = _number(record.settings.get("training.epochs"))
    done = _last_epoch(record)
    if record.state == "waiting" or (done == 0 and total is None):
        return ""
    return f"{done:.0f}/{total:.0f}" if total is not None else f"{done:.0f}"


def _loss(split: str) -> Callable[[RunRecord, datetime], str]:
    def cell(record: RunRecord, now: datetime) -> str:  # noqa: ARG001
        value = _number(record.history[-1].get(f"{split}/loss")) if record.history else None
        return "" if value is None else f"{value:.4g}"

    return cell


def _taken(record: RunRecord, now: datetime) -> str:
    """Of a run that was taken up again, since then; a process that was kept warm began before its run."""
    seconds = _number(_table(record.summary.get("seconds")).get("total")) if record.state == "finished" else None
    status = record.status
    starts = [time for time in (moment(status.get("started_at")), moment(status.get("process_started_at"))) if time]
    end = now if record.state == "running" else moment(status.get("finished_at")) or record.changed_at
    if seconds is None and starts and end is not None and record.state not in ("waiting", "unreadable"):
        seconds = max((end - max(starts)).total_seconds(), 0)
    return "" if seconds is None else _duration(seconds)


def _left(record: RunRecord, now: datetime) -> str:
    """By the seconds of the last epochs; what is done after the last one is not counted."""
    total = _number(record.settings.get("training.epochs"))
    took = [seconds for row in record.history if (seconds := _number(row.get("seconds"))) is not None and seconds >= 0]
    if record.state != "running" or total is None or not took:
        return ""
    each = min(statistics.median(took), LONGEST)  # two foreign epochs can have an infinite one between them
    since = (now - record.changed_at).total_seconds() if record.changed_at is not None else 0.0
    seconds = max(total - _last_epoch(record), 0) * each - min(max(since, 0.0), each)
    return ("≤ " if _may_stop_early(record) else "") + _duration(max(seconds, 0))


def _may_stop_early(record: RunRecord) -> bool:
    return record.settings.get("training.patience") is not None


def _device(record: RunRecord, now: datetime) -> str:  # noqa: ARG001
    value = record.summary.get("device") or record.environment.get("device")
    return printable(value, most=40) if isinstance(value, str) else ""


def _note(record: RunRecord, now: datetime) -> str:
    """What a person would ask next: why it failed, where it runs, since when it is silent."""
    notes = []
    host = record.status.get("host")
    if record.error_message:
        notes.append(record.error_message)
    if record.state == "running" and isinstance(host, str) and host != socket.gethostname():
        notes.append(f"on {host}, {_last_sign(record, now)}")
    if record.state == "dead":
        notes.append(f"its process is gone; {_last_sign(record, now)}")
    notes.extend(record.problems)
    return printable("; ".join(notes), most=LONGEST_NOTE)


def _last_sign(record: RunRecord, now: datetime) -> str:
    if record.changed_at is None:
        return "no sign of life"
    return f"last changed {_duration(max((now - record.changed_at).total_seconds(), 0))} ago"


def _last_epoch(record: RunRecord) -> float:
    return (_number(record.history[-1].get("epoch")) if record.history else None) or 0


def _duration(seconds: float) -> str:
    """Hours, minutes and seconds: `3:20`, `1:03:20`, `2 d 01:03:20`."""
    minutes, second = divmod(round(min(seconds, LONGEST)), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days} d {hour:02}:{minute:02}:{second:02}"
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"


def _number(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


_ALWAYS = ("run", "state")
_FIRST_TO_GO = ("", "device", "train loss", "taken", "validation loss")
_TEXTS = (*_ALWAYS, "device", "")
_COLUMNS: dict[str, Callable[[RunRecord, datetime], str]] = {
    "run": lambda record, now: printable(record.label, most=60),  # noqa: ARG005
    "state": _state,
    "epoch": _epoch,
    "train loss": _loss("train"),
    "validation loss": _loss("validation"),
    "taken": _taken,
    "left": _left,
    "device": _device,
    "": _note,
}
