"""Jobs for launchers, made without a command line."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Collection, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
import yaml

from autoenc.runs import RunDirectory
from autoenc.sweeps.launchers import LAUNCHERS, Launcher, LauncherSettings
from autoenc.sweeps.plan import JobTask
from tests.composed import composed_values
from tests.conftest import REPOSITORY, TINY
from tests.sweeps.faulty import Fault, noise

LIMIT = 240.0
"""Seconds that only a hang takes."""

COMMAND_LINE = ("scripts/train.py", "-m", "seed=0,1")

FAULTS: dict[Fault, str] = {
    "none": "finished",
    "raise": "raised",
    "exit": "killed",
    "kill": "killed",
    "memory": "out_of_memory",
    "hang": "timed_out",
}
"""The state or the kind of error that each fault leads to."""


def values(**changes: Any) -> dict[str, Any]:
    """The resolved config of a run of a second; a group given by a dict is replaced."""
    return {**deepcopy(_values()), **changes}


@functools.cache
def _values() -> dict[str, Any]:
    training = ["training.epochs=2", "training.batch_size=16", "training.checkpoint_every=1"]
    others = ["noise=none", "device.threads=null", "data_dir=/nonexistent"]
    return composed_values(*TINY, *training, *others)


def task(folder: Path, fault: Fault = "none", *, seconds: float = 0.0, timeout: float | None = None) -> JobTask:
    """A job that goes wrong after six steps of `seconds` each."""
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
        command_line=COMMAND_LINE,
    )


def run_all(launcher: Launcher, tasks: Sequence[JobTask]) -> list[str]:
    """Run tasks as a sweep does; returns the names of the jobs in the order in which they ended."""
    waiting, running = list(tasks), 0
    ended: list[str] = []
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


def wait_until(condition: Callable[[], object]) -> None:
    """Wait, but not forever."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, condition
        time.sleep(0.05)


def ends(launcher: Launcher, *, count: int = 1) -> list[str]:
    """Wait until so many jobs have ended; returns their names."""
    ended: list[str] = []
    wait_until(lambda: len(ended.__iadd__(Path(job.folder).name for job in launcher.ended())) >= count)
    return sorted(ended)


def launcher(name: str, *, sweep: Any = None, **changes: object) -> Launcher:
    """A launcher with the settings of its YAML, except for the changes; `sweep` is the path of the sweep's folder."""
    return launcher_settings(name, **changes).build(sweep or Path(tempfile.mkdtemp()))


def launcher_settings(name: str, **changes: object) -> LauncherSettings:
    """The settings of its YAML, except for the changes."""
    given = yaml.safe_load((REPOSITORY / "conf" / "hydra" / "launcher" / f"{name}.yaml").read_text())
    return LAUNCHERS.parse({**given, **changes})


def check_that_each_job_ends_in_its_own_way(
    launcher: Launcher, folder: Path, *, faults: Sequence[Fault] = tuple(FAULTS)
) -> None:
    """Run one job for each fault; the hanging one has a time limit."""
    tasks = [task(folder / fault, fault, timeout=30.0 if fault == "hang" else None) for fault in faults]
    assert sorted(run_all(launcher, tasks)) == sorted(faults)
    assert {fault: outcome(folder / fault) for fault in faults} == {fault: FAULTS[fault] for fault in faults}
    for fault in faults:
        status = RunDirectory(folder / fault).status()
        assert status["finished_at"] >= status["started_at"]
        assert (status["error"] is None) == (fault == "none")
    if "hang" in faults:
        assert "in _go_wrong" in (folder / "hang" / "train.log").read_text()  # where it hung


def check_that_stopped_jobs_are_saved(
    launcher: Launcher, folder: Path, *, running: Sequence[str] = ("a", "b"), waiting: Sequence[str] = ()
) -> None:
    """Stop jobs that run and jobs that wait."""
    tasks = [task(folder / name, seconds=0.2) for name in running]
    for job in [*tasks, *(task(folder / name) for name in waiting)]:
        launcher.submit(job)
    wait_until(lambda: launcher.ended() == [] and all(training(Path(job.folder)) for job in tasks))
    launcher.stop()
    assert ends(launcher, count=len(running) + len(waiting)) == [*running, *waiting]
    assert {outcome(Path(job.folder)) for job in tasks} == {"interrupted"}
    assert not any((folder / name).exists() for name in waiting)


