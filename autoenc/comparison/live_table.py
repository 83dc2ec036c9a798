"""A table of runs and their progress: state, epoch, losses, elapsed time and time left."""

from __future__ import annotations

import socket
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from autoenc.comparison.formatting import is_number
from autoenc.display_names import run_label
from autoenc.runs import RecordState, RunRecord, moment, printable

STYLES: dict[RecordState, str] = {
    "running": "cyan",
    "failed": "bold red",
    "diverged": "red",
    "dead": "red",
    "unreadable": "magenta",
    "interrupted": "yellow",
    "waiting": "dim",
    "finished": "green",
}
"""The style of each state; if there is no room for all runs, the first states are shown."""
PHASES = {"evaluating": "evaluating", "drawing": "drawing pictures"}
"""The states that are shown of a running run after its training."""
ENDED: frozenset[RecordState] = frozenset({"failed", "diverged", "dead", "unreadable", "interrupted", "finished"})
OTHER_LINES = 7
"""Lines of a terminal that are not rows: heading, caption, and the cursor's line."""
SHORTEST_NAME, LONGEST_NAME, LONGEST_NOTE = 12, 100, 300
"""Characters."""
GAP = 3
"""Characters between columns."""
LONGEST = 1e10
"""Seconds, about three centuries."""
COLUMNS = ("run", "state", "epoch", "train loss", "validation loss", "taken", "left", "device", "")
ALWAYS = ("run", "state")
LEAST_IMPORTANT_FIRST = ("", "device", "train loss", "taken", "validation loss")
TEXTS = (*ALWAYS, "device", "")


def live_table(
    records: Sequence[RunRecord],
    *,
    now: datetime,
    most_rows: int | None = None,
    width: int | None = None,
    why_waiting: Mapping[str, str] | None = None,
) -> Table:
    """A row for each run; beyond `most_rows` only the most important ones. The caption counts all.

    `why_waiting` is shown instead of the state of jobs that another system has queued, by their paths.

    If they are wider than `width` characters, less important columns are left out and names are cut in the middle.
    """
    shown = records
    if most_rows is not None and len(records) > most_rows:
        shown = sorted(records, key=lambda record: list(STYLES).index(record.state))[:most_rows]
    after_training = _usual_seconds_after_training(records)
    rows = [_row(record, now, after_training) for record in shown]
    for record, row in zip(shown, rows, strict=True):
        row["state"] = (why_waiting or {}).get(str(record.path), row["state"])
    columns = {name: [row[name] for row in rows] for name in COLUMNS}
    columns = {name: cells for name, cells in columns.items() if name in ALWAYS or any(cells)}
    if len({*columns.get("device", ())} - {""}) < 2:
        columns.pop("device", None)
    if width is not None:
        columns = _fit(columns, width=width)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption=_caption(records, shown), caption_justify="left")
    table.show_header = bool(records)
    for name in columns:
        table.add_column(name, justify="left" if name in TEXTS else "right", no_wrap=True, overflow="ellipsis")
    for record, cells in zip(shown, zip(*columns.values(), strict=True), strict=True):
        styles = (STYLES[record.state] if name == "state" else "" for name in columns)
        table.add_row(*(Text(cell, style=style) for cell, style in zip(cells, styles, strict=True)))
    return table


def remarks(records: Sequence[RunRecord], *, now: datetime, most: int) -> list[str]:
    """Lines below the table: why runs failed and on which machines they run; at most `most` of them."""
    found = [f"{record.label[:LONGEST_NAME]}: {note}" for record in records if (note := _note(record, now))]
    return found[:most] + ([f"... and {len(found) - most} more such lines"] if len(found) > most else [])


def rows_that_fit(console: Console) -> int:
    """How many rows a terminal has room for, with heading and caption."""
    return max(console.height - OTHER_LINES, 1)


def _fit(columns: Mapping[str, Sequence[str]], *, width: int) -> dict[str, list[str]]:
    widths = {name: max(cell_len(text) for text in (name, *cells)) + GAP for name, cells in columns.items()}
    for name in LEAST_IMPORTANT_FIRST:
        if sum(widths.values()) > width:
            widths.pop(name, None)
    room = max(SHORTEST_NAME, width - sum(widths.values()) + widths["run"] - GAP)
    kept = {name: list(columns[name]) for name in columns if name in widths}
    return {**kept, "run": [_without_middle(text, room) for text in kept["run"]]}


