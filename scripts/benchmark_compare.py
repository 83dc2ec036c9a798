"""Measure the time to read many run folders.

    python scripts/benchmark_compare.py                     # 200 and 5,000 runs
    python scripts/benchmark_compare.py --runs 1000 --epochs 100 --command scripts/compare.py

Makes run folders as large as a real run's in a temporary folder and times fresh processes, from the start of Python:
reading with the last rows of every history, with all rows, and of old folders without `config.json`. With `--command`,
it times that script on the folder instead. The files are in the machine's page cache in each case.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from autoenc.runs.reading import config_as_json

READ = (
    "import sys, resource; from pathlib import Path; from autoenc.runs import read_runs; "
    "assert len(read_runs([Path(sys.argv[1])], history={history})) == {count}; "
    "assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules"
)


def main() -> None:
    """Measure, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, nargs="+", default=[200, 5000])
    parser.add_argument("--epochs", type=int, default=20, help="rows of each run's metrics")
    parser.add_argument("--command", help="a script that takes a folder")
    options = parser.parse_args()
    for count in options.runs:
        with tempfile.TemporaryDirectory() as folder:
            _make_runs(Path(folder) / "runs", count, epochs=options.epochs)
            _measure(Path(folder), count, options.command)


def _measure(folder: Path, count: int, script: str | None) -> None:
    runs = str(folder / "runs")
    if script is not None:
        _report(f"{count:6d} runs, {Path(script).name}", [sys.executable, script, runs])
        return
    for name in ("last rows", "all rows", "last rows of old folders"):
        if name.endswith("old folders"):
            for path in Path(runs).glob("*/*/config.json"):
                path.unlink()
        read = READ.format(history=name == "all rows", count=count)
        _report(f"{count:6d} runs, {name}", [sys.executable, "-c", read, runs])


def _report(name: str, command: list[str]) -> None:
    took = _timed(command)
    times = f"{took.seconds:.2f} s ({took.processor:.2f} s of a processor)"
    print(f"{name}: {times}, {took.megabytes:.0f} MB at the most", flush=True)


class Took(NamedTuple):
    """Time and memory of a process, from start to end."""

    seconds: float
    processor: float
    """Processor seconds, which depend little on other load."""
    megabytes: float
    """Peak memory."""


def _timed(command: list[str]) -> Took:
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed")
    megabytes = usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1024)
    return Took(seconds, usage.ru_utime + usage.ru_stime, megabytes)


def _make_runs(folder: Path, count: int, *, epochs: int) -> None:
    """Folders like those of `train.py -m`, in sweeps of a hundred."""
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


if __name__ == "__main__":
    main()
