"""`tracker=mlflow`: MLflow's own client reads what a run wrote; a server that does not answer costs a run nothing."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import pytest

from autoenc.command_line import main
from autoenc.runs import RunDirectory
from autoenc.trackers import TrackedRun, tracker
from autoenc.trackers.tracker import Ending, Epoch
from tests.conftest import REPOSITORY, TINY, Train
from tests.trackers.conftest import KilledRun, Store, tracker_warnings
from tests.trackers.mlflow_records import as_written, assert_whole_record, history, only_run
from tests.training.test_training_loop import assert_same_run

if TYPE_CHECKING:
    from autoenc.trackers.mlflow_run import MlflowRun

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # those of MLflow's two hundred packages are not ours to mend
    pytest.mark.usefixtures("mlflow_alone"),
]

SCRIPT = str(REPOSITORY / "scripts" / "train.py")


Processes = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def processes() -> Iterator[Processes]:
    """Starts Python programs, by default ours; ends them with all that they have started."""
    started: list[subprocess.Popen[bytes]] = []

    def start(arguments: Sequence[str], *, program: Sequence[str] = (SCRIPT,)) -> subprocess.Popen[bytes]:
        command = [sys.executable, *program, *arguments]
        started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True))
        return started[-1]

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_mlflow_finds_numbers_units_settings_and_pictures(train: Train, store: Store, untracked: Path) -> None:
    folder = train("tracker=mlflow", folder="outputs/a day/a time")
    run = assert_whole_record(store(), folder)
    assert run.info.run_name == "a day/a time"
    assert run.info.start_time > (time.time() - 120) * 1000
    assert Path("outputs/mlflow-artifacts", run.info.run_id).is_dir()
    assert not Path("mlruns").exists()
    assert tracker_warnings(folder) == []
    assert_same_run(folder, untracked)


def test_a_resumed_run_continues_its_run_of_mlflow(killed: KilledRun, store: Store) -> None:
    folder = killed(*TINY, "tracker=mlflow", step=17)
    uri = f"tracker.tracking_uri=sqlite:///{folder.parent}/outputs/mlflow.db"
    Path("elsewhere").mkdir()
    with contextlib.chdir("elsewhere"):
        assert main(["resume=../run", "tracker=mlflow", uri]) == 0
    client = store()
    run = only_run(client)
    assert run.info.status == "FINISHED"
    for name in ("train/loss", "learning_rate"):
        assert history(client, run, name) == as_written(folder, name)
    assert len(history(client, run, "test/mse")) == 1


def mlflow_run(folder: Path, *, epochs: int = 3) -> MlflowRun:
    from autoenc.trackers.mlflow_run import MlflowRun

    values = {"seed": 1, "training": {"epochs": epochs}}
    run = TrackedRun(RunDirectory(folder), "a run", values=values, units={}, sending="")
    return MlflowRun(run, tracking_uri=f"sqlite:///{folder / 'outputs' / 'mlflow.db'}", experiment="autoenc")


def epochs(last: int) -> list[Epoch]:
    return [Epoch(number, {"learning_rate": 1 / number}, 100.0 + number) for number in range(1, last + 1)]


def finish(run: MlflowRun) -> None:
    run.finish(Ending("interrupted", None, 200.0, epochs=0, scores={}, scored=200.0))


def test_only_epochs_that_mlflow_does_not_have_are_written(store: Store, elsewhere: Path) -> None:
    first, second = mlflow_run(elsewhere), mlflow_run(elsewhere)
    first.begin([])
    for epoch in epochs(4):
        first.epoch(epoch)
    finish(first)
    second.begin(epochs(2100))  # more than MLflow takes at a time
    finish(second)
    run = only_run(store())
    assert run.info.status == "KILLED"
    found = history(store(), run, "learning_rate")
    assert sorted(found) == [(number, 1 / number) for number in range(1, 2101)]


def test_the_length_of_a_run_that_trains_longer_is_a_tag(store: Store, elsewhere: Path) -> None:
    """MLflow does not let a param change."""
    mlflow_run(elsewhere).begin([])
    mlflow_run(elsewhere, epochs=6).begin([])
    data = only_run(store()).data
    assert (data.params["seed"], data.params["training.epochs"]) == ("1", "3")
    changed = {name: value for name, value in data.tags.items() if name.startswith("changed.")}
    assert changed == {"changed.training.epochs": "6"}


def test_a_failure_of_the_asynchronous_logging_is_raised_by_a_later_call(
    store: Store, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = mlflow_run(elsewhere)
    run.begin([])

    def full(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(run._client._tracking_client.store._async_logging_queue, "_logging_func", full)
    first, second = epochs(2)
    run.epoch(first)
    for future in run._sent:
        future.exception()
    with pytest.raises(OSError, match="disk full"):
        run.epoch(second)


def test_a_run_that_was_deleted_in_mlflow_gets_a_new_one(store: Store, elsewhere: Path) -> None:
    mlflow_run(elsewhere).begin([])
    deleted = only_run(store())
    store().delete_run(deleted.info.run_id)
    mlflow_run(elsewhere).begin([])
    assert only_run(store()).info.run_id != deleted.info.run_id


@pytest.mark.parametrize("uri", ["{here}", "sqlite:///elsewhere.db"])
def test_an_unknown_run_id_is_replaced(uri: str, store: Store, elsewhere: Path) -> None:
    uri = uri.replace("{here}", f"sqlite:///{elsewhere / 'outputs' / 'mlflow.db'}")
    RunDirectory(elsewhere).write_tracker({"tracker": "mlflow", "run_id": "0" * 32, "tracking_uri": uri})
    mlflow_run(elsewhere).begin([])
    assert RunDirectory(elsewhere).tracker()["run_id"] == only_run(store()).info.run_id
    assert not (elsewhere / "elsewhere.db").exists()


def test_only_a_run_id_is_looked_up(store: Store, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.tracking import MlflowClient

    asked = []
    monkeypatch.setattr(MlflowClient, "get_run", lambda _, number: asked.append(number))
    here = f"sqlite:///{elsewhere / 'outputs' / 'mlflow.db'}"
    RunDirectory(elsewhere).write_tracker({"tracker": "mlflow", "run_id": "a/../b?c", "tracking_uri": here})
    mlflow_run(elsewhere).begin([])
    assert asked == []


def test_characters_that_mlflow_does_not_take_are_replaced(store: Store, elsewhere: Path) -> None:
    run = mlflow_run(elsewhere)
    run.begin([])
    run.epoch(Epoch(1, {"train/KL (free bits)": 2.0}, 100.0))
    finish(run)
    assert only_run(store()).data.metrics == {"train/KL _free bits_": 2.0}


def test_a_failed_run_has_its_error_until_it_is_resumed(
    train: Train, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no\nink")

    with monkeypatch.context() as patched:
        patched.setattr("autoenc.experiment.run_pictures.draw_pictures", broken)
        patched.setattr(tracker, "UNFINISHED_WAIT", 60.0)
        train("tracker=mlflow", exit_code=1)
    run = only_run(store())
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", "no ink")
    assert "test/mse" not in run.data.metrics
    assert main(["resume=run", "tracker=mlflow"]) == 0
    run = only_run(store())
    assert run.info.status == "FINISHED"
    assert "error" not in run.data.tags


# --- servers that do not answer ---


def test_a_server_that_refuses_costs_one_warning(train: Train) -> None:
    with socket.socket() as taken:  # no one listens at its port
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        folder = train("tracker=mlflow", f"tracker.tracking_uri={address}")
    assert RunDirectory(folder).status()["state"] == "finished"
    (warning,) = tracker_warnings(folder)
    assert f"tracker=mlflow at {address} does not work: " in warning
    assert "Connection refused" in warning


@pytest.mark.slow
def test_a_process_whose_server_hangs_ends(elsewhere: Path, processes: Processes) -> None:
    """No thread, connection or handler at exit holds it."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:  # it takes every connection, and never answers
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        process = processes([*TINY, "tracker=mlflow", f"tracker.tracking_uri={address}", "hydra.run.dir=run"])
        assert process.wait(timeout=300) == 0
    (warning,) = tracker_warnings(Path("run"))
    assert "timed out" in warning


