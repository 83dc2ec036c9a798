"""A job's process when something goes wrong."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from autoenc.command_line import main
from autoenc.runs import RunDirectory
from autoenc.sweeps.attempt import Attempt
from autoenc.sweeps.plan import STARTED, Job, JobTask
from autoenc.sweeps.sweep_display import SweepDisplay
from autoenc.sweeps.worker import work
from tests.conftest import TINY
from tests.sweeps.faulty import Installed
from tests.sweeps.tasks import COMMAND_LINE, outcome, task, training, values, wait_until


def _work_after_ctrl_c(job: JobTask) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.kill(os.getpid(), signal.SIGINT)
    work(job)


def test_a_job_waits_while_another_process_trains_in_its_folder(tmp_path: Path, faulty: Installed) -> None:
    run = RunDirectory.begin(tmp_path / "job", config=task(tmp_path / "job").config)
    before = run.status()
    attempt = Attempt(task(tmp_path / "job"))
    with run.locked():
        attempt.start()
        assert not attempt.poll()
        assert run.status() == before
    wait_until(attempt.poll)
    assert outcome(run.path) == "finished"


@pytest.mark.parametrize("terminal", [False, True])
def test_a_job_reports_once_and_names_the_command_of_the_sweep(
    tmp_path: Path, faulty: Installed, capfd: pytest.CaptureFixture[str], terminal: bool
) -> None:
    job = task(tmp_path / "job")
    if terminal:  # as in Hydra's own job_logging
        handler = {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}
        logging = {**job.logging, "handlers": {**job.logging["handlers"], "console": handler}}
        job = replace(job, logging={**logging, "root": {"level": "INFO", "handlers": ["console", "file"]}})
    attempt = Attempt(job)
    attempt.start()
    wait_until(attempt.poll)
    lines = (tmp_path / "job" / "train.log").read_text().splitlines()
    for expected in ("  mse     ", "Open: ", f"Run again: python {COMMAND_LINE[0]} rerun="):
        assert [expected in line for line in lines].count(True) == 1, expected
    assert json.loads((tmp_path / "job" / "environment.json").read_text())["command_line"] == list(COMMAND_LINE)
    assert capfd.readouterr() == ("", "")


def test_a_job_gets_the_command_line_of_its_sweep(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["scripts/train.py", *TINY, "-m", "sweep.name=s", "training.epochs=1", "seed=1"]
    monkeypatch.setattr(sys, "argv", command)
    assert main(command[1:]) == 0
    (environment,) = Path("outputs/sweeps/s").glob("*-*/environment.json")
    assert json.loads(environment.read_text())["command_line"] == command
    log = environment.with_name("train.log").read_text()
    assert f"Run again: python scripts/train.py rerun={environment.parent}" in log


def test_the_display_repeats_a_warning_once_and_leaves_the_closing_report_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    display = SweepDisplay(tmp_path)
    for name in ("a", "b"):
        job = task(tmp_path / name)
        RunDirectory.begin(tmp_path / name, config=job.config).set_state("finished")
        lines = [
            f"2026-01-31 12:00:00,000 WARNING autoenc.{text}\n"
            for text in ("trackers.tracker: no answer", "experiment.closing_report: worse than PCA")
        ]
        (tmp_path / name / "train.log").write_text("".join(lines))
        display.ended(Job(identity=name, overrides=(), folder=tmp_path / name, task=job))
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == ["a: no answer"]


def test_the_display_logs_each_change_of_a_launcher_s_states_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("autoenc.sweeps.sweep_display.REFRESH_SECONDS", 0.0)
    caplog.set_level("INFO")
    display = SweepDisplay(tmp_path)
    queued = dict.fromkeys((str(tmp_path / name) for name in "abcde"), "queued")
    waiting = {**queued, str(tmp_path / "b"): "waiting: Priority"}
    for states in ({}, queued, queued, waiting, {**waiting, str(tmp_path / "a"): STARTED}, waiting):
        display.look(lambda states=states: states)  # type: ignore[misc]
    lines = ["a, b, c and 2 more: queued", "b: waiting: Priority", "a: started", "a: queued"]
    assert [record.message for record in caplog.records] == lines


def test_a_job_that_waits_for_another_process_can_be_stopped(tmp_path: Path, faulty: Installed) -> None:
    run = RunDirectory.begin(tmp_path / "job", config=task(tmp_path / "job").config)
    attempt = Attempt(task(tmp_path / "job"))
    with run.locked():
        attempt.start()
        attempt.stop()
        assert attempt.poll()
    assert outcome(run.path) == "running"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no masks of signals")
def test_a_ctrl_c_before_a_job_has_left_the_terminal_is_the_sweep_s(tmp_path: Path) -> None:
    job = replace(task(tmp_path / "job"), config=values())
    RunDirectory.begin(tmp_path / "job", config=job.config)
    process = multiprocessing.get_context("spawn").Process(target=_work_after_ctrl_c, args=(job,))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert outcome(tmp_path / "job") == "finished"


def test_the_end_is_recorded_over_a_damaged_status(tmp_path: Path, faulty: Installed) -> None:
    attempt = Attempt(task(tmp_path / "job", seconds=0.2))
    attempt.start()
    wait_until(lambda: training(tmp_path / "job"))
    pid = RunDirectory(tmp_path / "job").status()["pid"]
    (tmp_path / "job" / "status.json").write_text("{")
    os.kill(pid, signal.SIGKILL)
    wait_until(attempt.poll)
    assert outcome(tmp_path / "job") == "killed"


def test_a_job_that_is_saving_is_not_ended_by_its_time_limit(tmp_path: Path, faulty: Installed) -> None:
    attempt = Attempt(task(tmp_path / "job", seconds=0.2, timeout=600.0))
    attempt.start()
    wait_until(lambda: training(tmp_path / "job") or attempt.poll())
    attempt.stop()
    attempt._deadline = time.monotonic()  # its time is up while it saves
    wait_until(attempt.poll)
    assert outcome(tmp_path / "job") == "interrupted"


def test_a_process_that_cannot_be_started_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Context:
        @staticmethod
        def get_start_method() -> str:
            return "spawn"

        @staticmethod
        def Process(**_: object) -> None:  # noqa: N802
            raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("autoenc.sweeps.attempt._context", Context)
    attempt = Attempt(task(tmp_path / "job"))
    attempt.start()
    assert attempt.poll()
    assert outcome(tmp_path / "job") == "killed"
    assert "could not be started" in RunDirectory(tmp_path / "job").status()["error"]["message"]


def test_a_continued_job_takes_ignored_settings_from_the_command(tmp_path: Path, faulty: Installed) -> None:
    moved = task(tmp_path / "job")
    there = {
        **moved.config,
        "data_dir": "/elsewhere",
        "training": {**moved.config["training"], "checkpoint_every": 77},
        "device": {**moved.config["device"], "threads": 1},
    }
    RunDirectory.begin(tmp_path / "job", config=there).set_state("interrupted")
    attempt = Attempt(moved)
    attempt.start()
    wait_until(attempt.poll)
    now = RunDirectory(tmp_path / "job").config()
    assert now["data_dir"] == moved.config["data_dir"]
    assert now["training"] == moved.config["training"]
    assert now["device"] == there["device"]


# The last test, since the process that jobs are forked from takes seconds to start.
def test_a_process_that_dies_with_its_parent_is_noticed(tmp_path: Path, faulty: Installed) -> None:
    attempt = Attempt(task(tmp_path / "job", seconds=0.2))
    attempt.start()
    assert attempt._process is not None
    process = psutil.Process(attempt._process.pid)
    server = process.parent()
    assert server is not None
    process.suspend()  # before it has written its own number down, most likely
    server.kill()
    process.kill()
    wait_until(attempt.poll)
    assert outcome(tmp_path / "job") == "killed"
    multiprocessing.forkserver._forkserver._stop()  # type: ignore[attr-defined]
