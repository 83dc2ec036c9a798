from __future__ import annotations

import multiprocessing
import os
from multiprocessing.synchronize import Event
from pathlib import Path

import psutil
import pytest

from autoenc.runs import RunDirectory, write_atomically
from autoenc.settings import ConfigError


def test_a_new_run_has_a_config_and_says_that_it_runs(tmp_path: Path) -> None:
    run = RunDirectory.begin(tmp_path / "deep" / "run", config={"seed": 1, "noise": {"name": "none"}})
    assert run.config() == {"seed": 1, "noise": {"name": "none"}}
    status = run.status()
    assert status["state"] == "running"
    assert status["finished_at"] is None
    assert status["pid"] == os.getpid()
    assert status["process_started_at"] < status["started_at"]
    assert sorted(path.name for path in run.path.iterdir()) == ["config.json", "config.yaml", "status.json"]


def test_a_run_is_not_begun_over_another(tmp_path: Path) -> None:
    RunDirectory.begin(tmp_path / "run", config={"seed": 1})
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="Not a directory"):
        RunDirectory.begin(tmp_path / "file" / "run", config={})
    with pytest.raises(ConfigError, match="there is a run in this folder"):
        RunDirectory.begin(tmp_path / "run", config={"seed": 2})
    assert RunDirectory(tmp_path / "run").config() == {"seed": 1}


def test_opening_needs_a_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"resume=.*there is no such folder"):
        RunDirectory.open(tmp_path / "nowhere", key="resume")
    with pytest.raises(ConfigError, match=r"rerun=.*config.yaml is missing"):
        RunDirectory.open(tmp_path, key="rerun")


def test_the_end_of_a_run_keeps_its_start(tmp_path: Path) -> None:
    run = RunDirectory.begin(tmp_path / "run", config={})
    started = run.status()["started_at"]
    run.set_state("failed", error={"kind": "raised", "message": "oh"})
    status = run.status()
    assert status["started_at"] == started
    assert status["finished_at"] >= started
    assert status["error"] == {"kind": "raised", "message": "oh"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hydra: {callbacks: {x: {_target_: os.system}}}", "the key 'hydra'"),
        ("defaults: [mine]", "the key 'defaults'"),
        ("seed: ${oc.env:HOME}", "interpolation"),
        ("deep: {list: [1, '${x}']}", "interpolation"),
        ("a: [1", "cannot be read"),
    ],
)
def test_a_config_from_somebody_else_runs_nothing(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        RunDirectory.open(tmp_path, key="rerun").config()
    assert "\n" not in str(caught.value)


def test_a_damaged_status_is_empty(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text("{")
    assert RunDirectory(tmp_path).status() == {}


def test_a_broken_row_matters_only_where_it_is_needed(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.append_metrics({"epoch": 1})
    with (tmp_path / "metrics.jsonl").open("ab") as file:
        file.write(b"\0\0\0\n")
    with pytest.raises(ConfigError, match=r"metrics.jsonl: cannot be read"):
        run.metrics()
    run.truncate_metrics(1)
    assert run.metrics() == [{"epoch": 1}]


def test_metrics_are_appended_and_truncated(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    assert run.metrics() == []
    run.truncate_metrics(0)  # a run without metrics stays one
    assert not (tmp_path / "metrics.jsonl").exists()
    rows = [{"epoch": epoch, "train/loss": 1 / epoch} for epoch in (1, 2, 3)]
    for row in rows:
        run.append_metrics(row)
    assert run.metrics() == rows
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 4, "train/lo')  # the process was killed here
    assert run.metrics() == rows
    run.truncate_metrics(2)
    assert run.metrics() == rows[:2]
    run.append_metrics(rows[2])
    assert run.metrics() == rows


def test_what_is_no_number_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        RunDirectory(tmp_path).append_metrics({"train/loss": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        RunDirectory(tmp_path).write_summary({"x": float("inf")})
    assert RunDirectory(tmp_path).summary() == {}


def test_a_failing_write_keeps_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_only_a_status_flushes_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunDirectory.begin(tmp_path / "run", config={})
    folders: list[Path] = []
    monkeypatch.setattr("autoenc.runs.directory.flush_folder", folders.append)
    flushed = count_calls(monkeypatch, os, "fsync")
    run.write_summary({"x": 1})
    assert (len(flushed), folders) == (1, [])
    run.set_state("finished")
    assert (len(flushed), folders) == (2, [run.path])
    run.set_failed_from_outside({"kind": "killed", "message": "x"})
    assert (len(flushed), folders) == (3, [run.path, run.path])


def count_calls(monkeypatch: pytest.MonkeyPatch, module: object, name: str) -> list[int]:
    """The list that gets the first argument of each further call of the function."""
    function, calls = getattr(module, name), []

    def counted(first: int) -> None:
        calls.append(first)
        function(first)

    monkeypatch.setattr(module, name, counted)
    return calls


def hold(path: Path, held: Event) -> None:
    with RunDirectory(path).locked():
        held.set()
        psutil.Process().suspend()


def test_a_second_process_is_kept_out_until_the_first_is_gone(tmp_path: Path) -> None:
    run = RunDirectory.begin(tmp_path / "run", config={})
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    holder = context.Process(target=hold, args=(run.path, held))
    holder.start()
    try:
        assert held.wait(60)
        with pytest.raises(ConfigError, match=f"process {os.getpid()} on .* is working in this folder"), run.locked():
            pass
    finally:
        holder.kill()  # SIGKILL: the lock has to go with the process
        holder.join()
    (run.path / ".summary.json.123.new").write_text("{")  # left by a killed process
    with run.locked():
        pass
    assert sorted(path.name for path in run.path.iterdir()) == ["config.json", "config.yaml", "status.json"]
