"""Made-up records of runs."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoenc.runs import RunRecord

CONFIG: dict[str, Any] = {
    "architecture": {"name": "linear", "code_size": 3},
    "loss": {"name": "mse"},
    "dataset": {
        "name": "mnist",
        "validation_fraction": 0.1,
        "split_seed": 0,
        "limit": None,
        "shuffle": True,
        "binarization": "none",
    },
    "noise": {"name": "none"},
    "optimizer": {"name": "adam", "learning_rate": 0.001},
    "evaluation": {"nll_samples": 0},
    "training": {"epochs": 5, "snapshot_every": 5},
    "seed": 0,
    "data_dir": "/data",
}
UNITS = {"mse": "squares", "loss": "squares", "psnr": "decibels", "seconds": "seconds"}


def record(name: str, test: dict[str, float] | None = None, /, **changes: Any) -> RunRecord:
    """A run with these scores on the test split, twice as much on validation, and half on training.

    `changes` are fields of the record, of its summary (`code_size`, `parameters`, `units`, ...), or, with `__` for a
    dot, of its config: `dataset__limit=10`, `architecture__name="conv"`.
    """
    config = copy.deepcopy(changes.pop("config", CONFIG))
    change(config, {key: changes.pop(key) for key in list(changes) if "__" in key or key in config})
    fields = {key: changes.pop(key) for key in list(changes) if key in RunRecord.__dataclass_fields__}
    state = fields.pop("state", "finished")
    return RunRecord(
        **{
            "path": Path("/runs") / name,
            "name": name,
            "label": name,
            "state": state,
            "config": config,
            "summary": {} if test is None else summary(test) | changes,
            "environment": {"device": "cpu", "threads": 1},
            "status": {"host": "here"},
            **fields,
        }
    )


def change(config: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Change values of a config: `{"dataset__limit": 10}`."""
    for key, value in changes.items():
        *groups, last = key.split("__")
        inside = config
        for group in groups:
            inside = inside[group]
        inside[last] = value


def summary(test: Mapping[str, float]) -> dict[str, Any]:
    """Of a run with these scores on the test split."""
    return {
        "test": test,
        "validation": {name: value * 2 for name, value in test.items() if name != "pca_mse"},
        "train": {name: value / 2 for name, value in test.items() if name != "pca_mse"},
        "parameters": 1234,
        "code_size": 3,
        "epochs": 5,
        "best_epoch": 4,
        "seconds": {"training": 61.25, "total": 70.0},
        "images_per_second": 4321.0,
        "device": "cpu",
        "units": dict(UNITS),
    }
