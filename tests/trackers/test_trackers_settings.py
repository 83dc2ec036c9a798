"""The settings of trackers, checked before a run begins."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from autoenc.command_line import main
from autoenc.runs import RunDirectory
from autoenc.settings import ConfigError
from autoenc.trackers.choices import Mlflow, Wandb
from tests.conftest import TINY, Train

PACKAGES = {"tensorboard": "tensorboard_events", "mlflow": "mlflow_run", "wandb": "wandb_run"}


@pytest.mark.parametrize("tracker", PACKAGES)
def test_a_missing_package_is_reported_before_a_folder_is_made(
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


def test_a_run_without_a_tracker_imports_none(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in PACKAGES]:
        monkeypatch.delitem(sys.modules, name)
    for tracker in PACKAGES:
        monkeypatch.setitem(sys.modules, tracker, None)
    train()


@pytest.mark.parametrize(
    "uri", ["sqlite:///outputs/mlflow.db", "sqlite:////var/a b/runs.db", "http://localhost:5000", "https://a.example/x"]
)
def test_a_file_and_a_server_are_addresses(uri: str) -> None:
    assert Mlflow(tracking_uri=uri, experiment="autoenc").tracking_uri == uri


@pytest.mark.parametrize(
    "uri",
    ["", "mlruns", "sqlite:///", "sqlite:///:memory:", "sqlite:///a%20b.db", "http://", "postgresql://host/runs"],
)
def test_other_addresses_are_refused(uri: str) -> None:
    with pytest.raises(ConfigError, match=r"^tracker\.tracking_uri=.*: it must be a file, as sqlite:///outputs"):
        Mlflow(tracking_uri=uri, experiment="autoenc")


@pytest.mark.parametrize("uri", ["https://me:secret@a.example", "http://secret@a.example"])
def test_a_password_is_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(ConfigError, match=r"^tracker\.tracking_uri: it may not hold a password") as caught:
        Mlflow(tracking_uri=uri, experiment="autoenc")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    ["http://[secret", "http://a.example:secret", "https://a.example/?token=secret", "sqlite:///a#secret"],
)
def test_an_unreadable_or_secret_address_is_refused_and_not_repeated(uri: str) -> None:
    problem = r"^tracker\.tracking_uri: (this is not an address: |it may not have a part)"
    with pytest.raises(ConfigError, match=problem) as caught:
        Mlflow(tracking_uri=uri, experiment="autoenc")
    assert "se" not in str(caught.value).replace("secrets", "")
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_an_experiment_has_a_name() -> None:
    with pytest.raises(ConfigError, match=r"^tracker\.experiment= : it must be a name"):
        Mlflow(tracking_uri="http://localhost:5000", experiment=" ")


@pytest.mark.parametrize("project", [" ", "me/mine", "50%"])
def test_a_project_has_a_name_that_wandb_takes(project: str) -> None:
    with pytest.raises(ConfigError, match=rf"^tracker\.project={project}: it must be a name without any of / \\ # "):
        Wandb(mode="offline", project=project, entity=None)


def test_a_run_older_than_trackers_is_resumed_and_rerun_without_one(train: Train) -> None:
    folder = train()
    config = (folder / "config.yaml").read_text()
    assert "tracker:\n  name: none\n" in config
    (folder / "config.yaml").write_text(config.replace("tracker:\n  name: none\n", ""))
    assert main(["rerun=run", "hydra.run.dir=again"]) == 0
    RunDirectory(folder).set_state("interrupted")
    assert main(["resume=run"]) == 0
