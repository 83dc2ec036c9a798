"""How long does it take to read many run folders?

    python scripts/benchmark_compare.py                     # 200 and 5,000 runs
    python scripts/benchmark_compare.py --runs 1000 --epochs 100 --command scripts/compare.py

Makes run folders as large as a real run's in a temporary folder, and times in fresh processes, from the start of
Python: `cold` reads them for the first time, `kept` again, with what the first reading left in a cache of its own.
Without `--command` it is the reading alone, with the last rows of every history and with all; with it, that script on
the folder. The files are in the page cache of the machine in each case.
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
            time.sleep(2.5)  # what has just been written is not kept
            _measure(Path(folder), count, options.command)


def _measure(folder: Path, count: int, script: str | None) -> None:
    if script is not None:
        commands = {Path(script).name: [sys.executable, script, str(folder / "runs")]}
    else:
        commands = {
            name: [sys.executable, "-c", READ.format(history=name == "all rows", count=count), str(folder / "runs")]
            for name in ("last rows", "all rows")
        }
    for name, command in commands.items():
        cache = folder / f"cache of {name}"
        for how in ("cold", "kept"):
            took = _timed(command, {**os.environ, "XDG_CACHE_HOME": str(cache)})
            times = f"{took.seconds:.2f} s ({took.processor:.2f} s of a processor)"
            print(f"{count:6d} runs, {name}, {how}: {times}, {took.megabytes:.0f} MB at the most", flush=True)


class Took(NamedTuple):
    """Of one process, from its start to its end."""

    seconds: float
    processor: float
    """Seconds, which do not depend on the neighbours' load."""
    megabytes: float
    """The peak of its memory."""


def _timed(command: list[str], environment: dict[str, str]) -> Took:
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
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
        (run / "config.yaml").write_text(yaml.dump(_config(number), Dumper=yaml.CSafeDumper, sort_keys=False))
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
