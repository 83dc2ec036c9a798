"""Read the folder of any run, ours or a stranger's. All checks of its content are here.

The trust model: a folder may come from anyone, and other modules trust the values that this one returns.

- Nothing is executed or imported. Files become plain values: text, numbers, true, false, null, lists and tables. YAML
  with tags, aliases or several documents is refused.
- Only plain files of limited size and depth are read. Links are not followed, pipes are not waited for.
- Known entries have their type; a wrong one is left out. Numbers are finite and fit into 64 bits. Every file that is
  refused, and every file of which something is left out, is a sentence in `RunRecord.problems`.
- Text is made printable once, here: keys, values, names and labels. No terminal escape or line break passes. HTML is
  escaped by the template of a page.
- Only `RunDirectory.config` and `.tracker` return text exactly as written, because a run is started from it.
- A run that is recorded as running counts as dead if its process is gone, and one that failed as diverged if its loss
  was not finite.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

from autoenc.runs.old_names import with_new_names
from autoenc.runs.plain_values import UnreadableError, clean, parse_json, parse_yaml, read_end, read_file
from autoenc.runs.process import process_lives
from autoenc.runs.record import FACTS, SPLITS, RecordState, RunRecord, State

FILES = ("config.yaml", "status.json", "summary.json", "environment.json", "metrics.jsonl")

LARGEST_CONFIG = 128 * 1024
"""Bytes; a config has about two thousand, and YAML takes long to parse."""
LARGEST_JSON = 1024 * 1024
LARGEST_HISTORY = 16 * 1024 * 1024
RECENT = 16 * 1024
"""Bytes at the end of `metrics.jsonl` that are read if not the whole history is needed: about sixty epochs."""
MOST_ROWS = 20_000

_NUMBER, _TEXT = (int, float), (str,)
_LENGTH = {"epochs": (int,), "patience": (int,)}
_TEXTS_OF_HEALTH = ("subject", "state", "why", "activation")
_SCHEMAS: dict[str, dict[str, Any]] = {
    "status.json": {
        **dict.fromkeys(("state", "phase", "started_at", "finished_at", "process_started_at", "host"), _TEXT),
        "pid": (int,),
        "error": {"kind": _TEXT, "message": _TEXT},
        "training_changes": [
            {"at": _TEXT, "finished_epochs": (int,), "before": _LENGTH, "after": _LENGTH, "results": _TEXT}
        ],
    },
    "summary.json": {
        **{key: {"*": _NUMBER} for key in (*SPLITS, "seconds")},
        **dict.fromkeys(FACTS, _NUMBER),
        "standard_errors": {"*": {"*": _NUMBER}},
        "units": {"*": _TEXT},
        "digests": {"*": _TEXT},
        **{key: {"*": (int,)} for key in ("duplicates", "images")},
        "device": _TEXT,
        "health": {
            "dead_units": {"*": (int,)},
            "findings": [dict.fromkeys(("number", "total"), (int,)) | dict.fromkeys(_TEXTS_OF_HEALTH, _TEXT)],
        },
        "evaluation": {"scores": {"settings": {}}},
    },
    "environment.json": {"device": _TEXT},
    "tracker.json": {"others": [{"*": _TEXT}]},
    "metrics.jsonl": {"*": _NUMBER},
}
"""The types of the entries that other modules rely on; `*` is any other entry. A list holds tables of these types."""


class Contents(NamedTuple):
    """The content of a run's files."""

    tables: dict[str, dict[str, Any]]
    """By file name; a missing file is absent."""
    history: tuple[dict[str, Any], ...]
    problems: tuple[str, ...]
    refused: bool
    """Whether a file is there and cannot be read at all."""


Stamps = tuple[os.stat_result | None, ...]
"""Of each of `FILES`; None if it is missing."""


def stamps(folder: str) -> Stamps:
    """Size and times of a run's files; of a link itself, not of its target."""
    return tuple(_stamp(f"{folder}/{name}") for name in FILES)


