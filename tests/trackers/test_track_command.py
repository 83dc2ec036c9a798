"""`scripts/track.py`: runs that have ended are sent to a tracker, and what an outage left is completed."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from autoenc.command_line import main as train_main
from autoenc.command_line.track import main
from autoenc.runs import RunDirectory, Sweep, SweepJob, moment, write_sweep
from autoenc.settings import ConfigError
from tests.conftest import TINY, Train
from tests.trackers.conftest import KilledRun, Store, tracker_warnings
from tests.trackers.mlflow_records import all_runs, assert_whole_record, history, only_run, whole
from tests.trackers.mlflow_server import MlflowServer
from tests.trackers.test_trackers_tensorboard import event_files, text
from tests.trackers.test_trackers_tensorboard import read as read_events
from tests.trackers.wandb_files import read as read_wandb
from tests.training.test_training_loop import stop_at

if TYPE_CHECKING:
    from mlflow.entities import Metric
    from mlflow.tracking import MlflowClient

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # those of MLflow's packages are not ours to mend
    pytest.mark.usefixtures("mlflow_alone"),
]


@pytest.fixture
def finished(untracked: Path, elsewhere: Path) -> Path:
    """A run that no tracker knows, copied with its times."""
    return Path(shutil.copytree(untracked, elsewhere / "outputs" / "run", dirs_exist_ok=True))


@pytest.fixture
def server(elsewhere: Path, empty_store: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowServer]:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    server = MlflowServer(empty_store, monkeypatch)
    yield server
    server.go()


def client_of(server: MlflowServer) -> MlflowClient:
    from mlflow.tracking import MlflowClient

    return MlflowClient(server.address, server.address)


def times(client: MlflowClient, name: str) -> list[float]:
    """When each value was measured, in seconds since 1970."""
    found = client.get_metric_history(only_run(client).info.run_id, name)
    return [metric.timestamp / 1000 for metric in sorted(found, key=lambda metric: metric.step)]


# --- one run ---


def test_a_run_that_was_never_tracked_is_imported_as_if_it_had_been(
    store: Store, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["outputs/run", "tracker=mlflow"]) == 0
    assert capsys.readouterr().out == "Sent: run (finished)\n"
    assert assert_whole_record(store(), finished).info.run_name == "outputs/run"
    rows = RunDirectory(finished).metrics()
    first, second, third = times(store(), "train/loss")
    assert (second - first, third - second) == pytest.approx((rows[1]["seconds"], rows[2]["seconds"]), abs=0.002)
    assert third == pytest.approx((finished / "metrics.jsonl").stat().st_mtime, abs=0.002)


def test_epochs_of_a_folder_that_was_copied_later_end_with_the_run(store: Store, finished: Path) -> None:
    (finished / "metrics.jsonl").touch()
    assert main(["outputs/run", "tracker=mlflow"]) == 0
    run = only_run(store())
    assert times(store(), "train/loss")[-1] * 1000 == run.info.end_time


def test_sending_again_changes_nothing(store: Store, finished: Path) -> None:
    sent = []
    for _ in range(2):
        assert main(["outputs/run", "tracker=mlflow"]) == 0
        sent.append(whole(store(), only_run(store())))
    assert sent[0] == sent[1]


def test_a_tracked_run_is_not_changed(store: Store, train: Train) -> None:
    train("tracker=mlflow")
    before = whole(store(), only_run(store()))
    assert main(["run", "tracker=mlflow"]) == 0
    assert whole(store(), only_run(store())) == before


def test_a_run_is_sent_to_several_places_once(store: Store, server: MlflowServer, finished: Path) -> None:
    for _ in range(2):
        assert main(["outputs/run", "tracker=mlflow"]) == 0
        assert main(["outputs/run", "tracker=mlflow", f"tracker.tracking_uri={server.address}"]) == 0
    for client in (store(), client_of(server)):
        assert_whole_record(client, finished)


def test_scores_that_were_measured_again_replace_the_old_ones(store: Store, finished: Path) -> None:
    assert main(["outputs/run", "tracker=mlflow"]) == 0
    directory = RunDirectory(finished)
    summary = directory.summary()
    summary["test"]["mse"] /= 2
    summary["test"] |= {"new": 3.0}
    directory.write_summary(summary)
    assert main(["outputs/run", "tracker=mlflow"]) == 0
    run = only_run(store())
    assert (run.data.metrics["test/mse"], run.data.metrics["test/new"]) == (summary["test"]["mse"], 3.0)
    assert len(history(store(), run, "test/mse")) == 2
    assert len(history(store(), run, "test/mae")) == 1


# --- after an outage ---


def test_a_run_whose_server_went_away_is_completed_by_the_command_in_its_log(
    server: MlflowServer, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outage() -> None:  # as soon as the first epoch has arrived
        while not history(client_of(server), only_run(client_of(server)), "train/loss"):
            pass
        server.go()

    with monkeypatch.context() as patched:
        stop_at(9, outage, patched)
        folder = train("tracker=mlflow", f"tracker.tracking_uri={server.address}")
    (warning,) = tracker_warnings(folder)
    _, _, command = warning.partition("To send it when it has ended: ")
    server.come()
    client = client_of(server)
    assert only_run(client).info.status == "RUNNING"
    (arrived,) = times(client, "train/loss")

    program, *words = shlex.split(command)
    assert program == "autoenc-track"
    assert main(words) == 0
    assert_whole_record(client, folder)
    assert times(client, "train/loss")[0] == arrived
    before = whole(client, only_run(client))
    assert main(words) == 0
    assert whole(client, only_run(client)) == before


def test_a_run_whose_database_went_away_at_its_end_is_completed(
    store: Store, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.tracking import MlflowClient

    def gone(*_: object, **__: object) -> None:
        raise OSError("database is locked")

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "set_terminated", gone)
        folder = train("tracker=mlflow")
    (warning,) = tracker_warnings(folder)
    assert "OSError: database is locked" in warning
    assert only_run(store()).info.status == "RUNNING"
    assert main(["run", "tracker=mlflow"]) == 0
    assert_whole_record(store(), folder)


def test_an_epoch_that_was_lost_between_others_is_sent(
    store: Store, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its error is seen when the next one is sent already."""
    from mlflow.tracking import MlflowClient

    original = MlflowClient.log_batch

    def without_second(
        self: MlflowClient, run_id: str, metrics: list[Metric] | tuple[Metric, ...] = (), **others: Any
    ) -> Any:
        return original(self, run_id, [metric for metric in metrics if metric.step != 2], **others)

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "log_batch", without_second)
        folder = train("tracker=mlflow")
    assert [step for step, _ in history(store(), only_run(store()), "train/loss")] == [1, 3]
    assert main(["run", "tracker=mlflow"]) == 0
    assert_whole_record(store(), folder)


