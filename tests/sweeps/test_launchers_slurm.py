"""Jobs by submitit's own executor for one machine, with the processes that a slurm job has."""

from __future__ import annotations

import importlib.util
import signal
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from autoenc.runs import RunDirectory
from autoenc.settings import ConfigError
from tests.sweeps.tasks import (
    check_that_each_job_ends_in_its_own_way,
    check_that_nothing_outlives,
    check_that_stopped_jobs_are_saved,
    ends,
    launcher,
    launcher_settings,
    outcome,
    pretend_gpus,
    run_all,
    task,
    training,
    wait_until,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("faulty"),
    pytest.mark.skipif(importlib.util.find_spec("submitit") is None, reason="submitit is not installed"),
]

HERE = {"cluster": "local", "cpus_per_task": 1, "n_jobs": 2}


def test_each_job_ends_in_its_own_way(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    slurm = launcher("slurm", sweep=tmp_path, **HERE)
    check_that_each_job_ends_in_its_own_way(slurm, tmp_path, faults=["none", "kill"])  # each imports torch for seconds
    slurm.close()
    assert not (tmp_path / ".submitit").exists()
    assert capfd.readouterr() == ("", "")


def test_jobs_that_are_stopped_are_saved(tmp_path: Path) -> None:
    check_that_stopped_jobs_are_saved(launcher("slurm", **HERE), tmp_path, running=["a"])


def test_jobs_that_have_not_begun_do_not_begin(tmp_path: Path) -> None:
    slurm = launcher("slurm", **HERE)
    slurm.submit(task(tmp_path / "a"))
    slurm.submit(task(tmp_path / "b"))
    assert slurm.ended() == []  # submits the first
    slurm.stop()
    ends(slurm, count=2)
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()


def test_jobs_end_with_the_process_that_began_them(tmp_path: Path) -> None:
    check_that_nothing_outlives("slurm", tmp_path, jobs=["a"], **HERE)


def test_a_job_goes_on_after_a_preemption_and_after_its_process_is_killed(tmp_path: Path) -> None:
    slurm = launcher("slurm", **HERE, setup=["export CUDA_VISIBLE_DEVICES=9", "true"])
    slurm.submit(replace(task(tmp_path / "a", seconds=0.2), replaces=True))
    wait_until(lambda: slurm.ended() == [] and training(tmp_path / "a"))
    first = psutil.Process(RunDirectory(tmp_path / "a").status()["pid"])
    first.parents()[1].send_signal(signal.SIGUSR2)  # as slurm does
    wait_until(lambda: slurm.ended() == [] and not first.is_running())
    wait_until(lambda: slurm.ended() == [] and _is_training_again(tmp_path / "a", before=first))
    assert not (tmp_path / ".replaced").exists()
    assert "Continuing after step" in (tmp_path / "a" / "train.log").read_text()
    second = psutil.Process(RunDirectory(tmp_path / "a").status()["pid"])
    second.parents()[1].kill()  # what watches it, under submitit's process
    ends(slurm)
    assert RunDirectory(tmp_path / "a").process_lives() is False
    assert outcome(tmp_path / "a") == "killed"
    assert RunDirectory(tmp_path / "a").status()["error"]["message"] == "its process ended without recording why"
    assert run_all(slurm, [task(tmp_path / "a")]) == ["a"]
    assert outcome(tmp_path / "a") == "finished"


def test_missing_resources_are_reported_in_advance(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_gpus(monkeypatch, "4")
    monkeypatch.setenv("PATH", "/nonexistent")
    for changes, message in (
        ({"cluster": "slurm"}, r"hydra\.launcher\.cluster=slurm: this machine has no slurm"),
        ({**HERE, "gpus_per_node": 2}, r"hydra\.launcher\.gpus_per_node=2: this machine has 1"),
        ({**HERE, "partition": "a100"}, r"hydra\.launcher\.partition=a100: it needs slurm"),
    ):
        with pytest.raises(ConfigError, match=rf"^{message}"):
            launcher_settings("slurm", **changes).check()


def test_a_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, package in (("slurm", "submitit"), ("ray", "ray")):
        monkeypatch.setitem(sys.modules, package, None)
        message = rf"^hydra\.launcher={name}: it is not installed; pip install 'autoenc\[{name}\]'$"
        with pytest.raises(ConfigError, match=message):
            launcher_settings(name).check()


def _is_training_again(folder: Path, *, before: psutil.Process) -> bool:
    status = RunDirectory(folder).status()
    log = (folder / "train.log").read_text()
    return status["state"] == "running" and status["pid"] != before.pid and "Continuing after step" in log