def _without_middle(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    end = (most - 1) * 2 // 3  # runs differ at the end of their names
    return f"{text[: most - 1 - end]}…{text[len(text) - end :]}"


def _caption(records: Sequence[RunRecord], shown: Sequence[RunRecord]) -> str:
    if not records:
        return "no run"
    all_runs, shown_runs = (Counter(record.state for record in each) for each in (records, shown))
    sentences = [f"{len(records)} run{'s' if len(records) > 1 else ''}: {_counted(all_runs)}"]
    if len(shown) < len(records):
        sentences.append(f"not shown: {_counted(all_runs - shown_runs)}")
    if any(record.state == "running" and _phase(record) not in PHASES and _may_stop_early(record) for record in shown):
        sentences.append("≤: it may stop early")
    return "; ".join(sentences)


def _counted(counts: Mapping[RecordState, int]) -> str:
    return ", ".join(f"{counts[state]} {state}" for state in STYLES if counts.get(state))


def _row(record: RunRecord, now: datetime, after_training: float) -> dict[str, str]:
    state: str = PHASES.get(_phase(record) or "", record.state)
    if state == "failed" and record.error_kind:
        state = f"failed: {record.error_kind.replace('_', ' ')}"
    losses = {f"{split} loss": _last(record, f"{split}/loss") for split in ("train", "validation")}
    return {
        "run": _without_middle(_name(record), LONGEST_NAME),
        "state": state,
        "epoch": _epoch(record),
        **{name: "" if loss is None else f"{loss:.4g}" for name, loss in losses.items()},
        "taken": _elapsed(record, now),
        "left": _left(record, now, after_training),
        "device": record.device or "",
        "": _note(record, now),
    }


def _name(record: RunRecord) -> str:
    """The label of a sweep's job; of another run, what it trains and its folder, which is named by the time."""
    if record.sweep is not None or not record.config:
        return record.label
    return f"{run_label(record.config)} ({record.label})"


def _phase(record: RunRecord) -> str | None:
    phase: str | None = record.status.get("phase")
    return phase if record.state == "running" else None


def _epoch(record: RunRecord) -> str:
    total, done = record.settings.get("training.epochs"), _last(record, "epoch") or 0
    if record.state == "waiting" or (done == 0 and total is None):
        return ""
    return f"{done:.0f}/{total:.0f}" if is_number(total) else f"{done:.0f}"


def _elapsed(record: RunRecord, now: datetime) -> str:
    """Since the run started or was resumed; of a run that has ended, at least its training and evaluation."""
    if record.state in ("waiting", "unreadable"):
        return ""
    start = _start(record)
    end = now if record.state == "running" else moment(record.status.get("finished_at")) or record.changed_at
    since = 0.0 if start is None or end is None else (end - start).total_seconds()
    before = 0.0 if record.state == "running" else record.metrics.get("seconds.total", 0.0)  # without the pictures
    return _duration(max(since, before)) if start is not None or before else ""


def _start(record: RunRecord) -> datetime | None:
    starts = [start for key in ("started_at", "process_started_at") if (start := moment(record.status.get(key)))]
    return max(starts, default=None)


def _usual_seconds_after_training(records: Sequence[RunRecord]) -> float:
    """The median over finished runs of the time for all but the training: mostly evaluation and pictures; 0 if none."""
    found = []
    for record in records:
        start, end = _start(record), moment(record.status.get("finished_at"))
        trained = record.metrics.get("seconds.training")
        if record.finished and start is not None and end is not None and trained is not None:
            found.append((end - start).total_seconds() - trained)
    return max(0.0, statistics.median(found)) if found else 0.0


def _left(record: RunRecord, now: datetime, after_training: float) -> str:
    """By the median time of an epoch, and what finished runs took after their training; empty if it is not known."""
    total = record.settings.get("training.epochs")
    took = [seconds for row in record.history if (seconds := row.get("seconds")) is not None]
    if record.state != "running" or not is_number(total) or not took:
        return ""
    since = max(0.0, (now - record.changed_at).total_seconds()) if record.changed_at is not None else 0.0
    if _phase(record) in PHASES:
        seconds = after_training - since - record.metrics.get("seconds.evaluation", 0.0)
    else:
        epoch = min(statistics.median(took), LONGEST)
        seconds = max(total - (_last(record, "epoch") or 0), 0) * epoch - min(since, epoch) + after_training
    bound = "≤ " if _phase(record) not in PHASES and _may_stop_early(record) else ""
    return bound + _duration(seconds) if seconds >= 1 else ""


def _may_stop_early(record: RunRecord) -> bool:
    return record.settings.get("training.patience") is not None


def _note(record: RunRecord, now: datetime) -> str:
    changed = "no sign of life"
    if record.changed_at is not None:
        changed = f"last changed {_duration((now - record.changed_at).total_seconds())} ago"
    notes = [record.error_message] if record.error_message else []
    host = record.status.get("host")
    if record.state == "running" and host is not None and host != socket.gethostname():
        notes.append(f"on {host}, {changed}")
    if record.state == "dead":
        notes.append(f"its process is gone; {changed}")
    return printable("; ".join([*notes, *record.problems]), most=LONGEST_NOTE)


def _last(record: RunRecord, key: str) -> float | None:
    return record.history[-1].get(key) if record.history else None


def _duration(seconds: float) -> str:
    """Hours, minutes and seconds: `3:20`, `1:03:20`, `2 d 01:03:20`."""
    minutes, second = divmod(round(min(max(seconds, 0), LONGEST)), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days} d {hour:02}:{minute:02}:{second:02}"
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"
