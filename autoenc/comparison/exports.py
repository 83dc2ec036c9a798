"""A comparison for other programs, as CSV or JSON, and where it may be written.

CSV has a row per run: `run`, `folder`, `state`, `error`, the settings that differ, every metric with all its digits,
and `units`. A text that a spreadsheet would run as a formula starts with an apostrophe. JSON is one object:

    {"runs": [{"run": ..., "folder": ..., "state": ..., "error": ..., "settings": {key: value},
               "metrics": {key: number}, "units": {name: text}}],
     "groups": null | [{"apart": {name: value}, "settings": {key: value}, "runs": [run], "left_out": n,
                        "metrics": {key: {"mean": x, "half_width": x | null, "sd": x | null, "runs": n}}}],
     "rankings": [{"metric": key, "apart": {name: value}, "runs": [run]}],
     "warnings": [text]}

`run` is the path below the folder that was asked for. `runs` are in the order that was asked for; a ranking always has
the best run first. With `--top`, both have only the first runs. If the table shows means over seeds,
JSON has them in `groups`, and both formats still have each run. With `--group-by`, CSV has a row per group instead.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autoenc.comparison.comparison_warnings import ranking_warnings
from autoenc.comparison.formatting import as_typed, is_number
from autoenc.comparison.grouping import Group
from autoenc.comparison.keys import FIELDS, differing_settings, value_of
from autoenc.comparison.ranking import Ranking, Section, best_first
from autoenc.comparison.reasons import why_not_finished
from autoenc.evaluation.estimates import Estimate
from autoenc.runs import RunRecord, printable, write_atomically
from autoenc.settings import ConfigError

FORMULA_SIGNS = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")
"""What a formula in a spreadsheet starts with, also as wide characters."""
RUN_FILES = ("config.yaml", "status.json", "summary.json", "metrics.jsonl")
"""A folder with two of these is a run's."""
SWEEP_FILES = ("sweep.json", "multirun.yaml", "search.yaml")


def check_destination(path: Path, *, option: str, records: Sequence[RunRecord]) -> Path:
    """The absolute path, if a file may be written there or something reads from it (`/dev/stdout`).

    Raises:
        ConfigError: it is in a run's folder, a sweep's own file, a folder, a disk or a socket.
    """
    place = path.expanduser().absolute()
    problem = _problem_with(place, records)
    if problem:
        raise ConfigError(option, problem, value=str(path))
    return place


def check_folder(path: Path, *, option: str, records: Sequence[RunRecord]) -> Path:
    """The absolute path, if files may be written into this folder, which need not exist.

    Raises:
        ConfigError: it is a run's folder or in one, or it is a file.
    """
    place = path.expanduser().absolute()
    is_other = place.exists() and not place.is_dir()
    problem = "it is not a folder" if is_other else _problem_inside(place, records)
    if problem:
        raise ConfigError(option, problem, value=str(path))
    return place


def _problem_with(place: Path, records: Sequence[RunRecord]) -> str | None:
    if place.is_dir():
        return "it is a folder; name a file"
    if place.exists() and not (place.is_file() or _is_stream(place)):
        return "it is neither a file nor a stream that takes text"
    if not place.parent.is_dir():
        return f"there is no folder {place.parent}"
    if place.name in SWEEP_FILES:
        return "a sweep has a file of this name; choose another"
    return _problem_inside(place.parent, records)


