"""Jobs for launchers, made without a command line."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
import yaml

from autoenc.run_directory import RunDirectory
from autoenc.sweeps.launchers import Launcher
from autoenc.sweeps.task import JobTask
from tests.conftest import REPOSITORY
from tests.sweeps.faulty import Fault, noise

LIMIT = 60.0
"""Seconds that nothing here may take."""

TIMED_OUT_AFTER = 6.0
"""The job timeout of the tests: a job that behaves ends within it on a busy machine, or not much of a machine it is."""


def values(**changes: Any) -> dict[str, Any]:
    """The resolved config of a run of a second; a group given by a dict is replaced."""
    conf = REPOSITORY / "conf"
    top = yaml.safe_load((conf / "config.yaml").read_text())
    groups = {"architecture": "linear", "bottleneck": "plain", "loss": "mse", "dataset": "digits", "noise": "none"}
    groups |= {"optimizer": "adam", "schedule": "constant", "device": "cpu"}
    config = {key: yaml.safe_load((conf / key / f"{name}.yaml").read_text()) for key, name in groups.items()}
    config |= {key: top[key] for key in ("seed", "data_dir", "figures", "evaluation", "training")}
    config |= {"data_dir": "/nonexistent", "figures": []}  # each picture takes a second
    config["architecture"]["code_size"] = 3
    config["dataset"]["limit"] = 100
    config["training"] |= {"epochs": 2, "batch_size": 16, "checkpoint_every": 1}
    return {**config, **changes}


def task(folder: Path, fault: Fault = "none", *, seconds: float = 0.0, timeout: float | None = None) -> JobTask:
    """A job that goes wrong so after some steps, each of which takes so long."""
    return JobTask(
        folder=str(folder),
        config=values(noise=noise(fault, after=6, seconds=seconds)),
        hydra={"overrides.yaml": "[]\n"},
        logging={
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"file": {"class": "logging.FileHandler", "filename": str(folder / "train.log")}},
            "root": {"level": "INFO", "handlers": ["file"]},
        },
        timeout=timeout,
    )


def run_all(launcher: Launcher, tasks: Sequence[JobTask]) -> list[str]:
    """Have a launcher run them as a sweep does; the names of the jobs in the order in which they ended."""
    waiting, running, ended = list(tasks), 0, []
    deadline = time.monotonic() + LIMIT
    while waiting or running:
        assert time.monotonic() < deadline, ended
        while waiting and running < launcher.slots:
            launcher.submit(waiting.pop(0))
            running += 1
        over = launcher.ended()
        running -= len(over)
        ended += [Path(job.folder).name for job in over]
        time.sleep(0.05)
    return ended


def outcome(folder: Path) -> str:
    """How a job ended: its state, or the kind of its error."""
    status = RunDirectory(folder).status()
    return str(status["error"]["kind"] if status.get("error") else status.get("state"))


def wait_until(condition: Callable[[], object], *, seconds: float = LIMIT) -> None:
    """Wait, but not for ever."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, condition
        time.sleep(0.05)


def training(folder: Path) -> bool:
    """Whether a job has left a checkpoint."""
    return (folder / "checkpoints" / "last" / "manifest.json").exists()


def processes_with(marker: str) -> list[str]:
    """The living processes of this machine that have a text in their environment or command line."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.pid != psutil.Process().pid:
                words = [*process.cmdline(), *process.environ().values()]
                if any(marker in word for word in words):
                    found.append(f"{process.pid} {' '.join(process.cmdline())[:80]}")
        except psutil.Error:
            continue
    return found
