"""`resume=RUN training.epochs=N`: the same run as one of N epochs from the start, or a reason in one line."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import autoenc
from autoenc.command_line import main
from autoenc.config import parse
from autoenc.experiment.longer_training import change_sentences, check_change, more_epochs
from autoenc.runs import RunDirectory, read_run, read_runs
from autoenc.settings import ConfigError
from autoenc.training.step import NotFiniteError
from tests.conftest import TINY, Train
from tests.training.test_training_loop import MLP, assert_same_run, killed_at, last, stop_at

VARIATIONS = {
    "noise, shuffling, Adam, snapshots of some epochs": ("training.snapshot_every=2",),
    "batch norm, no validation split": (
        *("bottleneck=wasserstein", *MLP, "architecture.batch_norm=true", "noise=none"),
        "dataset.validation_fraction=0",
    ),
    "variational, warmed up over the longer training": (
        *("bottleneck=gaussian", "bottleneck.warmup_epochs=5", "loss=gaussian", "noise=none"),
    ),
    "noise that weakens over a set number of epochs": ("training.severity_end=0.1", "training.severity_epochs=2"),
    "sgd, no shuffling, fixed snapshots": ("optimizer=sgd", "dataset.shuffle=false", "training.snapshot_every=4"),
}


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A run of six epochs, trained once for each set of overrides."""
    made: dict[tuple[str, ...], Path] = {}

    def call(*overrides: str) -> Path:
        if overrides not in made:
            made[overrides] = tmp_path_factory.mktemp("six") / "run"
            assert main([*TINY, "training.epochs=6", *overrides, f"hydra.run.dir={made[overrides]}"]) == 0
        return made[overrides]

    return call


@pytest.fixture(scope="module")
def _once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("once") / "run"
    assert main([*TINY, f"hydra.run.dir={folder}"]) == 0
    return folder


@pytest.fixture
def trained(_once: Path, elsewhere: Path) -> Path:
    """A copy of a finished run of three epochs in the folder `run`."""
    return shutil.copytree(_once, elsewhere / "run")


def times(run: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in run.rglob("*")}