def _stamp(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:  # the file may not be looked at; reading it says why
        return os.stat_result((0,) * 10)


def read_contents(folder: str, found: Stamps, *, history: bool) -> Contents:
    """Read the files of a run that are there, with every row of the metrics or only the last ones."""
    tables: dict[str, dict[str, Any]] = {}
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    refused = False
    for name in (name for name, stamp in zip(FILES, found, strict=True) if stamp is not None):
        try:
            if name == "metrics.jsonl":
                rows, faults = _read_history(f"{folder}/{name}", whole=history)
            else:
                tables[name], fault = read_table(folder, name)
                faults = [fault] if fault else []
        except UnreadableError as error:
            tables[name], faults = {}, [str(error)]
            refused = True
        problems += [f"{name} {fault}." for fault in faults]
    return Contents(tables, tuple(rows), tuple(problems), refused)


def belongs_to_a_run(contents: Contents) -> bool:
    """Whether the files are those of a run, and not of another program."""
    if _recorded_state(contents) is not None:
        return True
    config = contents.tables.get("config.yaml", {})
    ours = all(isinstance(config.get(key), Mapping) for key in ("architecture", "dataset", "training"))
    return ours and not {"defaults", "hydra"} & config.keys()  # these two: what Hydra composes a config from


def record_of(contents: Contents, found: Stamps, *, path: str, problem: str | None, **naming: Any) -> RunRecord:
    """The record of a run; `naming` has its `name`, `label` and `sweep`."""
    config, status, summary, environment = (contents.tables.get(name, {}) for name in FILES[:4])
    state, problems = _state(contents)
    problems += [problem] if problem else []
    error = (status.get("error") if state in ("failed", "diverged", "unreadable") else None) or {}
    return RunRecord(
        path=Path(path),
        state=state,
        error_kind=error.get("kind"),
        error_message=error.get("message"),
        config=config,
        summary=summary,
        history=contents.history,
        status=status,
        environment=environment,
        problems=(*contents.problems, *problems),
        changed_at=_newest(found),
        **naming,
    )


def _state(contents: Contents) -> tuple[RecordState, list[str]]:
    """The state of a run, and what is missing: a finished run needs its config and summary to be compared."""
    tables = contents.tables
    state = _recorded_state(contents)
    needed = ["status.json", "config.yaml"] + (["summary.json"] if state == "finished" else [])
    problems = [f"{name} is missing." for name in needed if name not in tables]
    if state is None:
        unknown = ["status.json does not name a state that a run can have."] if tables.get("status.json") else []
        return "unreadable", problems + unknown
    if state == "finished" and not (tables.get("config.yaml") and tables.get("summary.json")):
        return "unreadable", problems
    if state == "running" and process_lives(tables["status.json"]) is False:
        return "dead", problems
    if state == "failed" and (tables["status.json"].get("error") or {}).get("kind") == "not_finite":
        return "diverged", problems
    return state, problems


def _recorded_state(contents: Contents) -> State | None:
    state = contents.tables.get("status.json", {}).get("state")
    return cast(State, state) if state in get_args(State) else None


def _newest(found: Stamps) -> datetime | None:
    try:
        return datetime.fromtimestamp(max(stamp.st_mtime for stamp in found if stamp is not None), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def read_table(folder: str | Path, name: str, *, exact: bool = False) -> tuple[dict[str, Any], str | None]:
    """The values of one of a run's files, and what was left out of them, which can follow the file's name.

    For `config.yaml`, `config.json` is read if it was written with it. With `exact`, text stays as it was written.

    Raises:
        FileNotFoundError: there is no such file.
        UnreadableError: the file is refused.
    """
    path = f"{folder}/{name}"
    if name == "config.yaml":
        value = _config(f"{folder}/config.json", read_file(path, most=LARGEST_CONFIG))
    else:
        value = parse_json(read_file(path, most=LARGEST_JSON))
    return _table(value, name, exact=exact)


def config_as_json(config: Mapping[str, Any], yaml_text: bytes) -> bytes:
    """The content of `config.json`: a copy of `config.yaml` that is parsed thirty times faster.

    It names the SHA-256 of the YAML text. Whoever edits `config.yaml` makes the copy void, in any order of times.
    """
    copy = {"config_yaml_sha256": hashlib.sha256(yaml_text).hexdigest(), "config": dict(config)}
    return json.dumps(copy, ensure_ascii=False, allow_nan=False).encode()


def _config(copy: str, yaml_text: bytes) -> Any:
    with contextlib.suppress(FileNotFoundError, UnreadableError):
        stored = parse_json(read_file(copy, most=LARGEST_CONFIG))
        if isinstance(stored, dict) and stored.get("config_yaml_sha256") == hashlib.sha256(yaml_text).hexdigest():
            return stored.get("config")
    return parse_yaml(yaml_text)


def parse_row(line: bytes) -> tuple[dict[str, Any], str | None]:
    """A row of `metrics.jsonl`, and what was left out; UnreadableError if it is no row."""
    return _table(parse_json(line), "metrics.jsonl")


def _read_history(path: str, *, whole: bool) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows, and what was left out. An unfinished last line is an epoch being written."""
    content, cut = read_end(path, most=LARGEST_HISTORY if whole else RECENT)
    lines = content.rsplit(b"\n", MOST_ROWS + 1)[:-1]
    cut = cut or len(lines) > MOST_ROWS
    lines = lines[1:] if cut else lines
    rows: list[dict[str, Any]] = []
    left_out: set[str] = set()
    for line in lines:
        with contextlib.suppress(UnreadableError):
            row, problem = parse_row(line)
            if row:
                rows.append(row)
                left_out.update([problem] if problem else [])
    faults = ["has very many rows, of which only the last were read"] if cut and whole else []
    if len(rows) < len(lines):
        faults.append(f"has {len(lines) - len(rows)} line(s) that are no row of metrics, which are left out")
    return rows, faults + sorted(left_out)


def _table(value: Any, name: str, *, exact: bool = False) -> tuple[dict[str, Any], str | None]:
    if not isinstance(value, dict):
        return {}, "holds no keys"
    values = with_new_names(clean(value, exact=exact), file=name)
    kept = _typed(values, _SCHEMAS.get(name, {}))
    return kept, None if kept == values else "has entries of the wrong type, which are left out"


def _typed(values: Mapping[str, Any], types: Mapping[str, Any]) -> dict[str, Any]:
    """The entries that have their type, or that no other module relies on. None stands for a missing value."""
    kept: dict[str, Any] = {}
    for key, value in values.items():
        wanted = types.get(key, types.get("*"))
        if isinstance(wanted, dict) and isinstance(value, dict):
            kept[key] = _typed(value, wanted)
        elif isinstance(wanted, list) and isinstance(value, list):
            kept[key] = [_typed(item, wanted[0]) for item in value if isinstance(item, dict)]
        elif wanted is None or value is None or type(value) in wanted:
            kept[key] = value
    return kept