def check_that_a_job_ended_at_once_does_not_save(launcher: Launcher, folder: Path) -> None:
    """Stop a hanging job, and do not wait for it."""
    launcher.submit(task(folder / "a", "hang"))
    wait_until(lambda: training(folder / "a"))
    launcher.stop()
    launcher.stop(at_once=True)
    ends(launcher)
    assert outcome(folder / "a") == "killed"
    assert "Fatal Python error" not in (folder / "a" / "train.log").read_text()  # of a job that was given time


def pretend_gpus(monkeypatch: pytest.MonkeyPatch, names: str) -> None:
    """Pretend that this machine has GPUs, named as in `CUDA_VISIBLE_DEVICES`."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", names)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(names.split(",")))


def check_that_each_job_has_a_gpu(launcher: Launcher, folder: Path, *, threads: int) -> None:
    """Run two jobs at once on a machine with the GPUs 4 and 7."""
    for name in ("a", "b"):
        launcher.submit(task(folder / name, "tell", seconds=0.2))
    ends(launcher, count=2)
    messages = [RunDirectory(folder / name).status()["error"]["message"] for name in ("a", "b")]
    assert all(message.startswith("in the plugin autoenc_faulty (") for message in messages)
    told = {message.partition("RuntimeError: ")[2] for message in messages}
    assert told == {f"GPUs {gpu}, {threads} threads" for gpu in (4, 7)}


def check_that_nothing_outlives(
    name: str, folder: Path, *, jobs: Sequence[str] = ("a", "b"), **changes: object
) -> None:
    """Kill a process with a launcher and its running jobs: the jobs save, and all processes end."""
    marker = f"marker-{uuid.uuid4()}"
    settings = json.dumps({"launcher": name, "jobs": jobs, **changes})
    command = [sys.executable, "-m", "tests.sweeps.tasks", settings, str(folder)]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            command, env={**os.environ, "AUTOENC_TEST": marker}, stdout=output, stderr=output, cwd=REPOSITORY
        )
    try:
        wait_until(lambda: process.poll() is not None or all(training(folder / job) for job in jobs))
        assert process.poll() is None, (folder / "output").read_text()
        assert len(processes_with(marker)) > len(jobs)
        process.kill()
        process.wait()
        wait_until(lambda: not processes_with(marker))
    finally:
        process.kill()
        process.wait()
        end_processes(marker)
    assert {outcome(folder / job) for job in jobs} == {"interrupted"}


def training(folder: Path) -> bool:
    """Whether a job has left a checkpoint."""
    return (folder / "checkpoints" / "last" / "manifest.json").exists()


def processes_with(marker: str) -> list[str]:
    """The living processes of this machine that have a text in their environment or command line."""
    return [str(process.pid) for process in _processes_with(marker)]


def end_processes(marker: str, *, keep: Collection[int | None] = ()) -> None:
    """Kill what a test has left behind."""
    for process in _processes_with(marker):
        if process.pid not in keep:
            with contextlib.suppress(psutil.Error):
                process.kill()


def _processes_with(marker: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.pid != psutil.Process().pid:
                words = [*process.cmdline(), *process.environ().values()]
                if any(marker in word for word in words):
                    found.append(process)
        except psutil.Error:
            continue
    return found


def _run_until_killed(settings: str, folder: Path) -> None:
    """The process that `check_that_nothing_outlives` kills."""
    changes = json.loads(settings)
    jobs = changes.pop("jobs")
    made = launcher(changes.pop("launcher"), **changes)
    run_all(made, [task(folder / job, seconds=1.0) for job in jobs])


if __name__ == "__main__":
    _run_until_killed(sys.argv[1], Path(sys.argv[2]))
