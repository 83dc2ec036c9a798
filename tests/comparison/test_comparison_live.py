"""The table of runs that go on, and what is read for it again and again."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from rich.console import Console
from rich.table import Table

from autoenc.comparison.live import live_table, remarks, rows_that_fit
from autoenc.runs import RunRecord, process_lives
from autoenc.runs.reading import Watch, read_runs, runs, watch
from autoenc.runs.reading import contents as contents_module
from autoenc.settings import ConfigError
from tests.comparison.run_folders import CONFIG, SUMMARY, make_run, make_sweep, row, status

NOW = datetime(2026, 1, 31, 12, 10, 0, tzinfo=UTC)


def record(state: str = "running", *, label: str = "linear", **changes: Any) -> RunRecord:
    began = {"started_at": "2026-01-31T12:05:00+00:00", "process_started_at": "2026-01-31T12:04:00+00:00"}
    values: dict[str, Any] = {
        "path": Path("/sweep") / label,
        "name": label,
        "label": label,
        "state": state,
        "config": CONFIG,
        "history": (row(1), row(2)),
        "status": status(state, **began) if state != "waiting" else {},
        "changed_at": NOW - timedelta(seconds=4),
    }
    return RunRecord(**{**values, **changes})


def text(table: Table, *, width: int = 300) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def cells(each: RunRecord, *others: RunRecord) -> dict[str, str]:
    """The first row, by column."""
    table = live_table([each, *others], now=NOW)
    return {str(column.header): str(next(iter(column.cells))) for column in table.columns}


def test_a_run_that_goes_on_is_told_in_a_row() -> None:
    assert cells(record()) == {
        "run": "linear",
        "state": "running",
        "epoch": "2/5",
        "train loss": "0.5",
        "validation loss": "1",
        "taken": "5:00",
        "left": "0:26",  # three epochs of ten seconds, four of which have passed
    }


def test_time_left_is_at_most_what_early_stopping_leaves() -> None:
    patient = record(config={**CONFIG, "training": {"epochs": 1000, "patience": 3}})
    assert cells(patient)["left"] == "≤ 2:46:16"
    assert "≤: it may stop early" in text(live_table([patient], now=NOW))
    assert "≤" not in text(live_table([record()], now=NOW))
    ages_ago = record(changed_at=NOW - timedelta(hours=5))
    assert cells(ages_ago)["left"] == "0:20"  # the epoch under way is late; two are to come
    assert cells(record(changed_at=NOW + timedelta(hours=5)))["left"] == "0:30"
    assert "left" not in cells(record(history=()))
    assert "left" not in cells(record(config={}))
    last = record(history=(row(5),))
    assert cells(last)["left"] == "0:00"


def test_time_left_goes_by_the_usual_epoch() -> None:
    slow_start = (row(1, seconds=500.0), *(row(epoch, seconds=1.0) for epoch in (2, 3)), row(4, seconds=None))
    assert cells(record(history=slow_start, changed_at=NOW))["left"] == "0:01"


@pytest.mark.parametrize(
    ("state", "changes", "expected"),
    [
        ("finished", {"summary": SUMMARY}, {"state": "finished", "taken": "1:15"}),
        ("interrupted", {}, {"state": "interrupted", "taken": "0:00"}),
        (
            "failed",
            {"error_kind": "out_of_memory", "error_message": "no room\x1b[2J"},
            {"state": "failed: out of memory", "": "no room\\x1b[2J"},
        ),
        ("dead", {}, {"state": "dead", "": "its process is gone; last changed 0:04 ago", "taken": "4:56"}),
        ("unreadable", {"problems": ("config.yaml is missing.",)}, {"": "config.yaml is missing."}),
        ("waiting", {"history": (), "changed_at": None}, {"state": "waiting", "taken": None, "epoch": None}),
    ],
)
def test_every_state_is_told(state: str, changes: dict[str, Any], expected: dict[str, str | None]) -> None:
    if state == "dead":
        changes = {"status": status("running", started_at="2026-01-31T12:05:00+00:00", process_started_at=None)}
    found = cells(record(state, **changes))
    assert {name: found.get(name) for name in expected} == expected
    assert "left" not in found


def test_a_run_on_another_machine_says_where_and_when_it_changed() -> None:
    elsewhere = record(status=status("running", host="far\x1b[31m"), changed_at=NOW - timedelta(days=2, hours=1))
    assert cells(elsewhere)[""] == "on far\\x1b[31m, last changed 2 d 01:00:00 ago"
    assert cells(replace(elsewhere, changed_at=None))[""].endswith("no sign of life")
    assert "" not in cells(record())


def test_the_device_is_told_where_it_differs() -> None:
    on_cpu = record("finished", summary=SUMMARY)
    on_gpu = record(environment={"device": "cuda (NVIDIA H200)"})
    assert "device" not in cells(on_cpu, on_cpu)
    assert cells(on_gpu, on_cpu)["device"] == "cuda (NVIDIA H200)"


def test_states_are_told_by_word_and_colour() -> None:
    table = live_table([record(), record("failed")], now=NOW)
    styles = [cell.style for cell in table.columns[1].cells]  # type: ignore[union-attr]
    assert styles == ["cyan", "bold red"]


def test_labels_are_no_markup() -> None:
    assert "[red]x[/red]" in text(live_table([record(label="[red]x[/red]")], now=NOW))
    assert "hidden [256,64]" in text(live_table([record(label="hidden [256,64]")], now=NOW))


def test_of_more_than_fit_those_are_shown_that_run_or_failed() -> None:
    records = [record("finished", label=f"done {number}") for number in range(90)]
    records += [record("waiting", label=f"waits {number}") for number in range(7)]
    records += [record("failed", label="broken"), record("running", label="busy"), record("dead", label="gone")]
    table = live_table(records, now=NOW, most_rows=4)
    assert [str(cell) for cell in table.columns[0].cells] == ["busy", "broken", "gone", "waits 0"]
    printed = text(table)
    assert "100 runs: 1 running, 1 failed, 1 dead, 7 waiting, 90 finished" in printed
    assert "not shown: 6 waiting, 90 finished" in printed
    whole = live_table(records, now=NOW, most_rows=100)
    assert [str(cell) for cell in whole.columns[0].cells][:2] == ["done 0", "done 1"]
    assert "not shown" not in text(whole)
    height = 30
    console = Console(file=io.StringIO(), width=200, height=height)
    shown = text(live_table(records, now=NOW, most_rows=rows_that_fit(console)))
    assert height - 5 < len(shown.splitlines()) < height


def test_no_run_is_said_too() -> None:
    assert "no run" in text(live_table([], now=NOW))
    assert "1 run: 1 running" in text(live_table([record()], now=NOW))


def test_odd_numbers_are_survived() -> None:
    odd = ({**row(1), "seconds": 1e308, "train/loss": "x"}, {**row(2), "epoch": "x", "seconds": -5, "train/loss": True})
    found = cells(record(history=odd, config={**CONFIG, "training": {"epochs": 2**62, "patience": None}}))
    assert "train loss" not in found
    assert found["left"].endswith(":40")


def test_a_process_is_known_by_its_number_and_its_start() -> None:
    assert process_lives(status("running")) is not False
    assert process_lives(status("running", process_started_at="2020-01-01T00:00:00+00:00")) is False
    start = datetime.fromtimestamp(psutil.Process().create_time(), UTC)
    assert process_lives(status("running", process_started_at=(start + timedelta(seconds=3)).isoformat())) is not False
    assert process_lives(status("running", process_started_at=(start - timedelta(seconds=30)).isoformat())) is False
    elsewhere = status("running", host="elsewhere", process_started_at="2020-01-01T00:00:00+00:00")
    assert process_lives(elsewhere) is not False


def test_a_process_that_has_ended_is_gone_also_where_nobody_has_fetched_it() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    of_it = psutil.Process(process.pid)
    said = {
        "host": socket.gethostname(),
        "pid": process.pid,
        "process_started_at": datetime.fromtimestamp(of_it.create_time(), UTC).isoformat(),
    }
    assert process_lives(said) is not False
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert of_it.status() == psutil.STATUS_ZOMBIE
    assert process_lives(said) is False
    process.communicate()
    assert process_lives(said) is False


def test_what_runs_and_is_gone_is_read_as_dead(tmp_path: Path) -> None:
    make_run(tmp_path / "lives", state="running")
    make_run(tmp_path / "dead", state="running", process_started_at="2020-01-01T00:00:00+00:00")
    make_run(tmp_path / "far", state="running", host="elsewhere", pid=1)
    make_run(tmp_path / "failed", state="failed", process_started_at="2020-01-01T00:00:00+00:00")
    states = {each.name: each.state for each in read_runs([tmp_path], cache=None)}
    assert states == {"lives": "running", "dead": "dead", "far": "running", "failed": "failed"}


def test_a_watch_sees_every_change_and_reads_only_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def read(folder: str, found: contents_module.Stamps) -> contents_module.Contents:
        opened.append(Path(folder).name)
        return contents_module.read(folder, found)

    monkeypatch.setattr(runs, "read", read)
    monkeypatch.setattr(contents_module, "SETTLED", -1)
    monkeypatch.setattr(watch, "SHARE", 1e9)
    sweep = make_sweep(tmp_path / "sweep", {"0": "a", "1": "b"})
    run = make_run(sweep / "0", state="running", epochs=1)
    watched = Watch([sweep], cache=None)
    assert [(each.label, each.state, len(each.history)) for each in watched.refresh()] == [
        ("a", "running", 1),
        ("b", "waiting", 0),
    ]
    watched.refresh()
    assert opened == ["0"]
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(row(2)) + "\n")
    make_run(sweep / "1", state="running")  # a job that waited is seen at once
    assert [(each.label, each.state, len(each.history)) for each in watched.refresh()] == [
        ("a", "running", 2),
        ("b", "running", 5),
    ]
    assert opened == ["0", "0", "1"]
    (run / "status.json").write_text(json.dumps(status("finished")))
    (run / "summary.json").write_text(json.dumps(SUMMARY))
    assert [each.state for each in watched.refresh()] == ["finished", "running"]


def test_a_watch_reads_again_what_changes_just_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two changes within one tick of the clock may look like one."""
    run = make_run(tmp_path / "run", state="running")
    monkeypatch.setattr(watch, "SHARE", 1e9)
    found = contents_module.stamps(str(run))
    monkeypatch.setattr(runs, "stamps", lambda folder: found)
    watched = Watch([run], cache=None)
    watched.refresh()
    (run / "status.json").write_text(json.dumps(status("failed")))
    assert [each.state for each in watched.refresh()] == ["failed"]


