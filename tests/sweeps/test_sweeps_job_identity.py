"""How a sweep recognises a job, what it calls it, and what it does with it."""

from __future__ import annotations

import os
import re
import time
from datetime import timedelta
from pathlib import Path

import pytest

from autoenc.comparison.labels import labels
from autoenc.runs import RunDirectory, moment
from autoenc.runs.old_names import with_new_names
from autoenc.settings import ConfigError
from autoenc.sweeps.job_identity import check_identity, folder_name, identity, known_folders, sweep_name
from autoenc.sweeps.plan import action
from autoenc.sweeps.sweep_folder import with_all_keys
from tests.sweeps.tasks import values


def test_a_job_is_recognised_by_what_it_computes() -> None:
    known_as = identity(values(), swept=[])
    assert re.fullmatch("[0-9a-f]{10}", known_as)
    backwards = dict(reversed(values().items()))
    assert identity(backwards, swept=[]) == known_as
    assert identity(values(seed=1), swept=[]) != known_as
    training = {**values()["training"], "epochs": 2.0}
    assert identity(values(training=training), swept=[]) == known_as


@pytest.mark.parametrize("key", ["checkpoint_every", "snapshot_every"])
def test_saving_intervals_do_not_matter_unless_they_are_swept(key: str) -> None:
    other = values(training={**values()["training"], key: 77})
    assert identity(other, swept=["seed"]) == identity(values(), swept=["seed"])
    assert identity(other, swept=[f"training.{key}"]) != identity(values(), swept=[f"training.{key}"])
    longer = values(training={**values()["training"], "epochs": 77})
    assert identity(longer, swept=["seed"]) != identity(values(), swept=["seed"])


@pytest.mark.parametrize("key", ["data_dir", "figures", "figure_format", "tracker"])
def test_places_and_pictures_do_not_matter(key: str) -> None:
    assert identity(values(**{key: "other"}), swept=[]) == identity(values(), swept=[])


def test_of_the_device_only_the_precision_matters_unless_it_is_swept() -> None:
    device = values()["device"]
    threads = values(device={**device, "threads": 7})
    assert identity(threads, swept=["seed"]) == identity(values(), swept=["seed"])
    assert identity(threads, swept=["device.threads"]) != identity(values(), swept=["device.threads"])
    assert identity(threads, swept=["device.index"]) == identity(values(), swept=["device.index"])
    assert identity(threads, swept=["device"]) != identity(values(), swept=["device"])
    half = values(device={**device, "precision": "bfloat16"})
    assert identity(half, swept=[]) != identity(values(), swept=[])


@pytest.mark.parametrize("swept", [["seed"], ["dataset"]])
@pytest.mark.parametrize(("limit", "known_as"), [(50, "786c4306ca"), (None, "6d37656c78")])
def test_jobs_from_before_there_was_a_limit_for_the_test_split_are_recognised(
    limit: int | None, known_as: str, swept: list[str]
) -> None:
    dataset = {"name": "digits", "limit": limit, "validation_fraction": 0.1, "split_seed": 0, "shuffle": True}
    old = {
        "seed": 0,
        "architecture": {"name": "linear", "code_size": 8, "output": "identity"},
        "dataset": dataset,
        "training": {"epochs": 2, "batch_size": 16},
    }
    read = with_new_names(old, file="config.yaml")
    assert "test_limit" in read["dataset"]
    assert identity(read, swept=swept) == known_as  # as commit 0915622 computed it
    assert identity({**read, "dataset": {**dataset, "test_limit": 49}}, swept=swept) != known_as
    assert "initialize_part" in read
    assert identity(read, swept=["initialize_from"]) == known_as


def test_the_run_to_start_from_and_its_part_make_another_job() -> None:
    start = values(initialize_from="/pretrained")
    encoder = values(initialize_from="/pretrained", initialize_part="encoder")
    known = {identity(config, swept=[]) for config in (values(), start, encoder, values(initialize_from="/other"))}
    assert len(known) == 4


@pytest.mark.parametrize("swept", [["seed"], ["dataset"], ["dataset.size"]])
@pytest.mark.parametrize("change", [{"cache": False}, {"cache": True}, {"max_pixels": 89_478_485}])
def test_jobs_from_before_pictures_were_cached_are_recognised(change: dict[str, object], swept: list[str]) -> None:
    dataset = {"name": "image_folder", "path": "/pictures", "limit": 50, "size": [8, 8]}
    before = identity(values(dataset=dataset), swept=swept)
    assert identity(values(dataset={**dataset, **change}), swept=swept) == before
    (key,) = change
    assert identity(values(dataset={**dataset, **change}), swept=[f"dataset.{key}"]) != before
    assert identity(values(dataset={**dataset, "size": [9, 9]}), swept=swept) != before


def test_names_are_readable_and_safe() -> None:
    assert folder_name("conv, learning rate 0.01", identity="abc") == "conv-learning_rate_0.01-abc"
    assert folder_name("../x$(reboot) \N{SNOWMAN}\n", identity="abc") == "x_reboot-abc"
    assert folder_name("..", identity="abc") == "job-abc"
    long = folder_name("x" * 300, identity="abc")
    assert len(long) < 100
    assert long != folder_name("x" * 301, identity="abc")


