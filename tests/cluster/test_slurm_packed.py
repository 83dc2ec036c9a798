"""Several jobs of a sweep in one slurm job."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from autoenc.runs import RunDirectory
from autoenc.sweeps.launchers.submission import LARGEST_GROUP, by_hash, hash_of, name_of
from autoenc.sweeps.plan import JobTask
from tests.cluster.real_slurm import Slurm
from tests.sweeps.faulty import noise
from tests.sweeps.tasks import ends, launcher, outcome, task, training, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("faulty"),
    pytest.mark.skipif(importlib.util.find_spec("submitit") is None, reason="submitit is not installed"),
]

PAIRS = {"jobs_per_task": 2, "cpus_per_task": 1, "mem_gb": 2}


def test_a_group_is_saved_continued_and_found_again(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SBATCH_JOB_NAME", "mine")
    sweep, calm = tmp_path / "sweep", tmp_path / "calm"
    calm.touch()
    fails, runs, waits = tasks = [
        endless(sweep / "fails", noise=noise("raise", after=0, unless=calm)),
        endless(sweep / "runs", noise=noise(seconds=0.1)),
        task(sweep / "waits"),
    ]
    first = launcher("slurm", sweep=sweep, **PAIRS)
    for job in tasks:
        first.submit(job)
    wait_until(lambda: first.ended() == [] and training(sweep / "fails") and training(sweep / "runs"))
    parents = {psutil.Process(RunDirectory(sweep / name).status()["pid"]).ppid() for name in ("fails", "runs")}
    assert len(parents) == 1
    group, last = slurm.states()
    assert requested(slurm, group) == ("2", "4G")
    assert requested(slurm, last) == ("1", "2G")

    calm.unlink()
    wait_until(lambda: first.ended() == [] and outcome(sweep / "fails") == "raised")
    failed = RunDirectory(sweep / "fails").status()
    slurm.ask("scontrol", "hold", last)
    slurm.ask("scancel", "--signal=USR2", group)
    wait_until(lambda: first.ended() == [] and outcome(sweep / "runs") == "interrupted")
    wait_until(lambda: first.ended() == [] and "Continuing after step" in (sweep / "runs" / "train.log").read_text())
    assert RunDirectory(sweep / "fails").status() == failed
    assert not (sweep / ".replaced").exists()

    second = launcher("slurm", sweep=sweep, **PAIRS)
    for job in (runs, waits):
        second.submit(job)
    assert second.ended() == []
    assert list(slurm.states()) == [group, last]
    second.submit(fails)  # its group has not ended
    assert second.ended() == []
    assert len(slurm.states()) == 3
    second.stop()
    assert ends(second, count=3) == ["fails", "runs", "waits"]
    assert outcome(sweep / "runs") == "interrupted"
    assert not (sweep / "waits").exists()


def test_the_name_of_a_slurm_job_identifies_each_job_of_the_largest_group(tmp_path: Path) -> None:
    group = [task(tmp_path / f"{'long' * 50}-seed_{seed}") for seed in range(LARGEST_GROUP)]
    names = {name_of(group): 1, name_of([task(tmp_path / "a.b")]): 2, "someone's": 3}
    assert max(map(len, names)) <= 1024  # slurm's limit
    jobs = by_hash(names)
    assert [jobs[hash_of(job)] for job in group] == [1] * LARGEST_GROUP
    assert len(jobs) == LARGEST_GROUP + 1


def endless(folder: Path, *, noise: dict[str, object]) -> JobTask:
    """A job that does not end by itself, and that starts from the beginning."""
    job = task(folder)
    config = {**job.config, "noise": noise, "training": {**job.config["training"], "epochs": 100_000}}
    return replace(job, config=config, replaces=True)


def requested(slurm: Slurm, number: str) -> tuple[str, str]:
    """The CPUs and the memory that a slurm job has asked for."""
    shown = slurm.ask("scontrol", "show", "job", number)
    found = re.search(r"TRES=cpu=(\d+),mem=(\w+)", shown)
    assert found is not None, shown
    return found[1], found[2]
