"""What a tracker needs and what it may be told, before there is a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from autoenc.command_line import main
from autoenc.runs import RunDirectory
from autoenc.settings import ConfigError
from autoenc.trackers import TRACKERS, TrackedRun
from autoenc.trackers.mlflow import MlflowSettings
from tests.conftest import TINY, Train

PACKAGES = {"tensorboard": "event_files", "mlflow": "mlflow_runs"}


@pytest.mark.parametrize("tracker", PACKAGES)
def test_what_is_not_installed_is_said_before_there_is_a_folder(
    tracker: str, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, f"autoenc.trackers.{PACKAGES[tracker]}", raising=False)
    for module in [name for name in sys.modules if name.partition(".")[0] == tracker]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, tracker, None)  # as if it were not there
    assert main([*TINY, f"tracker={tracker}"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: tracker={tracker}: it cannot be imported (")
    assert error.endswith(f"); pip install 'autoenc[{tracker}]'\n")
    assert error.count("\n") == 1
    assert list(elsewhere.iterdir()) == []


def test_none_does_nothing(tmp_path: Path) -> None:
    settings = TRACKERS.parse({"name": "none"})
    settings.require()
    run = TrackedRun(RunDirectory(tmp_path), "a run", values={}, units={})
    tracker = settings.build(run)
    tracker.begin([])
    tracker.epoch({"epoch": 1})
    tracker.finish("finished")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_none_imports_neither(elsewhere: Path) -> None:
    program = (
        "import sys; from autoenc.command_line import main; assert main(sys.argv[1:]) == 0;"
        "print([name for name in ('mlflow', 'tensorboard') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program, *TINY], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "uri", ["sqlite:///outputs/mlflow.db", "sqlite:////var/a b/runs.db", "http://localhost:5000", "https://a.example/x"]
)
def test_a_file_or_a_server_is_an_address(uri: str) -> None:
    assert MlflowSettings(tracking_uri=uri, experiment="autoenc").tracking_uri == uri


@pytest.mark.parametrize(
    "uri",
    ["", "mlruns", "sqlite:///", "sqlite://", "sqlite:///:memory:", "sqlite:///a%20b.db", "file:mlruns", "http://",
     "databricks", "postgresql://host/runs", "sqlite+other:///a.db"],
)  # fmt: skip
def test_nothing_else_is(uri: str) -> None:
    with pytest.raises(
        ConfigError, match=r"^tracker\.tracking_uri=.*: it must be a file, as sqlite:///outputs/mlflow.db"
    ):
        MlflowSettings(tracking_uri=uri, experiment="autoenc")


@pytest.mark.parametrize("uri", ["https://me:secret@a.example", "http://secret@a.example", "postgresql://a:secret@b/c"])
def test_a_password_is_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(ConfigError, match=r"^tracker\.tracking_uri: no password may stand here") as caught:
        MlflowSettings(tracking_uri=uri, experiment="autoenc")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    ["http://[secret", "http://a.example:secret", "http://me:se/cret@a.example", "http://a.example:99999/secret",
     "https://a.example/?token=secret", "https://a.example/#secret", "sqlite:///a.db?key=secret", "sqlite:///a#secret"],
)  # fmt: skip
def test_what_cannot_be_read_or_may_hold_a_secret_is_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(
        ConfigError, match=r"^tracker\.tracking_uri: (this is no address: |an address here has no)"
    ) as caught:
        MlflowSettings(tracking_uri=uri, experiment="autoenc")
    assert "se" not in str(caught.value).replace("secrets", "")
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_an_experiment_has_a_name() -> None:
    with pytest.raises(ConfigError, match=r"^tracker\.experiment= : it must be a name"):
        MlflowSettings(tracking_uri="http://localhost:5000", experiment=" ")


@pytest.mark.parametrize("command", ["resume", "rerun"])
def test_a_run_from_before_there_were_trackers_goes_on_without_one(command: str, train: Train) -> None:
    folder = train()
    config = (folder / "config.yaml").read_text()
    assert "tracker:\n  name: none\n" in config
    (folder / "config.yaml").write_text(config.replace("tracker:\n  name: none\n", ""))
    if command == "resume":
        RunDirectory(folder).set_state("interrupted")
    assert main([f"{command}=run"]) == 0
