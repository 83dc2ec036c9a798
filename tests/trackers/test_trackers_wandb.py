"""`tracker=wandb` offline: what a run of Weights & Biases holds, read from its file."""

from __future__ import annotations

import logging
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

import autoenc
from autoenc.command_line import main
from autoenc.runs import RunDirectory, read_runs
from autoenc.trackers import TrackedRun, Tracker
from autoenc.trackers.tracker import Ending, Epoch
from tests.conftest import TINY, Train
from tests.trackers.conftest import KilledRun, tracker_warnings
from tests.trackers.wandb_files import read, records, tracker_of, values
from tests.training.test_training_loop import assert_same_run, stop_at

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # those of W&B's packages are not ours to mend
    pytest.mark.usefixtures("wandb_alone"),
]


def test_wandb_finds_numbers_units_settings_and_pictures(
    train: Train, untracked: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = train("tracker=wandb", folder="outputs/a day/a time")
    found, directory = read(folder), RunDirectory(folder)
    rows, summary = directory.metrics(), directory.summary()

    assert (found.run.project, found.run.display_name, found.run.run_group) == ("autoenc", "a day/a time", "")
    assert (found.exit_code, found.summary["state"]) == (0, "finished")
    assert sorted(found.history) == [1, 2, 3]
    for row in rows:
        step = found.history[row["epoch"]]
        assert step.items() >= {name: value for name, value in row.items() if name != "epoch"}.items()
    assert {name: found.summary[f"test/{name}"] for name in summary["test"]} == summary["test"]
    assert {name: found.history[3][f"test/{name}"] for name in summary["test"]} == summary["test"]
    for split in ("train", "validation"):
        assert {name: found.summary[f"final/{split}/{name}"] for name in summary[split]} == summary[split]
    assert found.summary["final/seconds/total"] == summary["seconds"]["total"]

    config = directory.config()
    settings = {key: value for key, value in found.config.items() if key not in {"_wandb", "units"}}
    assert settings == {key: value for key, value in config.items() if key != "tracker"}
    assert found.config["units"].items() >= summary["units"].items()
    assert f"| `mse` | {summary['units']['mse']} |" in found.run.notes
    assert str(folder) in found.run.notes

    pictures = {path.stem: path for path in directory.figures.glob("*.png")}
    assert pictures.keys() >= {"loss_curves", "reconstructions"}
    (files,) = folder.glob("wandb/offline-run-*/files")
    for name, path in pictures.items():
        assert (files / found.history[3][f"figures/{name}|path"]).read_bytes() == path.read_bytes()

    printed = capfd.readouterr()
    assert printed.err == ""
    (line,) = [line for line in printed.out.splitlines() if "wandb" in line]
    (offline,) = Path("outputs/a day/a time/wandb").iterdir()
    assert line == f"Weights & Biases is offline. To upload this run later: wandb sync '{offline}'"
    assert tracker_warnings(folder) == []
    assert_same_run(folder, untracked)


def test_nothing_about_the_machine_is_recorded(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "name-of-this-machine")
    folder = train("tracker=wandb")
    found = read(folder)
    assert (found.run.host, found.run.git.remote_url) == ("", "")
    kinds = {record.WhichOneof("record_type") for record in records(next(folder.glob("wandb/*/*.wandb")))}
    assert not kinds & {"environment", "stats", "output", "output_raw", "artifact"}
    assert {path.name for path in folder.glob("wandb/*/files/*")} == {"media"}
    written = b"".join(path.read_bytes() for path in folder.glob("wandb/**/*") if path.is_file())
    assert b"name-of-this-machine" not in written


# 100 images give 90 for training: 6 steps an epoch; a checkpoint after each 4.
def test_a_resumed_run_replaces_its_file_by_one_with_every_epoch(killed: KilledRun) -> None:
    import wandb
    from wandb.sdk import wandb_setup

    folder = killed(*TINY, "tracker=wandb", step=17)
    wandb_setup.singleton().finish_all_active_runs()  # the process would be gone
    wandb.teardown()
    assert sorted(read(folder).history) == [1, 2]
    run_id = read(folder).run.run_id
    assert main(["resume=run", "tracker=wandb"]) == 0
    found = read(folder)
    assert found.run.run_id == run_id == RunDirectory(folder).tracker()["run_id"]
    losses = [found.history[step]["train/loss"] for step in sorted(found.history)]
    assert losses == [row["train/loss"] for row in RunDirectory(folder).metrics()]
    assert (found.exit_code, found.summary["state"]) == (0, "finished")


def test_a_failed_run_has_its_error_until_it_is_resumed(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no\nink")

    with monkeypatch.context() as patched:
        patched.setattr("autoenc.experiment.run_pictures.draw_pictures", broken)
        folder = train("tracker=wandb", exit_code=1)
    found = read(folder)
    assert (found.exit_code, found.summary["state"]) == (1, "failed: no ink")
    assert sorted(found.history) == [1, 2, 3]
    assert "test/mse" not in found.summary
    assert main(["resume=run", "tracker=wandb"]) == 0
    found = read(folder)
    assert (found.exit_code, found.summary["state"]) == (0, "finished")
    assert found.history[3].keys() >= {"train/loss", "test/mse"}


def test_an_interrupted_run_says_so(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_at(9, lambda: signal.raise_signal(signal.SIGTERM), monkeypatch)
    with pytest.raises(SystemExit):
        train("tracker=wandb")
    found = read(Path("run"))
    assert (found.exit_code, found.summary["state"], sorted(found.history)) == (130, "interrupted", [1])


def test_a_run_that_is_interrupted_as_it_begins_keeps_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    begun, handlers = wandb.init, list(logging.getLogger("wandb").handlers)

    def interrupted(**options: Any) -> None:
        begun(**options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(wandb, "init", interrupted)
        with pytest.raises(KeyboardInterrupt):
            record(tracker_of(tmp_path))
    # A handler that stays would open its file again after Hydra's next command, in a folder that is gone.
    assert logging.getLogger("wandb").handlers == handlers
    (first,) = tmp_path.glob("wandb/offline-run-*")
    record(tracker_of(tmp_path))
    (second,) = tmp_path.glob("wandb/offline-run-*")
    assert first.name.split("-")[-1] == second.name.split("-")[-1] == read(tmp_path).run.run_id


def record(tracker: Tracker, *, epochs: int = 1) -> None:
    tracker.begin([])
    for epoch in range(1, epochs + 1):
        tracker.epoch({"epoch": epoch, "train/loss": 1 / epoch, "seconds": 1.0})
    tracker.finish("interrupted")


def test_the_jobs_of_a_sweep_are_a_group(tmp_path: Path) -> None:
    (tmp_path / "rates").mkdir()
    (tmp_path / "rates" / "sweep.json").write_text("{}")
    record(tracker_of(tmp_path / "rates" / "seed_0"))
    found = read(tmp_path / "rates" / "seed_0").run
    assert (found.run_group, found.display_name) == ("rates", "rates/seed_0")


@pytest.mark.parametrize(
    "kept",
    [
        {"tracker": "wandb", "run_id": "../../elsewhere"},
        {"tracker": "wandb"},
        {"tracker": "mlflow", "run_id": "0" * 32},
    ],
)
def test_only_an_id_of_wandb_is_continued(kept: dict[str, str], tmp_path: Path) -> None:
    RunDirectory(tmp_path).write_tracker(kept)
    record(tracker_of(tmp_path))
    assert read(tmp_path).run.run_id == RunDirectory(tmp_path).tracker()["run_id"] != kept.get("run_id")


def test_a_linked_folder_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    record(tracker_of(tmp_path / "mine"))
    (tmp_path / "strangers").mkdir()
    (tmp_path / "strangers" / "wandb").symlink_to(tmp_path / "mine" / "wandb")
    shutil.copy(tmp_path / "mine" / "tracker.json", tmp_path / "strangers")
    before = sorted(tmp_path.rglob("*"))
    record(tracker_of(tmp_path / "strangers"))
    assert sorted(tmp_path.rglob("*")) == before
    (warning,) = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert "wandb: it is a symbolic link" in warning


def test_another_run_of_the_process_goes_on(elsewhere: Path) -> None:
    import wandb

    settings = wandb.Settings(silent=True, console="off")
    with wandb.init(mode="offline", dir=elsewhere, settings=settings) as mine:
        run = autoenc.train(*TINY, "tracker=wandb", "hydra.run.dir=run")
        assert wandb.run is mine
        mine.log({"mine": 1})
    wandb.teardown()
    (path,) = elsewhere.glob("wandb/offline-run-*/*.wandb")
    logged = [values(record.history.item) for record in records(path) if record.HasField("history")]
    assert [row["mine"] for row in logged] == [1]
    assert sorted(read(run.path).history) == [1, 2, 3]


def test_python_exits_as_before(tmp_path: Path) -> None:
    before = sys.exit, sys.excepthook, signal.getsignal(signal.SIGINT)
    record(tracker_of(tmp_path))
    assert (sys.exit, sys.excepthook, signal.getsignal(signal.SIGINT)) == before


def test_the_files_of_wandb_are_not_taken_for_runs(train: Train) -> None:
    folder = train("tracker=wandb")
    (files,) = folder.glob("wandb/*/files")
    shutil.copy(folder / "config.yaml", files)  # W&B writes one of its own when it is online
    shutil.copy(folder / "status.json", files)
    assert [record.path for record in read_runs([folder.parent])] == [folder]


@pytest.mark.slow
def test_a_job_of_a_sweep_has_a_run_in_its_group(elsewhere: Path) -> None:
    assert main(["-m", *TINY, "tracker=wandb", "seed=1", "hydra.sweep.dir=rates"]) == 0
    (job,) = (path.parent for path in elsewhere.glob("rates/*/wandb"))
    found = read(job)
    assert (found.run.run_group, found.exit_code, sorted(found.history)) == ("rates", 0, [1, 2, 3])
    core_log = next(job.glob("wandb/*/logs/debug-core.log")).read_text()
    assert "server: all connections closed" in core_log  # so its process has ended


def test_the_end_of_its_process_costs_one_warning(
    train: Train, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from wandb.sdk import wandb_setup

    def kill() -> None:
        connection: Any = wandb_setup.singleton()._connection
        process = connection._proc._process
        process.kill()
        process.wait()

    stop_at(9, kill, monkeypatch)
    folder = train("tracker=wandb")
    assert RunDirectory(folder).status()["state"] == "finished"
    (warning,) = tracker_warnings(folder)
    assert "tracker=wandb does not work: " in warning
    assert capfd.readouterr().err == ""


def test_epochs_of_a_run_keep_their_times(tmp_path: Path) -> None:
    tracker_of(tmp_path / "run")
    from autoenc.trackers.wandb_run import WandbRun

    values = {"training": {"epochs": 9, "patience": None}}
    run = TrackedRun(RunDirectory(tmp_path / "run"), "a run", values=values, units={}, sending="")
    backend = WandbRun(run, mode="offline", project="autoenc", entity=None)
    backend.begin([Epoch(1, {"train/loss": 1.0}, 100.0), Epoch(2, {"train/loss": 0.5}, 160.0)])
    backend.finish(Ending("interrupted", None, 200.0, epochs=2, scores={}, scored=200.0))
    found = read(tmp_path / "run").history
    assert {step: row["_timestamp"] for step, row in found.items()} == {1: 100.0, 2: 160.0}
