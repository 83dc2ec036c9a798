"""Finished run folders, as large as those of real runs, without training anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from autoenc.runs.reading import config_as_json


def make_runs(folder: Path, count: int, *, epochs: int) -> None:
    """Make folders like those of `train.py -m`, in sweeps of a hundred, with `epochs` rows of metrics."""
    for number in range(count):
        run = folder / f"sweep {number // 100}" / str(number % 100)
        for part in (".hydra", "checkpoints/last", "figures"):
            (run / part).mkdir(parents=True)
        score = 0.01 + number / count
        config = yaml.dump(_config(number), Dumper=yaml.CSafeDumper, sort_keys=False).encode()
        (run / "config.yaml").write_bytes(config)
        (run / "config.json").write_bytes(config_as_json(_config(number), config))
        (run / "status.json").write_text(json.dumps(_STATUS, indent=2))
        (run / "environment.json").write_text(json.dumps(_ENVIRONMENT, indent=2))
        (run / "summary.json").write_text(json.dumps(_summary(score, epochs=epochs), indent=2))
        rows = [{**_ROW, "epoch": epoch + 1, "train/loss": score + 1 / (epoch + 1)} for epoch in range(epochs)]
        (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for sweep in folder.iterdir():
        labels = {run.name: {"label": f"job {run.name}", "overrides": []} for run in sweep.iterdir()}
        (sweep / "sweep.json").write_text(json.dumps({"jobs": labels}))


def _config(number: int) -> dict[str, Any]:
    return {
        "architecture": {
            "name": ("mlp", "conv")[number % 2],
            "code_size": 2 ** (number % 7),
            "hidden": [400, 200],
            "activation": "relu",
            "batch_norm": False,
            "dropout": 0.0,
            "tied": False,
            "code_activation": "identity",
            "output": "sigmoid",
            "initialization": "torch_default",
        },
        "bottleneck": {"name": "plain"},
        "loss": {"name": "bce", "corrupted_weight": 1.0, "kept_weight": 1.0},
        "dataset": {"name": "mnist", "validation_fraction": 0.1, "split_seed": 0, "limit": None, "shuffle": True},
        "noise": {"name": "none"},
        "optimizer": {
            "name": "adam",
            "learning_rate": 0.001 * (1 + number % 3),
            "betas": [0.9, 0.999],
            "epsilon": 1e-8,
        },
        "schedule": {"name": "constant"},
        "device": {"name": "auto", "threads": 1, "precision": "float32", "channels_last": True, "compile": False},
        "seed": number % 5,
        "data_dir": "data",
        "figures": [],
        "evaluation": {"nll_samples": 0},
        "training": {
            "epochs": 20,
            "batch_size": 128,
            "gradient_clip": None,
            "patience": None,
            "checkpoint_every": 1000,
            "snapshot_every": 1,
            "severity_start": 1.0,
            "severity_end": 1.0,
            "severity_epochs": None,
        },
    }


_STATUS = {
    "state": "finished",
    "started_at": "2026-01-31T12:00:00.493152+00:00",
    "finished_at": "2026-01-31T12:03:10.316170+00:00",
    "host": "machine",
    "pid": 12698,
    "process_started_at": "2026-01-31T11:59:59.790000+00:00",
    "error": None,
}
_ENVIRONMENT = {
    "packages": dict.fromkeys(("autoenc", "torch", "torchvision", "hydra-core", "numpy", "safetensors"), "1.2.3"),
    "python": "3.11.7",
    "git": None,
    "device": "cpu",
    "threads": 1,
    "command_line": ["scripts/train.py", "-m", "architecture=mlp,conv", "seed=range(5)"],
}
_ROW = {
    "validation/mse": 0.04,
    "validation/loss": 0.2,
    "learning_rate": 1e-3,
    "seconds": 4.38,
    "images_per_second": 1e4,
}


def _summary(score: float, *, epochs: int) -> dict[str, Any]:
    names = ("mse", "mae", "psnr", "bce", "ssim", "loss")
    scores = {name: score * (number + 1) for number, name in enumerate(names)}
    return {
        **dict.fromkeys(("test", "validation", "train"), scores),
        "parameters": 789986,
        "code_size": 2,
        "best_epoch": epochs,
        "epochs": epochs,
        "seconds": {"total": 190.2, "training": 184.1},
        "images_per_second": 5865.0,
        "device": "cpu",
        "health": {"dead_units": {f"encoder layer {number} (ReLU)": 80 for number in range(4)}, "words": ["dead"] * 4},
        "units": dict.fromkeys(names, "mean over pixels of the squared error, pixels in [0, 1]"),
    }
