"""What W&B's package writes, read without it: it reads its own files only to upload them."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import psutil

from autoenc.runs import RunDirectory
from autoenc.trackers import TrackedRun, Tracker
from autoenc.trackers.choices import Wandb


class Recorded(NamedTuple):
    """What the file of a run says, each value as it is at the end."""

    run: Any
    """The run's last record."""
    history: dict[int, dict[str, Any]]
    """The values of each step."""
    config: dict[str, Any]
    summary: dict[str, Any]
    exit_code: int


def read(folder: Path) -> Recorded:
    (path,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    run, exit_code = None, -1
    history: dict[int, dict[str, Any]] = {}
    config: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    for record in records(path):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run = record.run
            config |= values(record.run.config.update)
        elif kind == "config":
            config |= values(record.config.update)
        elif kind == "history":
            history[record.history.step.num] = values(record.history.item)
        elif kind == "summary":
            summary |= values(record.summary.update)
        elif kind == "exit":
            exit_code = record.exit.exit_code
    return Recorded(run, history, config, summary, exit_code)


def values(items: Sequence[Any]) -> dict[str, Any]:
    return {item.key or "|".join(item.nested_key): json.loads(item.value_json) for item in items}


def records(path: Path) -> Iterator[Any]:
    """The records of a file in LevelDB's log format: pieces, each after a checksum, its length and its kind."""
    from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]

    content, position, record = path.read_bytes(), 7, b""
    while position + 7 <= len(content):
        rest = 2**15 - position % 2**15  # of the block; a head of seven bytes is not divided
        if rest < 7:
            position += rest
            continue
        _, length, kind = struct.unpack_from("<IHB", content, position)
        record += content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in {1, 4}:  # a whole record, or the last piece of one
            yield Record.FromString(record)
            record = b""


def services() -> list[psutil.Process]:
    """W&B's processes that belong to this one."""
    return [child for child in psutil.Process().children() if child.name().startswith("wandb-core")]


def tracker_of(folder: Path, *, mode: Literal["offline", "online"] = "offline") -> Tracker:
    """The tracker of a run of three epochs."""
    folder.mkdir(parents=True, exist_ok=True)
    training = {"epochs": 3, "patience": None}
    values = {"training": training}
    run = TrackedRun(RunDirectory(folder), "a run", values=values, units={"loss": "nats"}, sending="")
    settings = Wandb(mode=mode, project="autoenc", entity=None)
    settings.require()
    return settings.build(run)
