"""`tracker=wandb`: what a run of Weights & Biases holds is read from its file, or heard by a server on this machine."""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import socket
import struct
import sys
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

import autoenc
from autoenc.command_line import main
from autoenc.runs import RunDirectory, read_runs
from autoenc.settings import flattened
from autoenc.trackers import TrackedRun, Tracker
from autoenc.trackers.tracker import Ending, Epoch
from tests.conftest import TINY, Train
from tests.trackers.conftest import KilledRun, tracker_warnings
from tests.training.test_training_loop import assert_same_run, stop_at

pytestmark = pytest.mark.filterwarnings("ignore")  # those of W&B's packages are not ours to mend

KEY = "0123456789" * 4
ONLINE = ("tracker=wandb", "tracker.mode=online")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No account and no settings of the person who runs the tests, and no server but one of this machine."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    for name in ("NETRC", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(home / name))
    with socket.socket() as taken:  # no one listens at its port
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
        yield
        assert services() == []


def services() -> list[psutil.Process]:
    """W&B's processes that belong to this one."""
    return [child for child in psutil.Process().children() if child.name().startswith("wandb-core")]


# --- what is in the file of an offline run ---


class Recorded(NamedTuple):
    """What the file of a run says, each value as it is at the end."""

    run: Any
    """The run's last record."""
    history: dict[int, dict[str, Any]]
    """The values of each step."""
    config: dict[str, Any]
    summary: dict[str, Any]
    exit_code: int


