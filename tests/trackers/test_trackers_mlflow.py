"""`tracker=mlflow`: what MLflow's own client finds in the file, and what a server that is none does to a run."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from autoenc.command_line import main
from autoenc.runs import RunDirectory
from autoenc.trackers import background
from autoenc.trackers.background import Epoch
from autoenc.trackers.mlflow import SERVER_PATIENCE
from autoenc.trackers.tracker import TrackedRun
from tests.conftest import REPOSITORY, TINY, Train
from tests.trackers.conftest import KilledRun, warnings_of_trackers
from tests.training.test_training_loop import assert_same_run, stop_at

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

    from autoenc.trackers.mlflow_runs import MlflowRun

pytestmark = pytest.mark.filterwarnings("ignore")  # those of MLflow's two hundred packages are not ours to mend

SCRIPT = str(REPOSITORY / "scripts" / "train.py")
FILE = "sqlite:///outputs/mlflow.db"


@pytest.fixture(autouse=True)
def _no_telling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file with MLflow's tables, which take seconds to make."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    from mlflow.tracking import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "empty.db"
    MlflowClient(f"sqlite:///{path}", f"sqlite:///{path}").search_experiments()
    return path.read_bytes()


@pytest.fixture
def store(elsewhere: Path, empty_store: bytes) -> Callable[[], MlflowClient]:
    """The file where runs are kept by default, and a client that reads it."""
    from mlflow.tracking import MlflowClient

    path = elsewhere / "outputs" / "mlflow.db"
    path.parent.mkdir()
    path.write_bytes(empty_store)
    return lambda: MlflowClient(f"sqlite:///{path}", f"sqlite:///{path}")


def only_run(client: MlflowClient) -> Run:
    experiment = client.get_experiment_by_name("autoenc")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    return run


def history(client: MlflowClient, run: Run, name: str) -> list[tuple[int, float]]:
    found = sorted(client.get_metric_history(run.info.run_id, name), key=lambda metric: metric.timestamp)
    return [(metric.step, metric.value) for metric in found]


def as_written(folder: Path, name: str) -> list[tuple[int, float]]:
    return [(row["epoch"], row[name]) for row in RunDirectory(folder).metrics()]


Store = Callable[[], "MlflowClient"]


def test_it_finds_the_numbers_their_units_the_settings_and_the_pictures(
    train: Train, store: Store, alone: Path
) -> None:
    folder = train("tracker=mlflow", folder="outputs/a day/a time")
    client, directory = store(), RunDirectory(folder)
    run, rows, summary = only_run(client), directory.metrics(), directory.summary()
    assert (run.info.status, run.info.run_name) == ("FINISHED", "a day/a time")
    assert run.info.end_time > run.info.start_time > (time.time() - 120) * 1000

    epochs = {name for row in rows for name in row} - {"epoch"}
    for name in epochs:
        assert history(client, run, name) == as_written(folder, name)  # to the last bit
    assert {name: run.data.metrics[f"test/{name}"] for name in summary["test"]} == summary["test"]
    for split in ("train", "validation"):
        assert {name: run.data.metrics[f"final/{split}/{name}"] for name in summary[split]} == summary[split]
    assert history(client, run, "test/mse") == [(3, summary["test"]["mse"])]
    assert run.data.metrics["final/seconds/total"] == summary["seconds"]["total"]
    assert run.data.metrics["final/parameters"] == summary["parameters"]

    tags = run.data.tags
    assert tags["folder"] == str(folder)
    assert {name: tags[f"unit.{name}"] for name in summary["units"]} == summary["units"]
    assert f"| `mse` | {summary['units']['mse']} |" in tags["mlflow.note.content"]
    assert "unit.learning_rate" not in tags
    assert "error" not in tags

    params = run.data.params
    expected = {"architecture.code_size": "3", "noise.name": "gaussian", "training.patience": "null", "seed": "0"}
    assert {name: params[name] for name in expected} == expected
    assert params["optimizer.betas"] == "[0.9, 0.999]"
    assert not any(name.startswith("tracker") for name in params)

    pictures = {f"figures/{path.name}": path for path in directory.figures.glob("*.png")}
    assert {item.path for item in client.list_artifacts(run.info.run_id, "figures")} == set(pictures)
    kept = Path("outputs/mlflow-artifacts", run.info.run_id, "artifacts")
    for name, path in pictures.items():
        assert (kept / name).read_bytes() == path.read_bytes()
        assert Path(client.download_artifacts(run.info.run_id, name)).read_bytes() == path.read_bytes()
    assert not Path("mlruns").exists()
    assert warnings_of_trackers(folder) == []
    assert_same_run(folder, alone)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run without a tracker."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    assert main([*TINY, f"hydra.run.dir={folder}"]) == 0
    return folder


@pytest.mark.parametrize("step", [17, pytest.param(3, marks=pytest.mark.slow)])
def test_a_run_that_is_taken_up_again_goes_on_in_the_same_run_of_mlflow(
    step: int, killed: KilledRun, store: Store
) -> None:
    folder = killed(*TINY, "tracker=mlflow", step=step)
    Path("elsewhere").mkdir()
    with contextlib.chdir("elsewhere"):
        assert (
            main(
                ["resume=../run", "tracker=mlflow", f"tracker.tracking_uri=sqlite:///{folder.parent}/outputs/mlflow.db"]
            )
            == 0
        )
    client = store()
    run = only_run(client)
    assert run.info.status == "FINISHED"
    for name in ("train/loss", "learning_rate"):
        assert history(client, run, name) == as_written(folder, name)
    assert len(history(client, run, "test/mse")) == 1


def test_epochs_that_never_arrived_arrive_when_the_run_is_taken_up_again(killed: KilledRun, store: Store) -> None:
    path = Path("outputs/mlflow.db")
    content = path.read_bytes()
    path.write_bytes(b"this is no database")
    folder = killed(*TINY, "tracker=mlflow", "training.checkpoint_every=6", step=13)
    path.write_bytes(content)
    assert main(["resume=run", "tracker=mlflow"]) == 0
    client = store()
    assert history(client, only_run(client), "train/loss") == as_written(folder, "train/loss")


def recorder(folder: Path) -> MlflowRun:
    from autoenc.trackers.mlflow_runs import MlflowRun

    run = TrackedRun(RunDirectory(folder), "a run", values={"seed": 1}, units={})
    return MlflowRun(run, tracking_uri=f"sqlite:///{folder / 'outputs' / 'mlflow.db'}", experiment="autoenc")


def epochs(last: int) -> list[Epoch]:
    return [Epoch({"epoch": epoch, "learning_rate": 1 / epoch}, 100.0 + epoch) for epoch in range(1, last + 1)]


def test_only_what_is_not_there_is_written(store: Store, elsewhere: Path) -> None:
    first, second = recorder(elsewhere), recorder(elsewhere)
    first.begin([])
    first.write(epochs(3))
    first.write(epochs(4))
    second.begin(epochs(6))
    second.write(epochs(7))
    assert history(store(), only_run(store()), "learning_rate") == [(epoch, 1 / epoch) for epoch in range(1, 8)]


def test_what_is_sent_again_after_an_answer_was_lost_is_there_once(store: Store, elsewhere: Path) -> None:
    run = recorder(elsewhere)
    run.begin(epochs(2))
    run._last_epoch = 0  # as if MLflow had recorded them, and said so to nobody
    run.write(epochs(3))
    assert history(store(), only_run(store()), "learning_rate") == [(1, 1.0), (2, 1 / 2), (3, 1 / 3)]


def test_many_epochs_at_once(store: Store, elsewhere: Path) -> None:
    """More than MLflow takes at a time."""
    recorder(elsewhere).begin(epochs(2100))
    assert len(history(store(), only_run(store()), "learning_rate")) == 2100


def test_a_run_that_was_deleted_in_mlflow_is_begun_anew_there(store: Store, elsewhere: Path) -> None:
    recorder(elsewhere).begin(epochs(2))
    deleted = only_run(store())
    store().delete_run(deleted.info.run_id)
    recorder(elsewhere).begin(epochs(3))
    run = only_run(store())
    assert run.info.run_id != deleted.info.run_id
    assert len(history(store(), run, "learning_rate")) == 3


@pytest.mark.parametrize(
    "content",
    [
        {"tracker": "mlflow", "run_id": "0" * 32, "tracking_uri": "{here}"},
        {"tracker": "mlflow", "run_id": "../..", "tracking_uri": "sqlite:///elsewhere.db"},
        {"tracker": "mlflow", "run_id": "../..", "tracking_uri": "{here}"},
        {"tracker": "mlflow", "run_id": "A" * 32, "tracking_uri": "{here}"},
        {"tracker": "mlflow", "tracking_uri": "{here}"},
        {"tracker": "another"},
        {},
    ],
    ids=str,
)
def test_the_number_of_a_run_that_is_not_there_is_no_number(
    content: dict[str, str], store: Store, elsewhere: Path
) -> None:
    here = f"sqlite:///{elsewhere / 'outputs' / 'mlflow.db'}"
    RunDirectory(elsewhere).write_tracker({key: value.replace("{here}", here) for key, value in content.items()})
    recorder(elsewhere).begin([])
    assert RunDirectory(elsewhere).tracker()["run_id"] == only_run(store()).info.run_id
    assert not (elsewhere / "elsewhere.db").exists()


@pytest.mark.parametrize("run_id", ["../..", "A" * 32, "a/../b?c"])
def test_nothing_but_the_number_of_a_run_is_looked_up(
    run_id: str, store: Store, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.tracking import MlflowClient

    asked = []
    monkeypatch.setattr(MlflowClient, "get_run", lambda _, number: asked.append(number))
    here = f"sqlite:///{elsewhere / 'outputs' / 'mlflow.db'}"
    RunDirectory(elsewhere).write_tracker({"tracker": "mlflow", "run_id": run_id, "tracking_uri": here})
    recorder(elsewhere).begin([])
    assert asked == []


def test_names_that_mlflow_does_not_take_are_bent(store: Store, elsewhere: Path) -> None:
    run = recorder(elsewhere)
    run.begin([])
    run.write([Epoch({"epoch": 1, "train/KL (free bits)": 2.0}, 100.0)])
    assert only_run(store()).data.metrics == {"train/KL _free bits_": 2.0}


def test_a_failed_run_says_why_until_it_is_taken_up_and_finishes(
    train: Train, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no\nink")

    with monkeypatch.context() as patched:
        patched.setattr("autoenc.experiment.drawing.draw_pictures", broken)
        patched.setattr(background, "UNFINISHED_WAIT", 60.0)
        train("tracker=mlflow", exit_code=1)
    run = only_run(store())
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", "no ink")
    assert "test/mse" not in run.data.metrics
    assert main(["resume=run", "tracker=mlflow"]) == 0
    run = only_run(store())
    assert run.info.status == "FINISHED"
    assert "error" not in run.data.tags


def test_an_interrupted_run_is_a_killed_one(train: Train, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "UNFINISHED_WAIT", 60.0)
    stop_at(9, lambda: signal.raise_signal(signal.SIGINT), monkeypatch)
    with pytest.raises(SystemExit) as caught:
        train("tracker=mlflow")
    assert caught.value.code == 130
    assert only_run(store()).info.status == "KILLED"


# --- servers that are none ---


@pytest.fixture
def refusing() -> Iterator[int]:
    """A port that nobody listens at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes every connection, and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(("kind", "words"), [("refusing", "Connection refused"), ("silent", "timed out")])