def test_a_server_that_does_not_answer_is_one_line(
    server: MlflowServer, finished: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    server.go()
    assert main(["outputs/run", "tracker=mlflow", f"tracker.tracking_uri={server.address}"]) == 1
    printed = capfd.readouterr()
    problem = f"error: run was not sent: tracker=mlflow at {server.address} does not work: ConnectionRefusedError: "
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert printed.err.startswith(problem)
    assert not (finished / "tracker.json").exists()
    server.come()


def test_a_server_with_a_password(
    server: MlflowServer, finished: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    server.password = "me:secret"
    words = ["outputs/run", "tracker=mlflow", f"tracker.tracking_uri={server.address}"]
    assert main(words) == 1
    printed = capfd.readouterr().err
    assert "401" in printed
    assert printed.count("\n") == 1
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    assert main(words) == 0
    assert_whole_record(client_of(server), finished)


# --- runs that did not finish ---


def test_a_killed_run_has_failed_until_it_is_resumed(
    killed: KilledRun, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = killed(*TINY, step=17)
    assert main(["run", "tracker=mlflow"]) == 0
    run = only_run(store())
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", "its process exited without recording why")
    last_epoch = (folder / "metrics.jsonl").stat().st_mtime
    assert run.info.end_time == int(last_epoch * 1000)
    assert [step for step, _ in history(store(), run, "train/loss")] == [1, 2]
    assert train_main(["resume=run", "tracker=mlflow"]) == 0
    assert_whole_record(store(), folder)


def test_failed_and_interrupted_runs_say_so(store: Store, finished: Path) -> None:
    for name in ("failed", "interrupted"):
        shutil.copytree(finished, f"outputs/{name}")
    failed, interrupted = RunDirectory(Path("outputs/failed")), RunDirectory(Path("outputs/interrupted"))
    failed.set_state("failed", error={"kind": "not_finite", "message": "the loss is not finite"})
    interrupted.set_state("interrupted")
    assert main(["outputs/failed", "outputs/interrupted", "tracker=mlflow"]) == 0
    found = {run.info.run_name: run for run in all_runs(store())}
    assert found["outputs/failed"].info.status == "FAILED"
    assert found["outputs/failed"].data.tags["error"] == "the loss is not finite"
    assert found["outputs/interrupted"].info.status == "KILLED"
    assert all("test/mse" not in run.data.metrics for run in found.values())


# --- TensorBoard, Weights & Biases ---


def test_tensorboard_finds_the_epochs_at_their_times_and_no_file_twice(finished: Path) -> None:
    sent = []
    for _ in range(2):
        assert main(["outputs/run", "tracker=tensorboard"]) == 0
        (_,) = event_files(finished)
        reader = read_events(finished)
        tags = reader.Tags()
        events = {name: reader.Scalars(name) for name in tags["scalars"]}
        found = {name: [(each.wall_time, each.step, each.value) for each in events[name]] for name in events}
        sent.append((found, tags["images"], text(reader, "state")))
    assert sent[0] == sent[1]
    scalars, images, state = sent[0]
    assert state == ["finished"]
    assert {"figures/loss_curves", "figures/reconstructions"} <= set(images)
    directory = RunDirectory(finished)
    began, ended = (moment(directory.status()[name]) for name in ("started_at", "finished_at"))
    assert began is not None
    assert ended is not None
    losses = scalars["train/loss"]
    assert [step for _, step, _ in losses] == [1, 2, 3]
    assert all(began.timestamp() <= time <= ended.timestamp() for time, _, _ in losses)
    ((time, step, value),) = scalars["test/mse"]
    assert (time, step, value) == (ended.timestamp(), 3, pytest.approx(directory.summary()["test"]["mse"], rel=1e-6))


@pytest.mark.usefixtures("wandb_alone")
def test_wandb_has_one_run_however_often_it_is_sent(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sent = []
    for _ in range(2):
        assert main(["outputs/run", "tracker=wandb"]) == 0
        found = read_wandb(finished)  # of the only folder
        sent.append((found.run.run_id, found.history, found.config["units"], found.exit_code, found.summary["state"]))
    assert [sent[0][0], *sent[0][2:]] == [sent[1][0], *sent[1][2:]]
    history = sent[0][1]
    assert [history[step]["train/loss"] for step in (1, 2, 3)] == [
        row["train/loss"] for row in RunDirectory(finished).metrics()
    ]
    assert history[3]["test/mse"] == RunDirectory(finished).summary()["test"]["mse"]
    assert history[3]["_timestamp"] == pytest.approx((finished / "metrics.jsonl").stat().st_mtime)
    assert sent[0][3:] == (0, "finished")


# --- several runs, and mistakes ---


def test_of_several_runs_those_that_can_be_sent_are(
    store: Store, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("damaged", "new", "unfinished"):
        shutil.copytree(finished, f"outputs/{name}")
    Path("outputs/damaged/metrics.jsonl").write_text("{\n")
    Path("outputs/unfinished/summary.json").unlink()
    with RunDirectory(finished).locked():
        assert main(["outputs", "tracker=mlflow"]) == 1
    printed = capsys.readouterr()
    assert printed.out == "Sent: new (finished)\n"
    damaged, training, unfinished = sorted(printed.err.splitlines())
    assert damaged.startswith("error: damaged was not sent: tracker=mlflow at ")
    assert "damaged/metrics.jsonl: cannot be read: it " in damaged
    assert training.startswith(f"error: run was not sent: RUN={finished}: process ")
    assert training.endswith(" is working in this folder")
    reason = f"RUN={finished.parent / 'unfinished'}: summary.json is missing."
    assert unfinished == f"error: unfinished was not sent: {reason}"
    assert [run.info.run_name for run in all_runs(store()) if run.info.status != "RUNNING"] == ["outputs/new"]


def test_the_runs_of_a_sweep_are_sent_without_those_that_have_not_started(
    store: Store, finished: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    sweep = Path("outputs/sweeps/seeds").absolute()
    for number in range(2):
        shutil.copytree(finished, sweep / f"seed_{number}")
    shutil.rmtree(finished)
    job = SweepJob(label="", identity="", overrides=(), code="")
    write_sweep(sweep, Sweep({f"seed_{number}": job._replace(label=f"seed {number}") for number in range(3)}, {}))
    assert main(["outputs/sweeps/seeds", "tracker=mlflow"]) == 0
    assert capsys.readouterr().out == "Sent: seed_0 (finished)\nSent: seed_1 (finished)\n"
    assert "Left out, because they have not started: seed_2." in caplog.text
    assert {run.info.run_name for run in all_runs(store())} == {"seeds/seed_0", "seeds/seed_1"}


def test_a_job_of_a_sweep_names_the_command_for_the_whole_sweep(
    train: Train, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep repeats each warning once, so the jobs have to have the same."""
    monkeypatch.setattr("autoenc.trackers.mlflow_run.MlflowRun.begin", lambda *_: 1 / 0)
    write_sweep(elsewhere, Sweep({}, {}))
    (warning,) = tracker_warnings(train("tracker=mlflow", "tracker.experiment=two words"))
    store = f"tracker.tracking_uri=sqlite:///{elsewhere}/outputs/mlflow.db"
    command = f"""autoenc-track {elsewhere} tracker=mlflow {store} tracker.experiment="'two words'\""""
    assert warning.endswith(f"To send it when it has ended: {command}")


def test_a_strangers_folder_decides_nothing(store: Store, finished: Path) -> None:
    """Neither where to send it, nor which files of this machine are its pictures."""
    (finished.parent / "mine.png").write_bytes((finished / "figures" / "loss_curves.png").read_bytes())
    (finished / "figures" / "linked.png").symlink_to(finished.parent / "mine.png")
    run = RunDirectory(finished)
    tracker = {"name": "mlflow", "tracking_uri": "http://127.0.0.1:9", "experiment": "theirs"}
    (finished / "config.yaml").write_text(yaml.safe_dump({**run.config(), "tracker": tracker}))
    run.write_tracker({"tracker": "mlflow", "tracking_uri": "http://127.0.0.1:9", "run_id": "0" * 32})
    assert main(["outputs/run", "tracker=mlflow"]) == 0
    pictures = {item.path for item in store().list_artifacts(only_run(store()).info.run_id, "figures")}
    assert "figures/linked.png" not in pictures
    assert "figures/loss_curves.png" in pictures
    (finished / "figures").rename(finished.parent / "elsewhere")
    (finished / "figures").symlink_to(finished.parent / "elsewhere")
    with pytest.raises(ConfigError, match="figures: it is a symbolic link"):
        run.pictures(".png")


def test_a_run_of_an_earlier_version_is_imported(store: Store, finished: Path) -> None:
    """It had fewer settings, and other names of metrics."""
    config = RunDirectory(finished).config()
    new = ("tracker", "figure_format", "initialize_from", "initialize_part")
    old = {key: value for key, value in config.items() if key not in new} | {"evaluation": {"nll_samples": 0}}
    del old["dataset"]["test_limit"]
    (finished / "config.yaml").write_text(yaml.safe_dump(old))
    (finished / "config.json").unlink()
    status = json.loads((finished / "status.json").read_text())
    del status["training_changes"]
    (finished / "status.json").write_text(json.dumps(status))
    for name in ("summary.json", "metrics.jsonl"):
        text = (finished / name).read_text()
        (finished / name).write_text(text.replace('"denoising_', '"noisy_').replace("/denoising_", "/noisy_"))
    assert main(["outputs/run", "tracker=mlflow"]) == 0
    run = assert_whole_record(store(), finished)
    assert run.data.metrics["test/denoising_mse"] > 0
    assert run.data.params["evaluation.name"] == "quick"


def test_the_help_and_a_wrong_folder_import_no_torch_and_no_tracker() -> None:
    program = (
        "import sys; from autoenc.command_line.track import main\n"
        "assert main(['nowhere', 'tracker=mlflow']) == 2\n"
        "assert main(['tests', 'tracker=mlflow']) == 2\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert not {'torch', 'matplotlib', 'mlflow', 'wandb'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    for part in ("name: mlflow", "name: tensorboard", "name: wandb", "Examples"):
        assert part in done.stdout
    assert "name: none" not in done.stdout
