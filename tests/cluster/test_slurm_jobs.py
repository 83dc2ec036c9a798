"""Jobs of a real slurm: its signals, and the environment in which they are submitted."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from autoenc.runs import RunDirectory
from autoenc.sweeps.launchers import Launcher
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
    monkeypatch.setattr("submitit.JobEnvironment.USR_SIG", "USR1")  # as if it were imported after the next line
    monkeypatch.setenv("SUBMITIT_PREEMPT_SIGNAL", "USR1")
    jobs = submitted(tmp_path, "warned", "preempted")
    wait_until(lambda: jobs.ended() == [] and trains(tmp_path / "warned") and trains(tmp_path / "preempted"))
    watching = psutil.Process(RunDirectory(tmp_path / "warned").status()["pid"]).parents()[1]
    others = watching.children(recursive=True)
    assert len(others) >= 3  # multiprocessing's two, and the job
    assert all(blocks(process, signal.SIGUSR1) for process in others)
    warned, preempted = slurm.states()
    slurm.ask("scancel", "--signal=USR1", warned)
    slurm.ask("scancel", "--signal=TERM", preempted)  # as before a preemption with a grace time
    wait_until(lambda: slurm.restarts(warned) == slurm.restarts(preempted) == 1)
    assert training(tmp_path / "warned")  # its first checkpoint
    assert training(tmp_path / "preempted")
    assert jobs.ended() == []


def test_a_job_that_is_warned_before_it_trains_is_queued_again_and_a_cancelled_job_is_not(
    slurm: Slurm, tmp_path: Path
) -> None:
    jobs = submitted(tmp_path, "cancelled", "warned")
    wait_until(lambda: jobs.ended() == [] and (tmp_path / "warned" / "status.json").exists())
    cancelled, warned = slurm.states()
    slurm.ask("scancel", "--signal=USR2", warned)
    wait_until(lambda: slurm.restarts(warned) == 1)
    assert outcome(tmp_path / "warned") in {"interrupted", "running"}  # it may run again
    wait_until(lambda: trains(tmp_path / "cancelled"))
    slurm.ask("scancel", cancelled)
    wait_until(lambda: slurm.states()[cancelled] == "CANCELLED")
    assert outcome(tmp_path / "cancelled") == "interrupted"
    assert training(tmp_path / "cancelled")
    assert slurm.restarts(cancelled) == 0


def test_a_job_is_submitted_with_the_user_s_variables_but_not_those_of_the_job_that_submits_it(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PARTITION": "long", "TIMELIMIT": "7", "SIGNAL": "HUP@1"}.items():
        monkeypatch.setenv(f"SBATCH_{name}", value)
    outer = slurm.ask("srun", "--ntasks=1", "--mem=99", "--job-name=outer", "env").splitlines()
    for name, _, value in (line.partition("=") for line in outer):
        monkeypatch.setenv(name, value)
    assert os.environ["SLURM_JOB_NAME"] == "outer"
    file = tmp_path / "environment"
    setup = [f"env >{file}.part; mv {file}.part {file}; exit"]
    inner = launcher("slurm", sweep=tmp_path, cpus_per_task=2, mem_gb=1, setup=setup)
    inner.submit(task(tmp_path / "a"))
    wait_until(lambda: inner.ended() or file.exists())
    there = dict(line.split("=", 1) for line in file.read_text().splitlines() if line.startswith("S"))
    assert "TimeLimit=04:00:00" in slurm.ask("scontrol", "show", "job", there["SLURM_JOB_ID"])  # hydra.launcher's
    assert there["SLURM_JOB_PARTITION"] == "long"
    assert there["SLURM_CONF"] == str(slurm.configuration)
    assert there["SLURM_MEM_PER_NODE"] == "1024"
    assert "SLURM_STEP_ID" not in there
    assert os.environ["SLURM_JOB_NAME"] == "outer"


def blocks(process: psutil.Process, number: int) -> bool:
    """Whether a process, and each one that it starts, gets no such signal."""
    found = re.search(r"SigBlk:\s+(\w+)", Path(f"/proc/{process.pid}/status").read_text())
    return found is not None and bool(int(found[1], 16) & 1 << number - 1)


def submitted(sweep: Path, *names: str) -> Launcher:
    """A launcher with jobs that take long, and that save only when they are asked."""
    made = launcher("slurm", sweep=sweep, cpus_per_task=1, mem_gb=2)
    for name in names:
        job = task(sweep / name, seconds=0.5)
        training = {**job.config["training"], "checkpoint_every": 1000}
        made.submit(replace(job, config={**job.config, "training": training}))
    return made


def trains(folder: Path) -> bool:
    """Whether the job has begun its first step."""
    return RunDirectory(folder).status().get("phase") == "training"
