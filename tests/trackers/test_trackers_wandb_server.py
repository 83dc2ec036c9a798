"""`tracker=wandb tracker.mode=online`: what a server hears, and what one that does not answer costs a run."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from autoenc.command_line import main
from autoenc.command_line.track import main as track
from autoenc.runs import RunDirectory
from tests.conftest import TINY, Train
from tests.trackers.conftest import tracker_warnings
from tests.trackers.wandb_files import tracker_of
from tests.training.test_training_loop import stop_at

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("wandb_alone")]

KEY = "0123456789" * 4
ONLINE = ("tracker=wandb", "tracker.mode=online")


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
            last = json.dumps({name: value for row in self.history for name, value in row.items()})
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


def test_a_run_that_is_sent_again_adds_nothing_until_its_scores_change(server: Server, train: Train) -> None:
    folder = train(*ONLINE)
    before = list(server.history)
    assert track(["run", *ONLINE]) == 0
    assert server.history == before
    summary = RunDirectory(folder).summary()
    summary["test"]["mse"] /= 2
    RunDirectory(folder).write_summary(summary)
    assert track(["run", *ONLINE]) == 0
    (new,) = server.history[len(before) :]
    assert (new["test/mse"], "train/loss" in new) == (summary["test"]["mse"], False)


def test_a_run_that_no_tracker_knows_is_sent(server: Server, untracked: Path, elsewhere: Path) -> None:
    folder = Path(shutil.copytree(untracked, "run"))
    assert track(["run", *ONLINE]) == 0
    rows, summary = RunDirectory(folder).metrics(), RunDirectory(folder).summary()
    assert [row["train/loss"] for row in server.history] == [row["train/loss"] for row in rows]
    assert server.history[-1]["test/mse"] == summary["test"]["mse"]
    assert server.exit_codes == [0]


def test_a_run_that_patience_ended_is_trained_longer_without_a_gap(server: Server, train: Train) -> None:
    train(*ONLINE, "training.epochs=9", "training.patience=1", "optimizer.learning_rate=1e-12")  # it learns nothing
    assert [row["_step"] for row in server.history] == [1, 2]
    assert main(["resume=run", *ONLINE, "training.patience=null", "training.epochs=4"]) == 0
    assert [row["_step"] for row in server.history if "train/loss" in row] == [1, 2, 3, 4]
    assert [row["_step"] for row in server.history if "test/mse" in row] == [2, 4]


def test_nothing_is_sent_offline(server: Server, tmp_path: Path) -> None:
    tracker = tracker_of(tmp_path)
    tracker.begin([])
    tracker.finish("finished")
    assert (tmp_path / "tracker.json").exists()
    assert server.paths == []


@pytest.mark.usefixtures("impatient")
def test_a_server_that_refuses_costs_one_warning(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    folder = train(*ONLINE)
    assert RunDirectory(folder).status()["state"] == "finished"
    (warning,) = tracker_warnings(folder)
    assert "tracker=wandb does not work: " in warning
    assert "connection refused" in warning


@pytest.mark.usefixtures("impatient")
def test_a_server_that_never_answers_costs_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # it takes every connection
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{deaf.getsockname()[1]}")
        tracker = tracker_of(tmp_path, mode="online")
        tracker.begin([])
        tracker.epoch({"epoch": 1, "train/loss": 1.0})
        tracker.finish("finished")
    (warning,) = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert "context deadline exceeded" in warning


@pytest.mark.usefixtures("impatient")
def test_the_end_of_a_run_does_not_wait_long_for_a_server_that_is_gone(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = tracker_of(tmp_path, mode="online")
    tracker.begin([])
    server.shutdown()
    server.server_close()
    tracker.epoch({"epoch": 1, "train/loss": 1.0})
    tracker.finish("finished")
    (warning,) = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert "Timed out finishing run" in warning


def test_a_run_without_a_key_is_refused(
    server: Server, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    monkeypatch.setattr("wandb.errors.term.terminput", lambda *_, **__: pytest.fail("nobody is to be asked"))
    assert main([*TINY, *ONLINE]) == 2
    problem = f"there is no key for {server.address}; run `wandb login`, set WANDB_API_KEY, or choose"
    assert capfd.readouterr().err == f"error: tracker.mode=online: {problem} tracker.mode=offline\n"
    assert list(elsewhere.iterdir()) == []
    assert server.paths == []


def test_a_key_that_cannot_be_one_is_refused_and_not_repeated(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    assert main([*TINY, *ONLINE]) == 2
    error = capfd.readouterr().err
    assert error.startswith("error: tracker.mode=online: WANDB_API_KEY invalid: API key must have 40+ characters")
    assert "secret" not in error
    assert list(elsewhere.iterdir()) == []
