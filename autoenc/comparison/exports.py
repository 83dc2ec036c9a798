"""A comparison for other programs: CSV, JSON and Markdown, of the same rows.

CSV has a row a run: `run`, `folder`, `state`, `error`, the settings that differ and every metric by its key, numbers
whole, and last `units`. A text that a spreadsheet would run as a formula gets an apostrophe before it. JSON is one
object:

    {"runs": [{"run": ..., "folder": ..., "state": ..., "error": ..., "settings": {key: value},
               "metrics": {key: number}, "units": {name: text}}],
     "groups": null | [{"apart": {name: value}, "settings": {key: value}, "runs": [run], "left_out": n,
                        "metrics": {key: {"mean": x, "half_width": x | null, "runs": n}}}],
     "rankings": [{"metric": key, "apart": {name: value}, "runs": [run]}],
     "warnings": [text]}

`run` is the path below the folder that was asked for. The order of `runs` is the one that was asked for; a ranking has
the best by its metric first in any case. Where only the first of each section were asked for, there are no others in
either. A number that is not finite is null.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autoenc.comparison.grouping import Group
from autoenc.comparison.keys import FIELDS, differing_settings, value_of
from autoenc.comparison.protocol import ranked, why_not_finished
from autoenc.comparison.view import View, in_rows
from autoenc.comparison.wording import is_number, said
from autoenc.runs import RunRecord
from autoenc.settings import ConfigError

FORMULA_SIGNS = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")
"""What a spreadsheet begins a formula with, also as wide characters."""


OF_A_RUN = ("config.yaml", "status.json", "summary.json", "metrics.jsonl")
"""By two of these a folder is a run's."""
OF_A_SWEEP = ("sweep.json", "multirun.yaml", "search.yaml")


def checked_destination(path: Path, *, option: str, records: Sequence[RunRecord]) -> Path:
    """The path, where a file can be written without harm, or which leads to somebody who reads (`/dev/stdout`).

    Raises:
        ConfigError: it is in a run's folder, a sweep's own file, a folder, a disk or a socket.
    """
    place = path.expanduser().absolute()
    if place.is_dir():
        raise ConfigError(option, "it is a folder; name a file", value=str(path))
    if place.exists() and not (place.is_file() or _is_stream(place)):
        raise ConfigError(option, "it is no file, and nothing that takes a text", value=str(path))
    if not place.parent.is_dir():
        raise ConfigError(option, f"there is no folder {said(str(place.parent))}", value=str(path))
    homes = [place.parent.resolve(), *place.parent.resolve().parents]
    runs = {record.path.resolve() for record in records}
    for home in homes:
        if home in runs or sum((home / name).is_file() for name in OF_A_RUN) > 1:
            raise ConfigError(
                option, f"{said(str(home))} is the folder of a run; choose another place", value=str(path)
            )
    if path.name in OF_A_SWEEP:
        raise ConfigError(option, "a sweep has a file of this name; choose another", value=str(path))
    return place


def write_text(path: Path, text: str) -> None:
    """The text in a file, whole or not at all.

    A pipe or a device (`>(gzip)`, `/dev/stdout`, `/dev/null`) is written to, and stays what it is.

    Raises:
        OSError: it cannot be written.
    """
    if _is_stream(path):
        with path.open("ab") as stream:
            stream.write(text.encode("utf-8", "backslashreplace"))
        return
    from autoenc.runs import write_atomically

    write_atomically(path, text.encode("utf-8", "backslashreplace"))


def _is_stream(path: Path) -> bool:
    """Whether somebody reads at its other end, or it is a name of what a process has open already: then a new file in
    its place would reach nobody, and be in everybody's way.
    """
    if path.is_char_device() or path.is_fifo():
        return True
    return path.is_symlink() and path.parent.resolve().parts[:2] in {("/", "dev"), ("/", "proc")}


