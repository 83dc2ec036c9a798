"""Folders of runs as a training leaves them, without a training."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import yaml

CONFIG: dict[str, Any] = {
    "architecture": {"name": "linear", "code_size": 3},
    "dataset": {"name": "digits"},
    "training": {"epochs": 5, "patience": None},
    "seed": 0,
}
SUMMARY = {
    "test": {"mse": 0.25, "loss": 0.5},
    "validation": None,
    "train": {"mse": 0.125},
    "parameters": 10,
    "code_size": 3,
    "best_epoch": None,
    "epochs": 5,
    "seconds": {"total": 75.0, "training": 70.0},
    "images_per_second": 1000.0,
    "device": "cpu",
    "units": {"mse": "squares"},
}


def status(state: str = "finished", **changes: Any) -> dict[str, Any]:
    """Of this process."""
    process = psutil.Process()
    return {
        "state": state,
        "started_at": "2026-01-31T12:00:00+00:00",
        "finished_at": None if state == "running" else "2026-01-31T12:01:15+00:00",
        "host": socket.gethostname(),
        "pid": process.pid,
        "process_started_at": datetime.fromtimestamp(process.create_time(), UTC).isoformat(),
        "error": None,
        **changes,
    }


def row(epoch: int, **changes: Any) -> dict[str, Any]:
    """Of `metrics.jsonl`."""
    return {"epoch": epoch, "train/loss": 1 / epoch, "validation/loss": 2 / epoch, "seconds": 10.0, **changes}


def make_run(
    folder: Path,
    *,
    state: str = "finished",
    config: dict[str, Any] | None = None,
    epochs: int = 5,
    summary: dict[str, Any] | None = None,
    environment: dict[str, Any] | None = None,
    **changes: Any,
) -> Path:
    """A run in this state; `changes` are of its status."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG if config is None else config))
    (folder / "status.json").write_text(json.dumps(status(state, **changes)))
    (folder / "environment.json").write_text(json.dumps(environment or {"device": "cpu"}))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row(epoch + 1)) + "\n" for epoch in range(epochs)))
    if state == "finished":
        (folder / "summary.json").write_text(json.dumps(SUMMARY if summary is None else summary))
    return folder


def make_sweep(folder: Path, jobs: dict[str, Any]) -> Path:
    """The file of a sweep, without its jobs."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sweep.json").write_text(json.dumps({"jobs": jobs, "comparison": {}}))
    return folder