def refused(run: Path, *overrides: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The error, of one line; nothing is written."""
    before = times(run)
    capsys.readouterr()
    assert main([f"resume={run}", *overrides]) == 2
    assert times(run) == before
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("overrides", VARIATIONS.values(), ids=VARIATIONS)
def test_three_epochs_and_three_more_equal_six(
    overrides: tuple[str, ...], train: Train, six: Callable[..., Path]
) -> None:
    run = train(*overrides)
    assert main(["resume=run", "training.epochs=6"]) == 0
    assert_same_run(run, six(*overrides))
    longer, whole = (RunDirectory(folder) for folder in (run, six(*overrides)))
    assert longer.config() == whole.config()
    assert longer.summary()["best_epoch"] == whole.summary()["best_epoch"]
    assert longer.summary()["epochs"] == 6


def test_a_longer_run_has_the_snapshots_of_its_interval(train: Train) -> None:
    """Seven epochs have a snapshot each, and eight every second one."""
    run = train("training.snapshot_every=null", "training.epochs=7", "training.batch_size=90")
    assert snapshots(run) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert main(["resume=run", "training.epochs=8"]) == 0
    assert snapshots(run) == [0, 2, 4, 6, 8]


def snapshots(run: Path) -> list[int]:
    return sorted(int(name.removeprefix("snapshot:")) for name in last(run).trainer if name.startswith("snapshot:"))


@pytest.mark.parametrize("step", [1, 10])
def test_a_killed_run_can_be_lengthened(
    step: int, train: Train, six: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first step there is no checkpoint yet."""
    killed_at(step, train, monkeypatch)
    assert main(["resume=run", "training.epochs=6"]) == 0
    assert_same_run(Path("run"), six())
    (change,) = RunDirectory(Path("run")).status()["training_changes"]
    assert (change["finished_epochs"], change["results"]) == (step // 6, None)


def test_a_lengthened_run_can_be_interrupted_and_resumed(
    trained: Path,
    six: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stop_at(9, lambda: signal.raise_signal(signal.SIGTERM), monkeypatch)
    with pytest.raises(SystemExit):
        main(["resume=run", "training.epochs=6"])
    monkeypatch.undo()
    assert capsys.readouterr().out.rstrip().endswith(" resume=run")
    assert main(["resume=run"]) == 0
    assert_same_run(trained, six())
    assert len(RunDirectory(trained).status()["training_changes"]) == 1


def test_an_interrupted_run_can_be_ended_earlier(
    train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    killed_at(10, lambda: train("training.epochs=6"), monkeypatch)  # in epoch 2
    line = refused(Path("run"), "training.epochs=1", capsys=capsys)
    assert "training.epochs=1: this run is in epoch 2 already; give a larger number, or start a new" in line
    assert main(["resume=run", "training.epochs=2"]) == 0
    assert_same_run(Path("run"), train("training.epochs=2", folder="two"))


def test_the_history_and_the_earlier_results_are_kept(trained: Path) -> None:
    before = (trained / "summary.json").read_bytes(), (trained / "index.html").read_bytes()
    assert main(["resume=run", "training.epochs=4"]) == 0
    run = RunDirectory(trained)
    assert run.config()["training"]["epochs"] == 4
    (change,) = run.status()["training_changes"]
    lengths = {"epochs": 3, "patience": None}, {"epochs": 4, "patience": None}
    assert (change["finished_epochs"], change["before"], change["after"]) == (3, *lengths)
    earlier = trained / change["results"]
    assert earlier.name == "after_3_epochs"
    assert before == ((earlier / "summary.json").read_bytes(), (earlier / "index.html").read_bytes())
    assert sorted(path.name for path in earlier.iterdir()) == [
        *("figures", "index.html", "summary.json", "test_errors.npz")
    ]
    (sentence,) = change_sentences(run.status())
    for name in ("train.log", "index.html"):
        assert sentence in (trained / name).read_text()
    assert sentence.startswith("After 3 epochs, resume= changed training.epochs from 3 to 4 (")
    assert "The test split had been scored by then; after_3_epochs/ has these scores and pictures." in sentence
    assert [record.name for record in read_runs([trained.parent])] == ["run"]
    assert main(["resume=run", "training.epochs=5"]) == 0
    assert [change["results"] for change in run.status()["training_changes"]] == ["after_3_epochs", "after_4_epochs"]


@pytest.mark.parametrize("state", ["interrupted", "diverged"])
def test_an_unfinished_longer_run_has_no_scores_and_loses_none(
    state: str, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop() -> None:
        if state == "diverged":
            raise NotFiniteError("the loss was not finite")
        signal.raise_signal(signal.SIGTERM)

    scores = RunDirectory(trained).summary()
    stop_at(2, stop, monkeypatch)
    if state == "interrupted":
        with pytest.raises(SystemExit):
            main(["resume=run", "training.epochs=6"])
    else:
        assert main(["resume=run", "training.epochs=6"]) == 1
    record = read_run(trained)
    assert (record.state, record.metrics, record.scores) == (state, {}, {})
    assert not [name for name in ("index.html", "figures", "test_errors.npz") if (trained / name).exists()]
    assert json.loads((trained / "after_3_epochs" / "summary.json").read_text()) == scores
    if state == "diverged":  # in its first step: it can become the shorter run again
        monkeypatch.undo()
        assert main(["resume=run", "training.epochs=3"]) == 0
        assert RunDirectory(trained).summary()["test"] == scores["test"]


def test_results_never_replace_earlier_ones(trained: Path) -> None:
    (trained / "after_3_epochs").mkdir()
    assert main(["resume=run", "training.epochs=4"]) == 0
    assert (trained / "after_3_epochs.2" / "summary.json").is_file()
    assert list((trained / "after_3_epochs").iterdir()) == []


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["training.epochs=3"], "training.epochs=3: this run has already trained 3 epochs; give a larger number, or"),
        (["training.patience=9"], "training.epochs=3: this run has already trained 3 epochs"),
        (["training.epochs=2"], "training.epochs=2: this run has already trained 3 epochs"),
        (["training.epochs=abc"], "training.epochs=abc: it must be a whole number of at least 1"),
        (["training.epochs=0"], "training.epochs=0: it must be a whole number of at least 1"),
        (["training.epochs=null"], "training.epochs=null: it must be a whole number of at least 1"),
        (["training.epochs=10,20"], "training.epochs=10,20: these are several values; resume= continues one run"),
        (["training.epochs=10", "-m"], "resume=RUN: one run at a time: it does not go with --multirun"),
        (
            ["training.epochs=10", "training.batch_size=8"],
            "resume=RUN: a resumed run keeps its settings, all but tracker, dataset.path, training.epochs, "
            "training.patience, and 'training.batch_size=8' is set; use rerun= to change them",
        ),
        (["~training.epochs"], "and '~training.epochs' is set"),
    ],
    ids=str,
)
def test_what_cannot_be_changed_is_refused(
    overrides: list[str], words: str, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words.replace("RUN", str(trained)) in refused(trained, *overrides, capsys=capsys)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["schedule=cosine"], "schedule=cosine depends on the number of all steps, and the rates would have been oth"),
        (["schedule=one_cycle"], "schedule=one_cycle depends on the number of all steps"),
        (["training.severity_end=0.5"], "training.severity_epochs=null changes the noise's strength over all epochs"),
    ],
)
def test_what_depends_on_the_length_is_refused_with_the_reason(
    overrides: list[str], words: str, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(*overrides)
    line = refused(run, "training.epochs=6", capsys=capsys)
    assert f"training.epochs=6: {words}" in line
    assert "train again from the start by rerun=, or start a new run from the weights by initialize_from=" in line


def test_a_schedule_that_has_not_begun_to_depend_on_the_length_is_continued(
    train: Train, six: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """During its warm-up, the cosine schedule is the same for all lengths."""
    overrides = ("schedule=cosine", "schedule.warmup_steps=9")
    killed_at(8, lambda: train(*overrides), monkeypatch)
    assert main(["resume=run", "training.epochs=6"]) == 0
    assert_same_run(Path("run"), six(*overrides))


class HalfTime:
    """The schedule of a plugin, which knows nothing of longer trainings."""

    name = "half_time"

    def factor(self, step: int, *, total_steps: int) -> float:
        return 1.0 if step < total_steps / 2 else 0.5


def test_the_schedule_of_a_plugin_is_judged_by_its_rates(trained: Path) -> None:
    """18 steps are done. With 36, the second half of them had other rates; with 3 epochs it is the same run."""
    values = RunDirectory(trained).config()
    config = parse({**values, "training": {**values["training"], "epochs": 6}})
    check_change(RunDirectory(trained), config)
    object.__setattr__(config, "schedule", HalfTime())
    with pytest.raises(ConfigError, match="schedule=half_time depends on the number of all steps"):
        check_change(RunDirectory(trained), config)


STALE = ("optimizer.learning_rate=1e-12", "training.patience=2", "training.epochs=9")


def test_a_run_that_stopped_early_needs_more_patience(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(*STALE)
    ended = len(RunDirectory(run).metrics())
    assert ended < 8
    words = (
        f"training.patience=2: this patience ends training after epoch {ended}: the validation loss had not improved"
    )
    assert words in refused(run, "training.epochs=20", capsys=capsys)
    words = f"training.patience=1: this patience ends training after epoch {ended - 1}: the validation loss had not"
    line = refused(run, "training.epochs=20", "training.patience=1", capsys=capsys)
    assert words in line
    assert line.endswith("for so long; set training.patience=null, or a larger number")
    assert main(["resume=run", "training.patience=null"]) == 0
    assert_same_run(run, train(*STALE, "training.patience=null", folder="whole"))
    (sentence,) = change_sentences(RunDirectory(run).status())
    assert sentence.startswith(f"After {ended} epochs, resume= changed training.patience from 2 to null (")


def test_a_job_of_a_sweep_is_refused_and_its_copy_is_lengthened(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*TINY, "-m", "sweep.name=s", "seed=0", "training.epochs=1", "comparison.pictures=[]"]) == 0
    (job,) = elsewhere.glob("outputs/sweeps/s/*/config.yaml")
    line = refused(job.parent, "training.epochs=2", capsys=capsys)
    assert "this is a job of a sweep, which knows its jobs by their settings; repeat the sweep with other" in line
    assert line.endswith("or copy this folder out of it and resume the copy")
    shutil.copytree(job.parent, "copy")
    assert main(["resume=copy", "training.epochs=2"]) == 0


def test_without_a_checkpoint_a_finished_run_is_not_trained_again(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(trained / "checkpoints")
    assert "it has no checkpoint to go on from; rerun=" in refused(trained, "training.epochs=6", capsys=capsys)


def test_python_trains_longer_too(trained: Path) -> None:
    run = autoenc.train("resume=run", "training.epochs=4")
    assert run.path == trained
    assert RunDirectory(trained).summary()["epochs"] == 4


def test_more_epochs_are_advised_where_they_help_and_are_possible(trained: Path, train: Train) -> None:
    """The loss of a tiny run falls until the end; a rate of almost 0 leaves it where it is."""
    log = (trained / "train.log").read_text()
    assert f"The loss was still falling. Train longer: autoenc-train resume={trained_as_logged(log)}" in log
    for overrides in (["schedule=one_cycle"], ["optimizer.learning_rate=1e-12"]):
        text = (train(*overrides, folder=overrides[0]) / "train.log").read_text()
        assert "Train longer: " not in text
    values = RunDirectory(trained).config()
    assert more_epochs(read_run(trained), parse(values), steps_per_epoch=6) == 6


def trained_as_logged(log: str) -> str:
    """The folder of the run when it was trained, and the advised number of epochs."""
    line = next(line for line in log.splitlines() if "Run again: " in line)
    return f"{line.partition('rerun=')[2]} training.epochs=6"


def test_a_strangers_history_is_left_out_or_printed(trained: Path) -> None:
    def sentences(*changes: Any) -> list[str]:
        status = json.loads((trained / "status.json").read_text())
        (trained / "status.json").write_text(json.dumps({**status, "training_changes": list(changes)}))
        return change_sentences(read_run(trained).status)

    whole = {"at": "2026-01-31T12:00:00+00:00", "finished_epochs": 1, "after": {"epochs": 2}, "results": "a\x1b"}
    assert sentences(7, {}, {**whole, "at": "noon"}, {**whole, "after": {"epochs": "2"}}) == []
    (sentence,) = sentences(whole)
    assert sentence.startswith("After 1 epoch, resume= changed training.epochs from null to 2 (2026-01-31).")
    assert sentence.isprintable()
