"""The study on the disk: it belongs to one search, and survives a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from autoenc.settings import ConfigError
from autoenc.sweeps.sweepers.study import FILE
from tests.conftest import REPOSITORY
from tests.sweeps.searches import BATCH, CONFIG, RATE, begin, fail, go_through, take, trials_of

# --- one study, one search ---


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": "mse"}, "hydra.sweeper.metric=mse: the study in this sweep's folder was begun with loss; "),
        ({"direction": "maximize"}, "hydra.sweeper.direction=maximize: the study .* was begun with minimize; "),
        (
            {"overrides": ["optimizer.learning_rate=interval(1e-4, 1e-1)", BATCH]},
            r"optimizer.learning_rate=interval\(0.0001, 0.1\): .* with tag\(log, interval\(0.0001, 0.1\)\); ",
        ),
        ({"overrides": [RATE]}, r"training.batch_size='64': .* with choice\(128, 32, 64\); "),
        ({"overrides": [RATE, BATCH, "noise.std=interval(0, 1)"]}, "noise.std=interval.*begun with not set; "),
        (
            {"config": {**CONFIG, "training": {"epochs": 10, "batch_size": 64}}},
            "training.epochs='10': the study .* was begun with 3; another search needs another sweep.name",
        ),
        ({"config": {**CONFIG, "seed": 7}}, "seed='7': the study .* was begun with not set; "),
    ],
)
def test_a_study_on_other_terms_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    go_through(tmp_path, begin(tmp_path, n_trials=2))
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(ConfigError, match=message):
        begin(tmp_path, **changes)
    assert (tmp_path / FILE).read_bytes().startswith(before)
    begin(tmp_path)


def test_settings_of_a_group_that_varies_belong_to_the_terms(tmp_path: Path) -> None:
    config = {**CONFIG, "architecture": {"name": "mlp", "code_size": 8, "hidden": [64]}}
    overrides = ["architecture=mlp,conv", "architecture.code_size=8"]
    begin(tmp_path, overrides=overrides, config=config)
    other_choice = {**config, "architecture": {"name": "conv", "code_size": 8, "channels": [4]}}
    begin(tmp_path, overrides=overrides, config=other_choice)
    with pytest.raises(ConfigError, match=r"architecture.code_size=.*=16: the study .* was begun with .*=8; "):
        begin(tmp_path, overrides=["architecture=mlp,conv", "architecture.code_size=16"], config=config)


def test_settings_that_change_no_number_are_accepted(tmp_path: Path) -> None:
    begin(tmp_path)
    elsewhere = {**CONFIG, "device": {"name": "cuda", "precision": "float32"}, "data_dir": "/elsewhere"}
    varied = {**elsewhere, "optimizer": {"name": "adam", "learning_rate": 0.1}}
    begin(tmp_path, config=varied, overrides=[BATCH, RATE], direction="minimize", n_trials=99)


def test_a_folder_may_be_moved(tmp_path: Path) -> None:
    go_through(tmp_path / "here", begin(tmp_path / "here", n_trials=2, study_name="s"))
    (tmp_path / "here").rename(tmp_path / "there")
    assert take(begin(tmp_path / "there", study_name="s")).number == 2


def test_a_study_in_a_database(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/studies.db"
    sweep = tmp_path / "rates"
    search = begin(sweep, n_trials=4, storage=storage)
    lost = take(search)
    search.ended(lost, fail(sweep, lost))
    go_through(sweep, search, most=1)
    running = take(search)
    search = begin(sweep, n_trials=4, storage=storage)
    assert [take(search), take(search)] == [lost, running]
    assert not (sweep / FILE).exists()
    begin(tmp_path / "others", n_trials=4, storage=storage)
    with pytest.raises(
        ConfigError, match=r"study_name=rates: the study belongs to the sweep in .*/rates; choose another"
    ):
        begin(tmp_path / "rates2", storage=storage, study_name="rates")


@pytest.mark.parametrize(
    "storage", ["sqlite:////nonexistent/studies.db", "no address", "mysql://me:secret@127.0.0.1:1/studies"]
)
def test_an_unreachable_database_is_reported_without_its_address(tmp_path: Path, storage: str) -> None:
    with pytest.raises(ConfigError, match=r"hydra.sweeper.storage: the study cannot be opened or written: ") as caught:
        begin(tmp_path, storage=storage)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_study_of_another_program_is_refused(tmp_path: Path) -> None:
    import optuna

    storage = f"sqlite:///{tmp_path}/studies.db"
    optuna.create_study(storage=storage, study_name="theirs").optimize(lambda trial: trial.suggest_float("x", 0, 1), 1)
    with pytest.raises(ConfigError, match="study_name=theirs: the study belongs to another program; choose"):
        begin(tmp_path / "rates", storage=storage, study_name="theirs")


# --- killed ---


def test_half_a_line_and_an_old_lock_are_repaired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_through(tmp_path, begin(tmp_path, n_trials=3))
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"op_code":4,"worker_id":"')
    (tmp_path / f"{FILE}.lock").touch()
    # Optuna itself would wait 30 s for the lock.
    monkeypatch.setattr("optuna.storages.journal._file.time.sleep", lambda _: pytest.fail("it waits for the lock"))
    go_through(tmp_path, begin(tmp_path, n_trials=5))
    assert len(trials_of(begin(tmp_path, n_trials=5))) == 5


def test_a_damaged_journal_is_reported_in_one_line(tmp_path: Path) -> None:
    begin(tmp_path)
    (tmp_path / FILE).write_text("nonsense\n{}\n")
    with pytest.raises(ConfigError, match=r"optuna.journal: the study cannot be opened or written: ") as caught:
        begin(tmp_path)
    assert "\n" not in str(caught.value)


KILLED = """
from pathlib import Path
from tests.sweeps.searches import begin, finish, take
sweep = Path({sweep!r})
search = begin(sweep, n_trials=10_000, sampler={{"name": "random", "seed": 0}})
while True:
    proposal = take(search)
    search.ended(proposal, finish(sweep, proposal))
    print(proposal.number, flush=True)
"""


def test_a_search_continues_after_a_kill_at_any_moment(tmp_path: Path) -> None:
    sampler = {"name": "random", "seed": 0}
    told = -1
    for pause in (0.0, 0.007):
        command = [sys.executable, "-c", KILLED.format(sweep=str(tmp_path))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
            assert process.stdout is not None
            for _ in range(5):
                told = int(process.stdout.readline())
            time.sleep(pause)
            os.kill(process.pid, signal.SIGKILL)
            told = max([told, *(int(line) for line in process.stdout if line.endswith("\n"))])
        search = begin(tmp_path, n_trials=10_000, sampler=sampler)
        found = trials_of(search)
        assert [trial.number for trial in found] == list(range(len(found)))
        assert all(trial.state == "finished" for trial in found[: told + 1])
        assert len(found) - (told + 1) <= 2
    left = [trial for trial in found if trial.state == "running"]
    assert [take(search).number for _ in left] == [trial.number for trial in left]
    whole = begin(tmp_path / "whole", n_trials=len(found), sampler=sampler)
    go_through(tmp_path / "whole", whole)
    assert [trial.params for trial in found] == [trial.params for trial in trials_of(whole)]