def read(folder: Path) -> Recorded:
    (path,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    run, exit_code = None, -1
    history: dict[int, dict[str, Any]] = {}
    config: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    for record in records(path):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run = record.run
            config |= values(record.run.config.update)
        elif kind == "config":
            config |= values(record.config.update)
        elif kind == "history":
            history[record.history.step.num] = values(record.history.item)
        elif kind == "summary":
            summary |= values(record.summary.update)
        elif kind == "exit":
            exit_code = record.exit.exit_code
    return Recorded(run, history, config, summary, exit_code)


def values(items: Sequence[Any]) -> dict[str, Any]:
    return {item.key or "|".join(item.nested_key): json.loads(item.value_json) for item in items}


def records(path: Path) -> Iterator[Any]:
    """The records of a file in LevelDB's log format: pieces, each after a checksum, its length and its kind."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, position, record = path.read_bytes(), 7, b""
    while position + 7 <= len(content):
        rest = 2**15 - position % 2**15  # of the block; a head of seven bytes is not divided
        if rest < 7:
            position += rest
            continue
        _, length, kind = struct.unpack_from("<IHB", content, position)
        record += content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in {1, 4}:  # a whole record, or the last piece of one
            yield Record.FromString(record)
            record = b""


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


def tracker_of(folder: Path, *, mode: str = "offline") -> Tracker:
    from autoenc.trackers.choices import Wandb

    folder.mkdir(parents=True, exist_ok=True)
    run = TrackedRun(RunDirectory(folder), "a run", values={"training": {"epochs": 3}}, units={"loss": "nats"})
    settings = Wandb(mode=mode, project="autoenc", entity=None)  # type: ignore[arg-type]
    settings.require()
    return settings.build(run)


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
    [{"tracker": "wandb", "run_id": "../../elsewhere"}, {"tracker": "wandb"}, {"tracker": "mlflow", "run_id": "0" * 32}],
)
def test_only_an_id_of_wandb_is_continued(kept: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "offline-run-1-elsewhere").mkdir()
    RunDirectory(tmp_path / "a" / "run").path.mkdir(parents=True)
    RunDirectory(tmp_path / "a" / "run").write_tracker(kept)
    record(tracker_of(tmp_path / "a" / "run"))
    run_id = read(tmp_path / "a" / "run").run.run_id
    assert run_id == RunDirectory(tmp_path / "a" / "run").tracker()["run_id"] != kept.get("run_id")
    assert (tmp_path / "offline-run-1-elsewhere").is_dir()


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


# --- a server ---


class Server(ThreadingHTTPServer):
    """Answers what W&B's process asks when it makes a run; remembers the history and the last state."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.history: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.exit_codes: list[int] = []
        self.runs: set[str] = set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """A client that goes away in the middle is none of the test's."""

    def answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        name = given.get("name")
        project = {"id": "p", "name": "autoenc", "entity": {"id": "e", "name": "me"}}
        if operation == "UpsertBucket":
            self.runs.add(str(name))
            bucket = {"id": "r", "name": name, "displayName": "", "description": "", "config": "{}", "sweepName": ""}
            return {"upsertBucket": {"bucket": {**bucket, "project": project, "historyLineCount": 0}, "inserted": True}}
        if operation == "RunResumeStatus" and name in self.runs:
            last = json.dumps({"_step": max(row["_step"] for row in self.history)})
            counts = {"logLineCount": 0, "eventsLineCount": 0, "historyLineCount": len(self.history)}
            texts = {"historyTail": json.dumps([last]), "eventsTail": "[]", "summaryMetrics": last, "config": "{}"}
            bucket = {"id": "r", "name": name, "displayName": "", "tags": [], "wandbConfig": '{"t": 1}'}
            return {"model": {**project, "bucket": {**bucket, **counts, **texts}}}
        if operation == "CreateRunFiles":
            files = [{"name": path, "uploadUrl": f"{self.address}/upload/{path}"} for path in given["files"]]
            return {"createRunFiles": {"runID": "r", "uploadHeaders": [], "files": files}}
        return {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        assert isinstance(self.server, Server)
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.paths.append(self.path)
        answer: dict[str, Any] = {}
        if self.path == "/graphql":
            asked = json.loads(content)
            answer = {"data": self.server.answer(asked["operationName"], asked["variables"])}
        elif self.path.endswith("/file_stream"):
            sent = json.loads(content)
            lines = sent.get("files", {}).get("wandb-history.jsonl", {}).get("content", [])
            self.server.history += map(json.loads, lines)
            self.server.exit_codes += [sent["exitcode"]] if sent.get("complete") else []
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_GET = do_POST  # noqa: N815 - so named by the library

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.address)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    from autoenc.trackers import wandb_run

    monkeypatch.setattr(wandb_run._SETTINGS, "init_timeout", 1.0)
    monkeypatch.setattr(wandb_run._SETTINGS, "finish_timeout", 1.0)


def test_a_server_gets_the_same(server: Server, train: Train, capfd: pytest.CaptureFixture[str]) -> None:
    folder = train(*ONLINE)
    rows, summary = RunDirectory(folder).metrics(), RunDirectory(folder).summary()
    assert [row["_step"] for row in server.history] == [1, 2, 3]
    assert [row["train/loss"] for row in server.history] == [row["train/loss"] for row in rows]
    assert server.history[-1]["test/mse"] == summary["test"]["mse"]
    assert server.exit_codes == [0]
    uploaded = {Path(path).name.rpartition("_3_")[0] for path in server.paths if "/media/images/figures/" in path}
    assert uploaded == {path.stem for path in (folder / "figures").glob("*.png")}
    assert tracker_warnings(folder) == []
    printed = capfd.readouterr()
    run_id = RunDirectory(folder).tracker()["run_id"]
    assert f"Weights & Biases shows this run at {server.address}/me/autoenc/runs/{run_id}\n" in printed.out
    assert printed.err == ""


def test_a_server_gets_the_epochs_that_it_does_not_have(
    server: Server, train: Train, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        stop_at(9, lambda: signal.raise_signal(signal.SIGTERM), patched)
        with pytest.raises(SystemExit):
            train(*ONLINE)
    assert [row["_step"] for row in server.history] == [1]
    assert main(["resume=run", *ONLINE]) == 0
    assert [row["_step"] for row in server.history] == [1, 2, 3]
    assert server.exit_codes == [130, 0]
    assert len(server.runs) == 1
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("impatient")
def test_a_server_that_refuses_costs_one_warning(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    folder = train(*ONLINE)
    assert RunDirectory(folder).status()["state"] == "finished"
    (warning,) = tracker_warnings(folder)
    assert "tracker=wandb does not work: " in warning
    assert "connection refused" in warning


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("hanging_since", ["begin", "finish"])
def test_a_server_that_hangs_costs_one_warning(
    hanging_since: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # it takes every connection, and never answers
        if hanging_since == "begin":
            monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{deaf.getsockname()[1]}")
        tracker = tracker_of(tmp_path / "run", mode="online")
        tracker.begin([])
        server.shutdown()
        server.server_close()
        tracker.epoch({"epoch": 1, "train/loss": 1.0})
        tracker.finish("interrupted")
    (warning,) = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert {"begin": "context deadline exceeded", "finish": "Timed out finishing run"}[hanging_since] in warning


def test_the_end_of_its_process_costs_one_warning(
    train: Train, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def kill() -> None:
        for service in services():
            service.kill()
            service.wait()

    stop_at(9, kill, monkeypatch)
    folder = train("tracker=wandb")
    assert RunDirectory(folder).status()["state"] == "finished"
    (warning,) = tracker_warnings(folder)
    assert "tracker=wandb does not work: " in warning
    assert capfd.readouterr().err == ""
    gc.collect()  # the Popen of the process, which warns that no one has waited for it


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (None, "there is no key for {host}; run `wandb login`, set WANDB_API_KEY, or choose tracker.mode=offline"),
        ("secret", "WANDB_API_KEY invalid: API key must have 40+ characters, has 6."),
    ],
)
def test_a_run_that_cannot_log_in_is_refused(
    key: str | None,
    problem: str,
    server: Server,
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", None)  # no one can be asked
    if key is None:
        monkeypatch.delenv("WANDB_API_KEY")
    else:
        monkeypatch.setenv("WANDB_API_KEY", key)
    assert main([*TINY, *ONLINE]) == 2
    assert capfd.readouterr().err == f"error: tracker.mode=online: {problem.format(host=server.address)}\n"
    assert list(elsewhere.iterdir()) == []
    assert server.paths == []


def test_epochs_of_a_run_keep_their_times(tmp_path: Path) -> None:
    tracker_of(tmp_path / "run")
    from autoenc.trackers.wandb_run import WandbRun

    run = TrackedRun(RunDirectory(tmp_path / "run"), "a run", values={"training": {"epochs": 9}}, units={})
    backend = WandbRun(run, mode="offline", project="autoenc", entity=None)
    backend.begin([Epoch(1, {"train/loss": 1.0}, 100.0), Epoch(2, {"train/loss": 0.5}, 160.0)])
    backend.finish(Ending("interrupted", None, 200.0, epochs=2, scores={}))
    found = read(tmp_path / "run").history
    assert {step: row["_timestamp"] for step, row in found.items()} == {1: 100.0, 2: 160.0}
