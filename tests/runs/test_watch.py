"""Running runs are read again and again, and a dead process is noticed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from autoenc.runs import Watch, find_runs, process_lives, read_runs, reading
from autoenc.settings import ConfigError
from tests.comparison.run_folders import SUMMARY, make_run, make_sweep, row, status


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the folders whose files are read; files of any age are remembered, and folders always searched."""
    names: list[str] = []

    def read(folder: str, found: reading.Stamps, **options: Any) -> reading.Contents:
        names.append(Path(folder).name)
        return reading.read_contents(folder, found, **options)

    monkeypatch.setattr(find_runs, "read_contents", read)
    monkeypatch.setattr(find_runs, "SETTLED", -1.0)
    monkeypatch.setattr(find_runs, "SHARE", 1e9)
    return names


def test_a_process_is_known_by_number_start_and_host() -> None:
    start = datetime.fromtimestamp(psutil.Process().create_time(), UTC)
    assert process_lives(status("running")) is True
    assert process_lives(status("running", process_started_at=(start + timedelta(seconds=3)).isoformat())) is True
    assert process_lives(status("running", process_started_at=(start - timedelta(seconds=30)).isoformat())) is False
    assert process_lives(status("running", host="elsewhere")) is None
    assert process_lives(status("running", process_started_at="2026-01-31T12:00:00")) is None  # without a time zone
    assert process_lives(status("running", pid=2**40)) is None


def test_a_zombie_is_dead() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    of_it = psutil.Process(process.pid)
    said = {
        "host": socket.gethostname(),
        "pid": process.pid,
        "process_started_at": datetime.fromtimestamp(of_it.create_time(), UTC).isoformat(),
    }
    try:
        assert process_lives(said) is True
    finally:
        process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert of_it.status() == psutil.STATUS_ZOMBIE
    assert process_lives(said) is False
    process.communicate()
    assert process_lives(said) is False


def test_a_running_run_without_its_process_is_dead(tmp_path: Path) -> None:
    make_run(tmp_path / "lives", state="running")
    make_run(tmp_path / "dead", state="running", process_started_at="2020-01-01T00:00:00+00:00")
    make_run(tmp_path / "far", state="running", host="elsewhere", pid=1)
    make_run(tmp_path / "failed", state="failed", process_started_at="2020-01-01T00:00:00+00:00")
    states = {each.name: each.state for each in read_runs([tmp_path])}
    assert states == {"lives": "running", "dead": "dead", "far": "running", "failed": "failed"}


def test_a_watch_reads_only_what_has_changed(tmp_path: Path, opened: list[str]) -> None:
    sweep = make_sweep(tmp_path / "sweep", {"0": "a", "1": "b"})
    run = make_run(sweep / "0", state="running", epochs=1)
    watch = Watch([sweep])
    assert [(each.label, each.state, len(each.history)) for each in watch.refresh()] == [
        ("a", "running", 1),
        ("b", "waiting", 0),
    ]
    watch.refresh()
    assert opened == ["0"]
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(row(2)) + "\n")
    make_run(sweep / "1", state="running")  # a job that was waiting is seen at once
    assert [(each.label, each.state, len(each.history)) for each in watch.refresh()] == [
        ("a", "running", 2),
        ("b", "running", 5),
    ]
    assert opened == ["0", "0", "1"]
    (run / "status.json").write_text(json.dumps(status("finished")))
    (run / "summary.json").write_text(json.dumps(SUMMARY))
    assert [each.state for each in watch.refresh()] == ["finished", "running"]


def test_a_file_that_changes_just_now_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: list[str]
) -> None:
    """Two changes within one tick of the clock may look like one."""
    run = make_run(tmp_path / "run", state="running")
    monkeypatch.setattr(find_runs, "SETTLED", 1e9)
    found = reading.stamps(str(run))
    monkeypatch.setattr(find_runs, "stamps", lambda folder: found)
    watch = Watch([run])
    watch.refresh()
    (run / "status.json").write_text(json.dumps(status("failed")))
    assert [each.state for each in watch.refresh()] == ["failed"]
    assert opened == ["run", "run"]


def test_a_watch_reads_for_a_small_share_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]

    def read(folder: str, found: reading.Stamps, **options: Any) -> reading.Contents:
        clock[0] += 0.1
        return reading.read_contents(folder, found, **options)

    monkeypatch.setattr(find_runs, "read_contents", read)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    run = make_run(tmp_path / "run", state="running")
    watch = Watch([run])
    watch.refresh()
    (run / "status.json").write_text(json.dumps(status("failed")))
    clock[0] += 0.1 / find_runs.SHARE - 0.01
    assert [each.state for each in watch.refresh()] == ["running"]
    clock[0] += 0.02
    assert [each.state for each in watch.refresh()] == ["failed"]


def test_a_watch_refuses_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such folder"):
        Watch([tmp_path / "nowhere"]).refresh()
