"""Several jobs of a sweep in one slurm job."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import replace
from pathlib import Path

import pytest

from autoenc.runs import RunDirectory
from autoenc.sweeps.plan import JobTask
from tests.cluster.real_slurm import Slurm
from tests.sweeps.tasks import ends, launcher, outcome, task, training, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("faulty"),
    pytest.mark.skipif(importlib.util.find_spec("submitit") is None, reason="submitit is not installed"),
]

PAIRS = {"jobs_per_task": 2, "cpus_per_task": 1, "mem_gb": 2}


def test_a_group_is_saved_continued_and_found_again(slurm: Slurm, tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    failing, running, waiting = tasks = [
        replace(task(sweep / "fails", "raise"), replaces=True),
        replace(endless(sweep / "runs"), replaces=True),
        task(sweep / "waits"),
    ]
    first = launcher("slurm", **PAIRS)
    for job in tasks:
        first.submit(job)
    wait_until(lambda: first.ended() == [] and outcome(sweep / "fails") == "raised" and training(sweep / "runs"))
    failed = RunDirectory(sweep / "fails").status()
    wait_until(lambda: first.ended() == [] and list(slurm.states().values()) == ["RUNNING", "PENDING"])
    group, last = slurm.states()
    assert requested(slurm, group) == ("2", "4G")
    assert requested(slurm, last) == ("1", "2G")

    slurm.ask("scancel", "--signal=USR2", group)
    wait_until(lambda: first.ended() == [] and outcome(sweep / "runs") == "interrupted")
    wait_until(lambda: first.ended() == [] and "Continuing after step" in (sweep / "runs" / "train.log").read_text())
    assert RunDirectory(sweep / "fails").status() == failed

    second = launcher("slurm", **PAIRS)
    for job in (running, waiting):
        second.submit(job)
    assert second.ended() == []
    assert list(slurm.states()) == [group, last]
    second.submit(failing)  # the group that it failed in has not ended
    assert second.ended() == []
    assert len(slurm.states()) == 3
    second.stop()
    assert ends(second, count=3) == ["fails", "runs", "waits"]
    assert outcome(sweep / "runs") == "interrupted"
    assert not (sweep / "waits").exists()


def endless(folder: Path) -> JobTask:
    """A job that does not end by itself."""
    job = task(folder, seconds=0.1)
    return replace(job, config={**job.config, "training": {**job.config["training"], "epochs": 10_000}})


def requested(slurm: Slurm, number: str) -> tuple[str, str]:
    """The CPUs and the memory that a slurm job has asked for."""
    shown = slurm.ask("scontrol", "show", "job", number)
    found = re.search(r"TRES=cpu=(\d+),mem=(\w+)", shown)
    assert found is not None, shown
    return found[1], found[2]