def write_csv(records: Sequence[RunRecord], path: Path) -> None:
    """Every number of every run, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    write_text(path, as_csv(records, columns=None))


def as_csv(records: Sequence[RunRecord], *, columns: Sequence[str] | None) -> str:
    """A row a run, of the keys that are asked for, or of all metrics and the settings that differ."""
    keys = [key for key in all_columns(records) if key not in FIELDS] if columns is None else columns
    rows = [
        [record.name, str(record.path), record.state, why_not_finished(record)]
        + [value_of(record, key) for key in keys]
        + [_units_in_words(record)]
        for record in records
    ]
    return _csv([["run", "folder", "state", "error", *keys, "units"], *rows])


def all_columns(records: Sequence[RunRecord]) -> list[str]:
    """The keys of the settings that differ, and of every metric."""
    return [*differing_settings(records), *dict.fromkeys(key for record in records for key in record.metrics)]


def groups_as_csv(groups: Sequence[Group], *, metrics: Sequence[str]) -> str:
    """A row a group: what it was grouped by, and of each metric the mean, half the interval's width, and how many."""
    apart = dict.fromkeys(name for group in groups for name in group.apart if name not in group.values)
    keys = dict.fromkeys(key for group in groups for key in group.values)
    parts = ("mean", "half_width", "runs")
    head: list[Any] = [*apart, *keys, "runs", "left_out", *(f"{metric}.{part}" for metric in metrics for part in parts)]
    rows = [head]
    for group in groups:
        estimates = [group.estimates(metric) for metric in metrics]
        numbers = [value for found in estimates for value in (found or (None, None, 0))]
        names = [group.apart.get(name) for name in apart]
        rows.append([*names, *group.values.values(), len(group.records), group.left_out, *numbers])
    return _csv(rows)


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return content.getvalue()


def _cell(value: Any) -> str:
    """A number whole; a text as one that no spreadsheet runs."""
    if value is None or value == "":
        return ""
    if is_number(value):
        return repr(value)
    text = said(value)
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


def _units_in_words(record: RunRecord) -> str:
    units = record.summary.get("units")
    return "; ".join(f"{name}: {unit}" for name, unit in units.items()) if isinstance(units, Mapping) else ""


def as_json(
    view: View, *, columns: Sequence[str] | None, groups: Sequence[Group] | None, metrics: Sequence[str]
) -> str:
    """What the module says; of the keys that are asked for, or of all metrics and the settings that differ."""
    keys = all_columns(view.records) if columns is None else list(columns)
    content = {
        "runs": [_run(record, keys) for record in in_rows(view)],
        "groups": None if groups is None else [_group(group, metrics) for group in groups],
        "rankings": [
            {
                "metric": view.metric,
                "apart": dict(section.apart),
                "runs": [record.name for record in ranked(section.records, view.metric)],
            }
            for section in view.sections
            if view.metric is not None
        ],
        "warnings": list(view.warnings),
    }
    return json.dumps(_plain(content), indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _run(record: RunRecord, keys: Sequence[str]) -> dict[str, Any]:
    units = record.summary.get("units")
    return {
        "run": record.name,
        "folder": str(record.path),
        "state": record.state,
        "error": why_not_finished(record) or None,
        "settings": {
            key: value_of(record, key) for key in keys if key not in record.metrics and key in record.settings
        },
        "metrics": {key: record.metrics[key] for key in keys if key in record.metrics},
        "units": dict(units) if isinstance(units, Mapping) else {},
    }


def _group(group: Group, metrics: Sequence[str]) -> dict[str, Any]:
    found = {metric: group.estimates(metric) for metric in metrics}
    return {
        "apart": dict(group.apart),
        "settings": dict(group.values),
        "runs": [record.name for record in group.records],
        "left_out": group.left_out,
        "metrics": {metric: each._asdict() for metric, each in found.items() if each is not None},
    }


def _plain(value: Any) -> Any:
    """A value as JSON has it: what is not finite is null, a key is a text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (str, int, float)) else str(value)
