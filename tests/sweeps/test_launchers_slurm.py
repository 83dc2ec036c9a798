"""Jobs by submitit's own executor for one machine, with the processes that a slurm job has."""

from __future__ import annotations

import contextlib
import importlib.util
import signal
import sys
from dataclasses import replace
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import psutil
import pytest

from autoenc.runs import RunDirectory
from autoenc.settings import ConfigError
from autoenc.sweeps.launchers import supervision
from autoenc.sweeps.launchers.supervision import RemoteJob, SubmititJob
from autoenc.sweeps.plan import JobTask
from tests.sweeps.tasks import (
    check_that_each_job_ends_in_its_own_way,
    check_that_each_job_has_a_gpu,
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

HERE: dict[str, Any] = {"cluster": "local", "cpus_per_task": 1, "n_jobs": 2}


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


def test_jobs_of_a_group_get_gpus_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_gpus(monkeypatch, "4,7")
    pairs = launcher("slurm", **HERE, gpus_per_node=2, jobs_per_task=2)
    check_that_each_job_has_a_gpu(pairs, tmp_path, threads=1)


@pytest.mark.parametrize("expected", ["None", "timed_out", "killed"])
def test_the_handler_of_a_signal_waits_for_nothing(
    expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would wait forever for a lock that the interrupted code holds."""
    from submitit.core.utils import UncompletedJobError

    refusals = {
        "timed_out": UncompletedJobError("timed-out too many times"),
        "killed": CalledProcessError(1, "scontrol"),
    }
    refusal = refusals.get(expected)
    events = []

    class Watching:
        def __init__(self, *tasks: JobTask) -> None:
            self.stop = lambda: events.append("stop")
            self.start = lambda: events.append("start")

        def wait(self, seconds: float | None = None) -> bool:
            assert "wait" not in events, events
            events.append("wait")
            signal.raise_signal(signal.SIGUSR2)
            events.append("waited")
            return True

    def requeue(number: int, frame: object) -> None:  # as submitit does
        events.append("requeue" if job.checkpoint() is not None else "not requeued")
        if refusal is not None:
            raise refusal

    monkeypatch.setattr(supervision, "Supervisor", Watching)
    job = SubmititJob([RemoteJob(task(tmp_path / "a"))], submitter=None, stop=tmp_path / "stop")
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        signal.signal(signal.SIGUSR2, requeue)
        with pytest.raises(SystemExit) if refusal is None else contextlib.nullcontext():
            job()
    finally:
        for number in numbers:
            signal.signal(number, before[number])
    assert events == ["start", "wait", "stop", "waited", "requeue"]
    assert outcome(tmp_path / "a") == expected


def test_what_cannot_work_is_refused_in_advance(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_gpus(monkeypatch, "4")
    monkeypatch.setenv("PATH", "/nonexistent")
    for changes, message in (
        ({"cluster": "slurm"}, r"hydra\.launcher\.cluster=slurm: this machine has no slurm"),
        (
            {"additional_parameters": {"job-name": "x"}},
            r"hydra\.launcher\.additional_parameters\.job-name=x: the sweep",
        ),
        ({**HERE, "jobs_per_task": 65}, r"hydra\.launcher\.jobs_per_task=65: it must be a whole number from 1 to 64"),
        ({**HERE, "gpus_per_node": 2}, r"hydra\.launcher\.gpus_per_node=2: this machine has 1"),
        ({**HERE, "timeout_min": 1}, r"hydra\.launcher\.timeout_min=1: it must be a whole number of at least 2"),
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
