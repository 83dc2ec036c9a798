"""Jobs on this machine: each ends in its own way, and affects no other."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from multiprocessing import forkserver
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from autoenc.runs import RunDirectory
from autoenc.sweeps import attempt
from autoenc.sweeps.launchers import local
from autoenc.sweeps.plan import JobTask
from tests.sweeps.tasks import (
    LIMIT,
    check_that_a_job_ended_at_once_does_not_save,
    check_that_each_job_ends_in_its_own_way,
    check_that_each_job_has_a_gpu,
    check_that_nothing_outlives,
    check_that_stopped_jobs_are_saved,
    launcher,
    outcome,
    pretend_gpus,
    run_all,
    task,
    training,
    wait_until,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("faulty")]


def test_each_job_ends_in_its_own_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "HANGING_SECONDS", 1.0)
    monkeypatch.setattr(attempt, "DUMPING_SECONDS", 1.0)
    check_that_each_job_ends_in_its_own_way(launcher("joblib", n_jobs=2), tmp_path)


def test_stopped_jobs_continue_from_their_checkpoints(tmp_path: Path) -> None:
    check_that_stopped_jobs_are_saved(launcher("joblib", n_jobs=2), tmp_path)
    steps = (tmp_path / "a" / "train.log").read_text().count("epoch ")
    assert run_all(launcher("basic"), [task(tmp_path / "a")]) == ["a"]
    assert outcome(tmp_path / "a") == "finished"
    assert "Continuing after step" in (tmp_path / "a" / "train.log").read_text()
    assert len(RunDirectory(tmp_path / "a").metrics()) == 2 >= steps


def test_jobs_end_with_the_process_that_began_them(tmp_path: Path) -> None:
    check_that_nothing_outlives("joblib", tmp_path, n_jobs=2)


def test_a_job_that_is_stopped_before_it_begins_is_interrupted(tmp_path: Path) -> None:
    basic = launcher("basic")
    basic.submit(task(tmp_path / "a"))
    basic.stop()
    wait_until(basic.ended)
    assert outcome(tmp_path / "a") == "interrupted"


def test_a_job_that_is_ended_at_once_does_not_save(tmp_path: Path) -> None:
    check_that_a_job_ended_at_once_does_not_save(launcher("basic"), tmp_path)


def test_a_folder_that_cannot_be_made_fails_only_its_job(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    basic = launcher("basic")
    assert run_all(basic, [task(tmp_path / "file" / "a"), task(tmp_path / "b")]) == ["a", "b"]
    assert outcome(tmp_path / "b") == "finished"


def test_gpus_are_dealt_out_and_threads_divided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_gpus(monkeypatch, "4,7")
    monkeypatch.setattr("autoenc.sweeps.launchers.local.cores_here", lambda: 6)
    joblib = launcher("joblib")
    assert joblib.slots == 2
    check_that_each_job_has_a_gpu(joblib, tmp_path, threads=3)


def test_a_config_that_names_a_gpu_sees_them_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_gpus(monkeypatch, "4,7")
    job = task(tmp_path / "a", "tell")
    config = {**job.config, "device": {**job.config["device"], "index": 1}}
    started: list[JobTask] = []
    monkeypatch.setattr(local, "Attempt", lambda task: SimpleNamespace(start=lambda: started.append(task)))
    joblib = launcher("joblib", n_jobs=2)
    joblib.submit(replace(job, config=config))
    joblib.submit(job)
    assert [task.environment["CUDA_VISIBLE_DEVICES"] for task in started] == ["4,7", "7"]


def test_the_end_of_a_job_ends_the_wait_for_it(tmp_path: Path) -> None:
    basic = launcher("basic")
    basic.submit(task(tmp_path / "a"))
    began = time.monotonic()
    basic.wait(LIMIT)
    assert time.monotonic() - began < LIMIT
    assert [Path(job.folder).name for job in basic.ended()] == ["a"]


# The last test, since the process that jobs are forked from takes seconds to start.
def test_jobs_outlive_the_process_that_they_are_forked_from(tmp_path: Path) -> None:
    """The system may kill any process when there is no memory left."""
    basic = launcher("basic")
    basic.submit(task(tmp_path / "a", seconds=0.1))
    wait_until(lambda: training(tmp_path / "a"))
    parent = psutil.Process(RunDirectory(tmp_path / "a").status()["pid"]).ppid()
    assert parent == forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    os.kill(parent, signal.SIGKILL)
    assert basic.ended() == []
    (lost,) = basic._running.values()  # type: ignore[attr-defined]
    wait_until(lambda: lost.sentinel is None)  # the old one would end every wait at once
    wait_until(basic.ended)
    assert outcome(tmp_path / "a") == "finished"
    assert run_all(basic, [task(tmp_path / "b")]) == ["b"]
    assert outcome(tmp_path / "b") == "finished"