def test_a_sweep_is_named_by_what_is_set_and_what_varies() -> None:
    fixed = ["dataset=mnist", "training.epochs=5", "seed=1", "device=cpu", "hydra/launcher=joblib", "sweep.rerun=all"]
    fixed.append("dataset.cache=true")
    name = sweep_name(fixed=fixed, swept=["optimizer.learning_rate", "architecture"])
    assert name == "mnist-epochs_5-seed_1-learning_rate-architecture"
    assert sweep_name(fixed=["seed=1", "training.epochs=5", "training.epochs=6"], swept=["seed"]) == "epochs_6-seed"
    assert sweep_name(fixed=["experiment=code_size"], swept=[]) == "code_size"
    assert sweep_name(fixed=["initialize_from=/a/b/c/"], swept=["seed"]) == "from_b_c-seed"
    assert sweep_name(fixed=[], swept=[]) == "sweep"


def test_jobs_that_do_not_set_a_key_are_distinguished_by_it() -> None:
    conv = values(architecture={**values()["architecture"], "name": "conv"})
    filled = with_all_keys([["seed=0"], ["seed=0", "architecture=conv"]], [values(), conv])
    assert filled == [["seed=0", "architecture=linear"], ["seed=0", "architecture=conv"]]


def test_equal_values_have_equal_labels_however_they_are_written() -> None:
    dataset = {**values()["dataset"], "shuffle": True, "validation_fraction": 0.1}
    jobs = [["seed=0", "dataset.shuffle=true", "dataset.validation_fraction=1e-1"], ["seed=1", "variant=quick"]]
    filled = with_all_keys(jobs, [values(dataset=dataset), values(seed=1, dataset=dataset)])
    assert labels(filled) == ["seed 0, null", "seed 1, quick"]
    assert filled[0][1:3] == filled[1][1:3] == ["dataset.shuffle=true", "dataset.validation_fraction=0.1"]
    assert with_all_keys(jobs, [{}, {}])[0] == [*jobs[0], "variant=null"]  # of jobs whose config is lost


def test_a_folder_is_found_by_its_identity_and_refused_with_another_config(tmp_path: Path) -> None:
    for name in ("a-b-0123456789", "c-abcdef0123", ".replaced"):
        (tmp_path / name).mkdir()
    (tmp_path / "sweep.json").touch()
    assert known_folders(tmp_path) == {
        "0123456789": tmp_path / "a-b-0123456789",
        "abcdef0123": tmp_path / "c-abcdef0123",
    }
    check_identity(tmp_path / "c-abcdef0123", identity="abcdef0123")
    with pytest.raises(ConfigError, match="has been changed"):
        check_identity(tmp_path / "c-abcdef0123", identity="0123456789")


def test_the_action_follows_from_the_state_of_a_job(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    assert action(folder, rerun="all") == "begin"
    folder.mkdir()
    assert action(folder, rerun="none") == "again"  # killed while the folder was made
    run = RunDirectory.begin(folder, config=values())
    assert action(folder, rerun="all") == "wait"  # this very process is at it
    run.set_state("interrupted")
    assert action(folder, rerun="none") == action(folder, rerun="failed") == "go_on"
    assert action(folder, rerun="all") == "again"
    run.set_state("finished")
    assert action(folder, rerun="none") == action(folder, rerun="failed") == "leave"
    for kind, what in {"raised": "again", "not_finite": "again", "killed": "go_on", "timed_out": "go_on"}.items():
        run.set_failed_from_outside({"kind": kind, "message": ""})
        assert action(folder, rerun="failed") == what
        assert action(folder, rerun="none") == "leave"


def test_a_stopped_rerun_all_is_continued(tmp_path: Path) -> None:
    run = RunDirectory.begin(tmp_path / "job", config=values())
    run.set_state("finished")
    began = moment(run.status()["started_at"])
    assert began is not None
    before, after = began - timedelta(microseconds=1), began + timedelta(microseconds=1)
    assert action(run.path, rerun="all", anew_since=before) == "leave"
    assert action(run.path, rerun="all", anew_since=after) == "again"
    run.set_state("interrupted")
    assert action(run.path, rerun="all", anew_since=before) == "go_on"
    assert action(run.path, rerun="all", anew_since=after) == "again"
    run.set_failed_from_outside({"kind": "raised", "message": ""})
    assert action(run.path, rerun="all", anew_since=before) == "again"
    run._write_json("status.json", {**run.status(), "state": "finished", "started_at": None})
    assert action(run.path, rerun="all", anew_since=before) == "again"


def test_a_job_whose_process_is_gone_continues(tmp_path: Path) -> None:
    run = RunDirectory.begin(tmp_path / "job", config=values())
    run._write_json("status.json", {**run.status(), "process_started_at": "2020-01-01T00:00:00+00:00"})
    assert action(run.path, rerun="failed") == "go_on"  # the number is another process's by now


def test_a_job_on_another_machine_is_waited_for_while_it_writes(tmp_path: Path) -> None:
    run = RunDirectory.begin(tmp_path / "job", config=values())
    run._write_json("status.json", {**run.status(), "host": "elsewhere"})
    assert action(run.path, rerun="failed") == "wait"
    for path in run.path.iterdir():
        os.utime(path, (0, time.time() - 7200))
    assert action(run.path, rerun="failed") == "go_on"