def test_a_server_that_does_not_answer_costs_a_word_and_a_few_seconds(
    kind: str, words: str, train: Train, alone: Path, request: pytest.FixtureRequest
) -> None:
    port = request.getfixturevalue(kind)
    folder = train("tracker=mlflow", f"tracker.tracking_uri=http://127.0.0.1:{port}")
    # MLflow by itself would take minutes; and the training and the end are told, never waited with.
    assert time.time() - (folder / "status.json").stat().st_mtime < SERVER_PATIENCE + 20
    assert RunDirectory(folder).status()["state"] == "finished"
    (warning,) = warnings_of_trackers(folder)
    assert f"tracker=mlflow at http://127.0.0.1:{port} does not work: " in warning
    assert words in warning
    assert_same_run(folder, alone)


@pytest.mark.slow
def test_a_process_whose_server_hangs_ends(silent: int, elsewhere: Path) -> None:
    """No thread, connection or handler at exit holds it."""
    command = [sys.executable, SCRIPT, *TINY, "tracker=mlflow", f"tracker.tracking_uri=http://127.0.0.1:{silent}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.count("does not work: ") == 1


def test_a_file_that_is_no_database_costs_a_word(train: Train, elsewhere: Path) -> None:
    Path("outputs").mkdir()
    Path("outputs/mlflow.db").write_bytes(b"this is no database" * 100)
    folder = train("tracker=mlflow")
    (warning,) = warnings_of_trackers(folder)
    assert "file is not a database" in warning
    assert RunDirectory(folder).status()["state"] == "finished"


# --- several processes, and a real server ---


@pytest.mark.slow
def test_processes_that_begin_at_once_share_a_new_file(elsewhere: Path) -> None:
    """One makes the tables, the other waits for it; neither loses a number."""
    command = [sys.executable, SCRIPT, *TINY, "tracker=mlflow"]
    processes = [
        subprocess.Popen([*command, f"seed={seed}", f"hydra.run.dir={seed}"], stdout=subprocess.DEVNULL)
        for seed in range(2)
    ]
    assert [process.wait() for process in processes] == [0] * 2
    from mlflow.tracking import MlflowClient

    client = MlflowClient(FILE, FILE)
    experiment = client.get_experiment_by_name("autoenc")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.data.params["seed"] for run in runs) == ["0", "1"]
    for run in runs:
        folder = Path(run.data.tags["folder"])
        assert run.info.status == "FINISHED"
        assert history(client, run, "train/loss") == as_written(folder, "train/loss")
        assert warnings_of_trackers(folder) == []


@pytest.fixture
def server(elsewhere: Path, empty_store: bytes) -> Iterator[str]:
    Path("server.db").write_bytes(empty_store)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    stored = ["--backend-store-uri", "sqlite:///server.db", "--artifacts-destination", str(elsewhere / "served")]
    with Path("server.log").open("w") as log:
        process = subprocess.Popen([*command, *stored], stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
def test_a_server_gets_the_same_by_its_address(server: str, train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert warnings_of_trackers(folder) == []
