"""Which folders are runs, what they are called, and how they stand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from autoenc.runs import RunDirectory, RunRecord, read_runs
from autoenc.settings import ConfigError
from tests.comparison.run_folders import CONFIG, SUMMARY, make_run, make_sweep, row


def read(*folders: Path, history: bool = True) -> list[RunRecord]:
    return read_runs(folders, history=history)


def one(folder: Path) -> RunRecord:
    (record,) = read(folder)
    return record


def test_a_finished_run_is_read_whole(tmp_path: Path) -> None:
    record = one(make_run(tmp_path / "run"))
    assert (record.name, record.label, record.state, record.problems) == ("run", "run", "finished", ())
    assert record.path == tmp_path / "run"
    assert record.config == CONFIG
    assert record.summary == SUMMARY
    assert record.environment == {"device": "cpu"}
    assert record.status["state"] == "finished"
    assert [each["epoch"] for each in record.history] == [1, 2, 3, 4, 5]
    assert record.metrics["test.mse"] == 0.25
    assert record.settings["architecture"] == "linear"
    assert record.sweep is None
    assert record.changed_at is not None


def test_what_the_run_directory_writes_is_read(tmp_path: Path) -> None:
    config = {**CONFIG, "training": {"epochs": 2, "rate": 1e-7, "text": "2024-01-01", "words": "yes", "none": None}}
    run = RunDirectory.begin(tmp_path / "run", config=config)
    run.append_metrics({"epoch": 1, "train/loss": 1e-9})
    assert one(run.path).state == "running"  # this process lives
    run.set_state("running", phase="drawing")
    assert (one(run.path).state, one(run.path).status["phase"]) == ("running", "drawing")
    run.write_summary(SUMMARY)
    run.set_state("finished")
    record = one(run.path)
    assert (record.state, record.status["phase"]) == ("finished", None)
    assert record.config == run.config() == config
    assert list(record.history) == run.metrics()
    run.set_state("failed", error={"kind": "out_of_memory", "message": "too large"})
    record = one(run.path)
    assert (record.state, record.error_kind, record.error_message) == ("failed", "out_of_memory", "too large")
    assert not run.diverged

    run.set_state("failed", error={"kind": "not_finite", "message": "the loss"})
    record = one(run.path)
    assert (record.state, record.error_kind, record.error_message) == ("diverged", "not_finite", "the loss")
    assert run.diverged


def test_a_tree_of_folders_is_walked_and_every_run_is_named_by_its_place(tmp_path: Path) -> None:
    for name in ("2026-01-31/12-00-00-000000", "2026-01-31/9-00-00-000000", "deep/er/still"):
        make_run(tmp_path / name)
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("no run")
    expected = ["2026-01-31/9-00-00-000000", "2026-01-31/12-00-00-000000", "deep/er/still"]
    records = read(tmp_path)
    assert [record.name for record in records] == expected
    assert [record.label for record in records] == expected


def test_the_same_run_is_read_once(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a" / "run")
    (tmp_path / "link").symlink_to(run)
    assert [record.name for record in read(tmp_path, run, tmp_path / "link", tmp_path / "a" / ".." / "a")] == ["a/run"]


def test_names_are_told_apart_by_the_folders_that_were_asked_for(tmp_path: Path) -> None:
    for name in ("a/0", "b/0", "b/1"):
        make_run(tmp_path / name)
    assert [record.name for record in read(tmp_path / "a", tmp_path / "b")] == ["a/0", "b/0", "b/1"]
    assert [record.name for record in read(tmp_path / "a" / "0", tmp_path / "b" / "1")] == ["0", "1"]


def test_a_folder_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"FOLDER=.*nowhere: there is no such folder"):
        read(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="this is a file"):
        read(tmp_path / "file")
    with pytest.raises(ConfigError, match="there is no such folder"):
        read(Path("a\0b"))
    assert read(tmp_path) == []


@pytest.mark.parametrize("as_table", [False, True])
def test_a_sweep_gives_labels_and_the_jobs_that_have_not_begun(tmp_path: Path, as_table: bool) -> None:
    labels = {"10-b": "ten", "2-a": "two", "nothing": "three"}
    jobs = {name: {"label": label, "identity": "x", "overrides": ["a=1"]} for name, label in labels.items()}
    sweep = make_sweep(tmp_path / "sweep", jobs if as_table else labels)
    make_run(sweep / "2-a")
    make_run(sweep / "10-b")
    make_run(sweep / "stranger")
    (sweep / "nothing" / ".hydra").mkdir(parents=True)
    records = read(tmp_path)
    assert [(record.label, record.state) for record in records] == [
        ("sweep: ten", "finished"),
        ("sweep: two", "finished"),
        ("sweep: three", "waiting"),
        ("sweep/stranger", "finished"),
    ]
    assert [record.sweep for record in records] == [sweep, sweep, sweep, None]
    assert records[2].path == sweep / "nothing"
    assert records[2].name == "sweep/nothing"
    assert [record.label for record in read(sweep / "10-b")] == ["ten"]  # a job alone, and not those that wait


def test_jobs_are_called_by_their_sweep_unless_all_runs_are_of_one(tmp_path: Path) -> None:
    for name in ("rates", "sizes", "kinds"):
        sweep = make_sweep(tmp_path / "sweeps" / name, {"0": "plain"} if name != "kinds" else {"0": "x"})
        make_run(sweep / "0")
        make_run(sweep / "1")
    labels = [record.label for record in read(tmp_path / "sweeps")]
    assert labels == ["kinds: x", "kinds/1", "rates: plain", "rates/1", "sizes: plain", "sizes/1"]
    shutil.rmtree(tmp_path / "sweeps" / "kinds" / "1")
    assert [record.label for record in read(tmp_path / "sweeps" / "kinds")] == ["x"]
    make_run(tmp_path / "alone")
    assert [record.label for record in read(tmp_path)][:2] == ["alone", "kinds: x"]
    assert [record.label for record in read(tmp_path / "alone", tmp_path / "sweeps" / "rates" / "0")] == [
        "alone",
        "rates: plain",
    ]


@pytest.mark.parametrize("text", ["{", "[]", '{"jobs": [1]}', '{"jobs": {"../x": "a", "/etc": "b", "..": 1}}'])
def test_a_sweep_s_file_that_is_not_right_loses_no_run(tmp_path: Path, text: str) -> None:
    make_run(tmp_path / "sweep" / "0")
    (tmp_path / "sweep" / "sweep.json").write_bytes(text.encode("latin-1"))
    found, *_ = read(tmp_path)
    assert (found.name, found.state) == ("sweep", "unreadable")
    assert found.problems[0].startswith("sweep.json ")
    assert [(record.name, record.state) for record in read(tmp_path)][1:] == [("sweep/0", "finished")]


@pytest.mark.parametrize("state", ["failed", "interrupted"])
def test_other_states_are_told(tmp_path: Path, state: str) -> None:
    record = one(make_run(tmp_path / "run", state=state, error={"kind": "raised", "message": "a\nb"}))
    assert record.state == state
    assert record.error_message == ("a\\nb" if state == "failed" else None)


def test_a_run_that_failed_before_it_had_a_config_is_told(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", state="failed", error={"kind": "killed", "message": "gone"})
    (run / "config.yaml").unlink()
    record = one(run)
    assert (record.state, record.error_kind) == ("failed", "killed")
    assert record.problems == ("config.yaml is missing.",)


def test_half_written_folders_are_listed_with_the_reason(tmp_path: Path) -> None:
    (make_run(tmp_path / "a") / "status.json").unlink()
    (make_run(tmp_path / "b") / "summary.json").unlink()
    (make_run(tmp_path / "c") / "config.yaml").unlink()
    (make_run(tmp_path / "d") / "status.json").write_text("")
    (make_run(tmp_path / "e") / "summary.json").write_text('{"test": {"mse"')
    (make_run(tmp_path / "f") / "config.yaml").write_text("")
    (make_run(tmp_path / "g") / "status.json").write_text('{"state": "resting"}')
    records = read(tmp_path)
    assert {record.state for record in records} == {"unreadable"}
    problems = [record.problems[0] for record in records]
    assert problems[0] == "status.json is missing."
    assert problems[1] == "summary.json is missing."
    assert problems[2] == "config.yaml is missing."
    assert problems[3].startswith("status.json is no JSON: ")
    assert problems[4].startswith("summary.json is no JSON: ")
    assert problems[5] == "config.yaml holds no keys."
    assert problems[6] == "status.json does not name a state that a run can have."
    assert records[0].config == CONFIG  # what can be read is there


def test_metrics_are_read_as_far_as_they_are_whole(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", state="running", epochs=2)
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 3, "train')
    assert [each["epoch"] for each in one(run).history] == [1, 2]
    assert one(run).problems == ()
    with (run / "metrics.jsonl").open("a") as file:
        file.write(f'\nnonsense\n[1]\n"x"\n{{"epoch": 4}},{{"epoch": 5}}\n{json.dumps(row(6))}\n')
    assert [each["epoch"] for each in one(run).history] == [1, 2, 6]
    assert one(run).problems == ("metrics.jsonl has 5 line(s) that are no row of metrics, which are left out.",)
    (run / "metrics.jsonl").write_text("")
    assert one(run).history == ()
    (run / "metrics.jsonl").unlink()
    assert (one(run).history, one(run).problems) == ((), ())


def test_without_the_history_only_the_last_rows_are_read(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", epochs=1000)
    (short,) = read(run, history=False)
    assert [each["epoch"] for each in short.history][-1] == 1000
    assert 50 < len(short.history) < 500
    assert len(one(run).history) == 1000
    assert one(run).problems == short.problems == ()


def test_other_programs_folders_are_left_out_unless_they_are_asked_for(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    (run / ".hydra").mkdir()
    (run / ".hydra" / "config.yaml").write_text((run / "config.yaml").read_text())
    make_run(run / "checkpoints" / "last")
    foreign = {
        "conf": "defaults: [architecture: linear]\narchitecture: {}\ndataset: {}\ntraining: {}\n",
        "hydra": "hydra: {run: {}}\narchitecture: {}\ndataset: {}\ntraining: {}\n",
        "wandb": "wandb_version: 1\nlearning_rate: {value: 0.1}\n",
        "list": "- 1\n- 2\n",
    }
    for name, text in foreign.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(text)
    (tmp_path / "wandb" / "summary.json").write_text('{"loss": 1}')
    (tmp_path / "wandb" / "status.json").write_text('{"state": "ok"}')
    make_run(tmp_path / "wandb" / "inside")
    assert [record.name for record in read(tmp_path)] == ["run", "wandb/inside"]
    record = one(tmp_path / "conf")
    assert (record.state, record.problems) == ("unreadable", ("The files in it are not those of a run.",))


def test_nothing_is_written(tmp_path: Path) -> None:
    make_run(tmp_path / "run", state="running")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    read(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_digests_are_read_from_the_summary(tmp_path: Path) -> None:
    assert one(make_run(tmp_path / "early")).digests == {}
    run = RunDirectory.begin(tmp_path / "run", config=CONFIG)
    run.write_summary({**SUMMARY, "digests": {"train": "ab", "test": None, "validation": 3}, "duplicates": {"test": 2}})
    run.set_state("finished")
    record = one(run.path)
    assert record.digests == {"train": "ab"}
    assert record.problems == ("summary.json has entries of the wrong type, which are left out.",)
    assert record.summary["duplicates"] == {"test": 2}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "nats; nats an image, Gaussian likelihood of standard deviation 0.7071; pixels grey",
            "nats; density of grey pixels",
        ),
        ("nats; nats an image, continuous Bernoulli likelihood; pixels grey", "nats; density of grey pixels"),
        (
            "nats; nats an image, Bernoulli likelihood; pixels statically binarized",
            "nats; Bernoulli probability of statically binarized pixels",
        ),
        (
            "error, pixels in [0, 1]; from the noisy input",
            "error, pixels in [0, 1]; from the noisy input to the clean image",
        ),
        ("squares", "squares"),
    ],
)
def test_units_of_the_first_runs_are_read_as_today_s(tmp_path: Path, old: str, new: str) -> None:
    summary = {**SUMMARY, "units": {"mse": old, "wrong": 3}}
    assert one(make_run(tmp_path / "run", summary=summary)).units == {"mse": new}
