"""The table of runs and their progress."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from autoenc.comparison.live_table import live_table, remarks, rows_that_fit
from autoenc.runs import RunRecord
from tests.comparison.printed import printed
from tests.comparison.run_folders import CONFIG, SUMMARY, row, status

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
        "sweep": Path("/sweep"),
    }
    return RunRecord(**{**values, **changes})


def cells(each: RunRecord, *others: RunRecord) -> dict[str, str]:
    """The first row, by column."""
    table = live_table([each, *others], now=NOW)
    return {str(column.header): str(next(iter(column.cells))) for column in table.columns}


def test_a_running_run_is_a_row() -> None:
    assert cells(record()) == {
        "run": "linear",
        "state": "running",
        "epoch": "2/5",
        "train loss": "0.5",
        "validation loss": "1",
        "taken": "5:00",
        "left": "0:26",  # three epochs of ten seconds, four of which have passed
    }


def test_early_stopping_makes_the_time_left_an_upper_bound() -> None:
    patient = record(config={**CONFIG, "training": {"epochs": 1000, "patience": 3}})
    assert cells(patient)["left"] == "≤ 2:46:16"
    assert "≤: it may stop early" in printed(live_table([patient], now=NOW))
    assert "≤" not in printed(live_table([record()], now=NOW))
    ages_ago = record(changed_at=NOW - timedelta(hours=5))
    assert cells(ages_ago)["left"] == "0:20"  # the epoch under way is late; two are to come
    assert "left" not in cells(record(history=()))
    assert "left" not in cells(record(config={}))


def test_the_time_left_is_by_the_median_epoch() -> None:
    slow_start = (row(1, seconds=500.0), *(row(epoch, seconds=1.0) for epoch in (2, 3)), row(4, seconds=None))
    assert cells(record(history=slow_start, changed_at=NOW))["left"] == "0:01"
    assert "left" not in cells(record(history=[row(5, seconds=1.7e308)] * 2))  # its last epoch is over


def finished(*, seconds: float, training: float, **changes: Any) -> RunRecord:
    """A run that took `seconds`, `training` of them for its training."""
    end = NOW - timedelta(minutes=1)
    began = (end - timedelta(seconds=seconds)).isoformat()
    times = {"started_at": began, "process_started_at": began, "finished_at": end.isoformat()}
    summary = {**SUMMARY, "seconds": {"training": training, "total": seconds - 5.0}}
    return record("finished", summary=summary, status=status("finished", **times), **changes)


def in_phase(phase: str, **changes: Any) -> RunRecord:
    began = {"started_at": "2026-01-31T12:05:00+00:00", "process_started_at": "2026-01-31T12:04:00+00:00"}
    return record(status=status("running", phase=phase, **began), **changes)


def test_evaluation_and_drawing_are_states_with_a_time_left() -> None:
    done = [finished(seconds=100.0 + more, training=70.0) for more in (-5.0, 0.0, 40.0)]  # 30 s after the training
    assert cells(in_phase("training"))["state"] == "running"
    assert cells(in_phase("training"), *done)["left"] == "0:56"  # 26 s of epochs, and 30 s
    history = tuple(row(epoch) for epoch in range(1, 6))
    evaluating = cells(in_phase("evaluating", history=history), *done)
    assert (evaluating["state"], evaluating["left"]) == ("evaluating", "0:26")
    scored = in_phase("drawing", history=history, summary={**SUMMARY, "seconds": {"evaluation": 12.0, "total": 82.0}})
    drawing = cells(scored, *done)
    assert (drawing["state"], drawing["left"]) == ("drawing pictures", "0:14")
    assert drawing["taken"] == "5:00"  # and not the total of the summary, which is written before the pictures
    assert "left" not in cells(scored)  # not known, and not 0:00
    late = cells(replace(scored, changed_at=NOW - timedelta(minutes=5)), *done)
    assert "left" not in late
    assert cells(replace(scored, state="dead"))["state"] == "dead"
    assert cells(done[1])["taken"] == "1:40"  # with the pictures, which the total of the summary leaves out


def test_a_run_that_is_in_no_sweep_says_what_it_trains() -> None:
    single = record(label="2026-01-31/12-00-00", sweep=None)
    assert cells(single)["run"] == "linear autoencoder, code size 3, on 8x8 digits (2026-01-31/12-00-00)"
    assert cells(replace(single, config={}))["run"] == "2026-01-31/12-00-00"


@pytest.mark.parametrize(
    ("state", "changes", "expected"),
    [
        ("finished", {"summary": SUMMARY}, {"state": "finished", "taken": "1:15"}),
        ("interrupted", {}, {"state": "interrupted", "taken": "0:00"}),
        (
            "failed",
            {"error_kind": "out_of_memory", "error_message": "no room"},
            {"state": "failed: out of memory", "": "no room"},
        ),
        (
            "diverged",
            {"error_kind": "not_finite", "error_message": "loss"},
            {"state": "diverged", "": "loss"},
        ),
        ("dead", {}, {"state": "dead", "": "its process is gone; last changed 0:04 ago", "taken": "4:56"}),
        ("unreadable", {"problems": ("config.yaml is missing.",)}, {"": "config.yaml is missing."}),
        ("waiting", {"history": (), "changed_at": None}, {"state": "waiting", "taken": None, "epoch": None}),
    ],
)
def test_every_state_has_a_row(state: str, changes: dict[str, Any], expected: dict[str, str | None]) -> None:
    if state == "dead":
        changes = {"status": status("running", started_at="2026-01-31T12:05:00+00:00", process_started_at=None)}
    found = cells(record(state, **changes))
    assert {name: found.get(name) for name in expected} == expected
    assert "left" not in found


def test_a_queued_job_shows_why_it_waits() -> None:
    saved = record("interrupted")
    table = live_table([saved, record(label="conv")], now=NOW, why_waiting={str(saved.path): "requeued: Resources"})
    assert list(table.columns[1].cells) == [Text("requeued: Resources"), Text("running")]


def test_a_run_on_another_machine_has_its_host_and_last_change() -> None:
    elsewhere = record(status=status("running", host="far"), changed_at=NOW - timedelta(days=2, hours=1))
    assert cells(elsewhere)[""] == "on far, last changed 2 d 01:00:00 ago"
    assert cells(replace(elsewhere, changed_at=None))[""].endswith("no sign of life")
    assert "" not in cells(record())


def test_the_device_is_shown_if_it_differs() -> None:
    on_cpu = record("finished", summary=SUMMARY)
    on_gpu = record(environment={"device": "cuda (NVIDIA H200)"})
    assert "device" not in cells(on_cpu, on_cpu)
    assert "device" not in cells(on_cpu, record("waiting", environment={}))
    assert cells(on_gpu, on_cpu)["device"] == "cuda (NVIDIA H200)"


def test_states_have_colours() -> None:
    table = live_table([record(), record("failed")], now=NOW)
    styles = [cell.style for cell in table.columns[1].cells]  # type: ignore[union-attr]
    assert styles == ["cyan", "bold red"]


def test_labels_are_not_markup() -> None:
    assert "[red]x[/red]" in printed(live_table([record(label="[red]x[/red]")], now=NOW))


def test_running_and_failed_runs_are_shown_first() -> None:
    records = [record("finished", label=f"done {number}") for number in range(90)]
    records += [record("waiting", label=f"waits {number}") for number in range(7)]
    records += [record("failed", label="broken"), record("running", label="busy"), record("dead", label="gone")]
    table = live_table(records, now=NOW, most_rows=4)
    assert [str(cell) for cell in table.columns[0].cells] == ["busy", "broken", "gone", "waits 0"]
    shown = printed(table)
    assert "100 runs: 1 running, 1 failed, 1 dead, 7 waiting, 90 finished" in shown
    assert "not shown: 6 waiting, 90 finished" in shown
    whole = live_table(records, now=NOW, most_rows=100)
    assert [str(cell) for cell in whole.columns[0].cells][:2] == ["done 0", "done 1"]
    assert "not shown" not in printed(whole)
    console = Console(file=io.StringIO(), width=200, height=30)
    shown = printed(live_table(records, now=NOW, most_rows=rows_that_fit(console)))
    assert 25 < len(shown.splitlines()) < 30
    assert "no run" in printed(live_table([], now=NOW))


def test_a_narrow_terminal_gets_whole_columns() -> None:
    runs = [record(label=f"a convolution with a long name, learning rate 0.001, seed {seed}") for seed in range(3)]
    runs.append(record("failed", error_kind="raised", error_message="words" * 40))
    for width in (60, 80, 120):
        shown = printed(live_table(runs, now=NOW, width=width), width=width)
        rows = [line for line in shown.splitlines() if "seed" in line]
        assert len(rows) == 3
        for seed, line in enumerate(rows):
            assert f"seed {seed}" in line
            assert "running" in line
            assert len(line) <= width
        assert "words" not in shown
    assert remarks(runs, now=NOW, most=5) == [f"{runs[-1].label}: {'words' * 40}"]
    assert remarks([runs[-1]] * 3, now=NOW, most=2)[-1] == "... and 1 more such lines"
