"""Jobs of a real slurm: its signals, and the environment in which they are submitted."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import replace
from pathlib import Path

import pytest

from autoenc.runs import RunDirectory
from autoenc.sweeps.launchers import Launcher
from autoenc.sweeps.plan import JobTask
from tests.cluster.real_slurm import Slurm
from tests.sweeps.tasks import launcher, outcome, task, training, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("faulty"),
    pytest.mark.skipif(importlib.util.find_spec("submitit") is None, reason="submitit is not installed"),
]


def test_a_warned_job_and_a_preempted_job_are_saved_and_queued_again(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUBMITIT_PREEMPT_SIGNAL", "USR1")
    monkeypatch.setattr("submitit.JobEnvironment.USR_SIG", "USR1")  # as if it were imported now
    jobs = submitted(tmp_path / "warned", tmp_path / "preempted")
    wait_until(lambda: jobs.ended() == [] and steps(tmp_path / "warned") and steps(tmp_path / "preempted"))
    slurm.ask("scancel", "--signal=USR1", "1")
    slurm.ask("scancel", "--signal=TERM", "2")  # as before a preemption with a grace time
    wait_until(lambda: slurm.states() == {"1": "PENDING", "2": "PENDING"})
    for name in ("warned", "preempted"):
        assert outcome(tmp_path / name) == "interrupted"
        assert training(tmp_path / name)  # its first checkpoint
    assert jobs.ended() == []


def test_a_job_that_is_warned_before_it_trains_is_queued_again_and_a_cancelled_job_is_not(
    slurm: Slurm, tmp_path: Path
) -> None:
    jobs = submitted(tmp_path / "cancelled", tmp_path / "warned")
    wait_until(lambda: jobs.ended() == [] and (tmp_path / "warned" / "status.json").exists())
    slurm.ask("scancel", "--signal=USR2", "2")
    wait_until(lambda: slurm.states()["2"] == "PENDING")
    assert outcome(tmp_path / "warned") == "interrupted"
    wait_until(lambda: steps(tmp_path / "cancelled"))
    slurm.ask("scancel", "1")
    wait_until(lambda: slurm.states()["1"] == "CANCELLED")
    assert outcome(tmp_path / "cancelled") == "interrupted"
    assert training(tmp_path / "cancelled")


def test_a_job_is_submitted_with_the_user_s_variables_but_not_those_of_the_job_that_submits_it(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SBATCH_PARTITION", "long")
    outer = slurm.ask("srun", "--ntasks=1", "--mem=99", "--job-name=outer", "env").splitlines()
    for name, _, value in (line.partition("=") for line in outer):
        monkeypatch.setenv(name, value)
    assert os.environ["SLURM_JOB_NAME"] == "outer"
    file = tmp_path / "environment"
    inner = launcher("slurm", cpus_per_task=2, mem_gb=1, setup=[f"env >{file}.part; mv {file}.part {file}; exit"])
    inner.submit(task(tmp_path / "sweep" / "a"))
    wait_until(lambda: inner.ended() or file.exists())
    there = dict(line.split("=", 1) for line in file.read_text().splitlines() if line.startswith("S"))
    assert there["SLURM_JOB_PARTITION"] == "long"
    assert there["SLURM_CONF"] == str(slurm.configuration)
    assert there["SLURM_MEM_PER_NODE"] == "1024"
    assert "SLURM_STEP_ID" not in there
    assert os.environ["SLURM_JOB_NAME"] == "outer"


def submitted(*folders: Path) -> Launcher:
    """A launcher to which jobs were submitted that take long and save only when they are asked."""
    made = launcher("slurm", cpus_per_task=1, mem_gb=2)
    for folder in folders:
        made.submit(_slow(folder))
    return made


def steps(folder: Path) -> bool:
    """Whether the job trains."""
    return RunDirectory(folder).status().get("phase") == "training"


def _slow(folder: Path) -> JobTask:
    job = task(folder, seconds=0.5)
    return replace(job, config={**job.config, "training": {**job.config["training"], "checkpoint_every": 1000}})