# --- several processes, and a real server ---


def test_a_run_waits_while_another_process_makes_the_tables(
    store: Store, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autoenc.trackers.mlflow_run.LOCK_SECONDS", 0.1)
    with filelock.FileLock("outputs/.mlflow.db.lock"), pytest.raises(filelock.Timeout):
        mlflow_run(elsewhere).begin([])


@pytest.fixture
def server(elsewhere: Path, empty_store: bytes, processes: Processes) -> str:
    Path("server.db").write_bytes(empty_store)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    stored = ["--backend-store-uri", "sqlite:///server.db", "--artifacts-destination", str(elsewhere / "served")]
    processes(["server", *address, *stored], program=("-m", "mlflow"))
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            break
        time.sleep(0.2)
    return f"http://127.0.0.1:{port}"


@pytest.mark.exhaustive
def test_a_server_gets_the_same(server: str, train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    folder = train("tracker=mlflow")
    from mlflow.tracking import MlflowClient

    client = MlflowClient(server, server)
    run = only_run(client)
    assert (run.info.status, run.data.tags["folder"]) == ("FINISHED", str(folder))
    assert history(client, run, "train/loss") == as_written(folder, "train/loss")
    assert math.isclose(run.data.metrics["test/mse"], RunDirectory(folder).summary()["test"]["mse"])
    assert len(client.list_artifacts(run.info.run_id, "figures")) == 3
    assert (Path("served") / run.info.experiment_id / run.info.run_id / "artifacts" / "figures").is_dir()
    assert tracker_warnings(folder) == []