def test_a_watch_of_very_much_reads_it_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]

    def read(folder: str, found: contents_module.Stamps) -> contents_module.Contents:
        clock[0] += 0.1
        return contents_module.read(folder, found)

    monkeypatch.setattr(runs, "read", read)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    run = make_run(tmp_path / "run", state="running")
    watched = Watch([tmp_path], cache=None)
    watched.refresh()
    (run / "status.json").write_text(json.dumps(status("failed")))
    clock[0] += 0.1 / watch.SHARE - 0.01
    watched._next_look = 1000.0
    assert [each.state for each in watched.refresh()] == ["running"]
    clock[0] += 0.02
    assert [each.state for each in watched.refresh()] == ["failed"]


def test_a_watch_looks_for_new_folders_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    make_run(tmp_path / "runs" / "0")
    watched = Watch([tmp_path / "runs"], cache=None)
    assert len(watched.refresh()) == 1
    make_run(tmp_path / "runs" / "1")
    assert len(watched.refresh()) == 1
    clock[0] += watch.SHORTEST_PAUSE
    assert len(watched.refresh()) == 2
    with pytest.raises(ConfigError, match="there is no such folder"):
        Watch([tmp_path / "nowhere"], cache=None).refresh()


def test_epochs_of_endless_seconds_have_a_time_left() -> None:
    rows = [row(5, seconds=1.7e308), row(5, seconds=1.7e308)]
    assert cells(record(history=rows))["left"] == "0:00"


def test_a_narrow_terminal_gets_whole_columns(tmp_path: Path) -> None:
    runs = [record(label=f"a convolution with a long name, learning rate 0.001, seed {seed}") for seed in range(3)]
    runs.append(record("failed", error_kind="raised", error_message="words" * 40))
    for width in (60, 80, 120):
        shown = text(live_table(runs, now=NOW, width=width), width=width)
        rows = [line for line in shown.splitlines() if "seed" in line]
        assert len(rows) == 3
        for seed, line in enumerate(rows):
            assert f"seed {seed}" in line
            assert "running" in line
            assert len(line) <= width
        assert "words" not in shown
    assert remarks(runs, now=NOW, most=5) == [f"{runs[-1].label}: {'words' * 40}"]
    assert remarks([runs[-1]] * 3, now=NOW, most=2)[-1] == "... and 1 more such lines"