def _problem_inside(place: Path, records: Sequence[RunRecord]) -> str | None:
    """Whether a folder, which may not exist yet, is a run's or in one."""
    runs = {record.path.resolve() for record in records}
    for folder in (place.resolve(), *place.resolve().parents):
        if folder in runs or sum((folder / name).is_file() for name in RUN_FILES) > 1:
            return f"{folder} is the folder of a run; choose another place"
    return None


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all; append to a pipe or a device (`>(gzip)`, `/dev/stdout`).

    Raises:
        OSError: it cannot be written.
    """
    content = text.encode("utf-8", "backslashreplace")
    if not _is_stream(path):
        write_atomically(path, content)
        return
    with path.open("ab") as stream:
        stream.write(content)


def _is_stream(path: Path) -> bool:
    """Whether it is a pipe, a device, or a link to an open file, which a new file would replace instead of feeding."""
    if path.is_char_device() or path.is_fifo():
        return True
    return path.is_symlink() and path.parent.resolve().parts[:2] in {("/", "dev"), ("/", "proc")}


def all_columns(records: Sequence[RunRecord]) -> list[str]:
    """The keys of the settings that differ and of every metric."""
    return [*differing_settings(records), *dict.fromkeys(key for record in records for key in record.metrics)]


def as_csv(records: Sequence[RunRecord], *, columns: Sequence[str] | None = None) -> str:
    """A row per run, with the given keys, or all metrics and the settings that differ."""
    keys = [key for key in all_columns(records) if key not in FIELDS] if columns is None else columns
    rows: list[list[Any]] = [["run", "folder", "state", "error", *keys, "units"]]
    for record in records:
        values = [value_of(record, key) for key in keys]
        units = "; ".join(f"{name}: {unit}" for name, unit in record.units.items())
        rows.append([record.name, printable(str(record.path)), record.state, why_not_finished(record), *values, units])
    return rows_as_csv(rows)


def groups_as_csv(groups: Sequence[Group], *, metrics: Sequence[str]) -> str:
    """A row per group: its keys, and for each metric the mean, half the interval's width, the
    standard deviation, and the number of runs.
    """
    apart = dict.fromkeys(name for group in groups for name in group.apart if name not in group.values)
    keys = dict.fromkeys(key for group in groups for key in group.values)
    estimates = [f"{metric}.{part}" for metric in metrics for part in _parts(None)]
    rows: list[list[Any]] = [[*apart, *keys, "runs", "left_out", *estimates]]
    for group in groups:
        numbers = [number for metric in metrics for number in _parts(group.estimate(metric)).values()]
        names = [group.apart.get(name) for name in apart]
        rows.append([*names, *group.values.values(), len(group.records), group.left_out, *numbers])
    return rows_as_csv(rows)


def rows_as_csv(rows: Sequence[Sequence[Any]]) -> str:
    """Rows of plain values, the first of them the head, with all digits of the numbers."""
    content = io.StringIO()
    csv.writer(content, lineterminator="\n").writerows([_cell(value) for value in row] for row in rows)
    return content.getvalue()


def _cell(value: Any) -> str:
    """All digits of a number; a text that no spreadsheet runs."""
    if value is None or value == "":
        return ""
    if is_number(value):
        return repr(value)
    text = as_typed(value)
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


def as_json(
    ranking: Ranking,
    *,
    columns: Sequence[str] | None = None,
    groups: Sequence[Group] | None = None,
    metrics: Sequence[str] = (),
) -> str:
    """The object of the module's docstring, with the given keys, or all metrics and the settings that differ."""
    keys = all_columns(ranking.records) if columns is None else columns
    content = {
        "runs": [_run(record, keys) for record in ranking.rows],
        "groups": None if groups is None else [_group(group, metrics) for group in groups],
        "rankings": [_ranking(section, metric) for section in ranking.sections if (metric := ranking.metric)],
        "warnings": ranking_warnings(ranking.sections, ranking.metric),
    }
    return json.dumps(content, indent=2, ensure_ascii=True, allow_nan=False, default=str) + "\n"


def _ranking(section: Section, metric: str) -> dict[str, Any]:
    names = [record.name for record in best_first(section.records, metric)]
    return {"metric": metric, "apart": section.apart, "runs": names}


def _run(record: RunRecord, keys: Sequence[str]) -> dict[str, Any]:
    settings = [key for key in keys if key not in record.metrics and key in record.settings]
    return {
        "run": record.name,
        "folder": str(record.path),
        "state": record.state,
        "error": why_not_finished(record) or None,
        "settings": {key: record.settings[key] for key in settings},
        "metrics": {key: record.metrics[key] for key in keys if key in record.metrics},
        "units": record.units,
    }


def _group(group: Group, metrics: Sequence[str]) -> dict[str, Any]:
    found = {metric: group.estimate(metric) for metric in metrics}
    return {
        "apart": group.apart,
        "settings": group.values,
        "runs": [record.name for record in group.records],
        "left_out": group.left_out,
        "metrics": {metric: _parts(each) for metric, each in found.items() if each is not None},
    }


def _parts(found: Estimate | None) -> dict[str, float | None]:
    """A mean, its interval and the deviation by the names that the files use."""
    if found is None:
        return {"mean": None, "half_width": None, "sd": None, "runs": 0}
    return {"mean": found.mean, "half_width": found.half_width, "sd": found.deviation, "runs": found.count}
