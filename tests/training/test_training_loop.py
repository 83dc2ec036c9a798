"""The training loop in whole runs: what a stopped run leaves, and that a resumed run equals an uninterrupted one."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from torch import Tensor

from autoenc.command_line import main
from autoenc.pictures.reconstructions import Reconstructions
from autoenc.runs import RunDirectory
from autoenc.training.checkpoints import Checkpoint, load_last
from autoenc.training.step import TrainingStep
from tests.conftest import Train

TIMES = {"seconds", "images_per_second", "epoch_seconds"}


def without_times(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in TIMES}


def assert_same_run(one: Path, other: Path) -> None:
    """Weights, optimizer, random states, pictures' data and metrics, to the last bit and in the same order."""
    first, second = last(one), last(other)
    for mine, theirs in ((first.model, second.model), (first.trainer, second.trainer)):
        assert mine.keys() == theirs.keys()
        for name in mine:
            assert torch.equal(mine[name], theirs[name]), name
    assert without_times(first.values) == without_times(second.values)
    rows, others = RunDirectory(one).metrics(), RunDirectory(other).metrics()
    assert [without_times(row) for row in rows] == [without_times(row) for row in others]
    assert [list(row) for row in rows] == [list(row) for row in others]
    scores, other_scores = RunDirectory(one).summary(), RunDirectory(other).summary()
    for split in ("test", "validation", "train"):
        assert scores[split] == other_scores[split]


class Killed(BaseException):
    """Simulates SIGKILL: nothing catches it."""


def stop_at(step: int, do: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Do something right after a training step, counted from 1."""
    count = 0
    original = TrainingStep.train_step

    def counted(self: TrainingStep, clean: Tensor) -> Tensor:
        nonlocal count
        loss = original(self, clean)
        count += 1
        if count == step:
            do()
        return loss

    monkeypatch.setattr(TrainingStep, "train_step", counted)


def kill() -> None:
    raise Killed


def killed_at(step: int, train: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Train, and be killed right after a step."""
    stop_at(step, kill, monkeypatch)
    with pytest.raises(Killed):
        train()
    monkeypatch.undo()


def last(run: Path) -> Checkpoint:
    """The newest checkpoint of a run."""
    checkpoint = load_last(run / "checkpoints")
    assert checkpoint is not None
    return checkpoint


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """An uninterrupted run, trained once for each set of overrides."""
    made: dict[tuple[str, ...], Path] = {}

    def call(*overrides: str) -> Path:
        if overrides not in made:
            from tests.conftest import TINY

            folder = tmp_path_factory.mktemp("uninterrupted") / "run"
            assert main([*TINY, *overrides, f"hydra.run.dir={folder}"]) == 0
            made[overrides] = folder
        return made[overrides]

    return call


# 100 images give 90 for training: 6 steps an epoch, 18 in all, a checkpoint after each 4.
@pytest.mark.parametrize(
    "step", [1, 4, 5, 7, 13, 18]
)  # in an epoch, at a checkpoint, at the end of an epoch, at the end
def test_killed_and_resumed_equals_uninterrupted(
    step: int, train: Train, uninterrupted: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_at(step, train, monkeypatch)
    assert RunDirectory(Path("run")).status()["state"] == "running"
    assert main(["resume=run"]) == 0
    assert RunDirectory(Path("run")).status()["state"] == "finished"
    assert_same_run(Path("run"), uninterrupted())


MLP = ("architecture=mlp", "architecture.hidden=[8]", "architecture.code_size=3")

# Everything that a checkpoint has to remember is in one of these.
VARIATIONS = {
    "sgd, one cycle, dropout noise, no validation, no shuffling": (
        *("optimizer=sgd", "schedule=one_cycle", "noise=dropout"),
        *("dataset.validation_fraction=0", "dataset.shuffle=false"),
    ),
    "conv, channels_last, clipped, patient": (
        *("architecture=conv", "architecture.channels=[4]", "architecture.code_size=4"),
        *("training.gradient_clip=0.01", "training.patience=1", "optimizer.learning_rate=1e-9"),
    ),
    "codebook with restarts": (
        *("bottleneck=vector_quantized", "bottleneck.codebook_size=8", "bottleneck.restart_below=0.5"),
    ),
    "variational, warmed up, learned std": ("bottleneck=gaussian", "bottleneck.warmup_epochs=2", "loss=gaussian"),
    "several samples, dynamic binarization, decreasing noise": (
        *("bottleneck=importance_weighted", "loss=bernoulli", "dataset.binarization=dynamic"),
        *("training.severity_start=1", "training.severity_end=0.1"),
    ),
    "a penalty estimated at random": ("bottleneck=contractive", "bottleneck.estimator=hutchinson"),
    "muon, batch norm, dropout": (
        *("optimizer=muon", "bottleneck=wasserstein", *MLP),
        *("architecture.batch_norm=true", "architecture.dropout=0.2"),
    ),
    "tied, unit columns": ("bottleneck=sparse", *MLP, "architecture.tied=true"),
    "gradient of the decoder": (
        *("bottleneck=regularized", "bottleneck.decoder_penalty=gradient", "bottleneck.decoder_weight=1e-3"),
    ),
}


@pytest.mark.parametrize("overrides", VARIATIONS.values(), ids=VARIATIONS)
def test_a_resumed_run_equals_an_uninterrupted_one_with_every_setting(
    overrides: tuple[str, ...], train: Train, uninterrupted: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_at(10, lambda: train(*overrides), monkeypatch)
    assert main(["resume=run"]) == 0
    assert_same_run(Path("run"), uninterrupted(*overrides))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_after_the_step_and_sets_the_exit_code(
    number: signal.Signals,
    code: int,
    train: Train,
    uninterrupted: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stop_at(9, lambda: signal.raise_signal(number), monkeypatch)
    with pytest.raises(SystemExit) as caught:
        train()
    monkeypatch.undo()
    assert caught.value.code == code
    assert last(Path("run")).values["step"] == 9
    assert RunDirectory(Path("run")).status()["state"] == "interrupted"
    assert "saving" in Path("run/train.log").read_text()
    assert main(["resume=run"]) == 0
    assert_same_run(Path("run"), uninterrupted())


def test_an_interrupted_run_says_how_to_continue(
    train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stop_at(3, lambda: signal.raise_signal(signal.SIGINT), monkeypatch)
    with pytest.raises(SystemExit):
        train()
    assert capsys.readouterr().out.rstrip().endswith("resume=run")


def test_an_epoch_ends_with_a_checkpoint_when_time_has_passed(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoenc.training.state.LONGEST_UNSAVED", 0.0)
    stop_at(13, kill, monkeypatch)
    with pytest.raises(Killed):
        train("training.checkpoint_every=1000")
    assert last(Path("run")).values["step"] == 12


def test_the_last_epoch_is_always_among_the_snapshots(train: Train) -> None:
    checkpoint = last(train("training.snapshot_every=2"))
    snapshots = {name for name in checkpoint.trainer if name.startswith("snapshot:")}
    assert snapshots == {f"snapshot:{epoch}" for epoch in (0, 2, 3)}


def test_a_second_signal_stops_at_once(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    stop_at(3, twice, monkeypatch)
    with pytest.raises(SystemExit) as caught:
        train()
    assert caught.value.code == 130
    assert RunDirectory(Path("run")).status()["state"] == "interrupted"
    assert load_last(Path("run/checkpoints")) is None


def test_killed_while_the_pictures_are_drawn(
    train: Train, uninterrupted: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autoenc.experiment.run_pictures.draw_pictures", lambda *_, **__: kill())
    with pytest.raises(Killed):
        train()
    monkeypatch.undo()
    assert main(["resume=run"]) == 0
    assert Path("run/figures/progress.png").is_file()
    assert_same_run(Path("run"), uninterrupted())


def test_a_damaged_last_checkpoint_costs_only_the_steps_since_the_previous_one(
    train: Train, uninterrupted: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_at(15, train, monkeypatch)
    path = Path("run/checkpoints/last/trainer.safetensors")
    path.write_bytes(path.read_bytes()[:-1])
    assert main(["resume=run"]) == 0
    log = Path("run/train.log").read_text()
    assert "Damaged checkpoint skipped" in log
    assert "Continuing after step 8" in log
    assert_same_run(Path("run"), uninterrupted())


def test_a_loss_that_is_not_finite_fails_the_run_and_keeps_the_last_finite_checkpoint(
    train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    original = TrainingStep.train_step
    count = 0

    def breaking(self: TrainingStep, clean: Tensor) -> Tensor:
        nonlocal count
        count += 1
        return original(self, clean * float("nan") if count == 6 else clean)

    monkeypatch.setattr(TrainingStep, "train_step", breaking)
    run = train(exit_code=1)
    status = RunDirectory(run).status()
    assert status["state"] == "failed"
    assert status["error"]["kind"] == "not_finite"
    assert "in epoch 1 the loss or gradient of 1 step(s) was not finite" in status["error"]["message"]
    assert "error: in epoch 1" in capsys.readouterr().err
    checkpoint = last(run)
    assert checkpoint.values["step"] == 4
    assert all(tensor.isfinite().all() for tensor in checkpoint.model.values())
    assert not (run / "summary.json").exists()


def test_weights_that_overflow_are_never_saved(train: Train) -> None:
    """A finite gradient times an infinite rate: the step is finite, the weights are not."""
    run = train("optimizer=sgd", "optimizer.learning_rate=1e39", "training.checkpoint_every=1", exit_code=1)
    assert RunDirectory(run).status()["error"]["kind"] == "not_finite"
    assert load_last(run / "checkpoints") is None


def test_a_validation_loss_that_is_not_finite_is_never_the_best(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    from autoenc.evaluation import scores
    from autoenc.training import loop

    original, calls = scores.measure, iter(range(9))

    def measure(*arguments: Any, **options: Any) -> scores.Measured:
        measured = original(*arguments, **options)
        if next(calls) == 1:
            measured.averages["loss"] *= float("nan")
        return measured

    monkeypatch.setattr(loop, "measure", measure)
    run = train(exit_code=1)
    error = RunDirectory(run).status()["error"]
    assert error["kind"] == "not_finite"
    assert "in epoch 2 validation/loss was not finite" in error["message"]
    assert len(RunDirectory(run).metrics()) == 1


@pytest.mark.parametrize("moment", ["measure", "save_last"])
def test_a_signal_outside_of_the_steps_interrupts_too(
    moment: str, train: Train, uninterrupted: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the last epoch's validation, and in the last save: everything is done but the evaluation."""
    from autoenc.training import loop, state

    module = {"measure": loop, "save_last": state}[moment]
    original, calls = getattr(module, moment), iter(range(1, 99))
    last = {"measure": 3, "save_last": 5}[moment]

    def signalling(*arguments: Any, **options: Any) -> Any:
        if next(calls) == last:
            signal.raise_signal(signal.SIGTERM)
        return original(*arguments, **options)

    monkeypatch.setattr(module, moment, signalling)
    with pytest.raises(SystemExit) as caught:
        train()
    monkeypatch.undo()
    assert caught.value.code == 143
    assert RunDirectory(Path("run")).status()["state"] == "interrupted"
    assert main(["resume=run"]) == 0
    assert_same_run(Path("run"), uninterrupted())


def test_a_signal_before_the_first_step_is_recorded(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoenc.experiment.run.announce", lambda _: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(SystemExit) as caught:
        train()
    assert caught.value.code == 143
    assert RunDirectory(Path("run")).status()["state"] == "interrupted"


def test_a_checkpoint_of_another_batch_size_is_refused(
    train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    killed_at(10, train, monkeypatch)
    config = Path("run/config.yaml")
    config.write_text(config.read_text().replace("batch_size: 16", "batch_size: 50"))
    assert main(["resume=run"]) == 2
    assert "config.yaml was changed since the checkpoint" in capsys.readouterr().err


def test_a_full_disk_is_reported_and_leaves_no_half_checkpoint(
    train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    stop_at(9, lambda: monkeypatch.setattr("autoenc.training.checkpoints.write_flushed", full), monkeypatch)
    stop = "autoenc.runs.whole_files.write_flushed"
    monkeypatch.setattr(TrainingStep, "train_step", TrainingStep.train_step)
    original = RunDirectory.set_state

    def no_space_left(self: RunDirectory, state: Any, **options: Any) -> None:
        if state == "failed":
            monkeypatch.setattr(stop, full)
        original(self, state, **options)

    monkeypatch.setattr(RunDirectory, "set_state", no_space_left)
    run = train(exit_code=1)
    captured = capsys.readouterr()
    assert "No space left on device" in captured.err
    assert "status.json cannot be written" in captured.out
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["best", "last", "previous"]
    assert load_last(run / "checkpoints") is not None


def test_pictures_show_what_was_scored_in_bfloat16_too(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = Mock(return_value=[])
    monkeypatch.setattr("autoenc.experiment.run_pictures.draw_pictures", drawn)
    run = train("device.precision=bfloat16", "dataset.validation_fraction=0")
    checkpoint = last(run)
    final = torch.from_numpy(Reconstructions.measure(drawn.call_args.args[0]).final)
    assert torch.equal(final, checkpoint.trainer["snapshot:3"])


def test_out_of_memory_is_labelled(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: TrainingStep, clean: Tensor) -> Tensor:
        raise MemoryError("no memory left")

    monkeypatch.setattr(TrainingStep, "train_step", full)
    error = RunDirectory(train(exit_code=1)).status()["error"]
    assert error == {"kind": "out_of_memory", "message": "no memory left"}


def test_early_stopping_stops_after_patience_epochs_without_a_better_one(train: Train) -> None:
    run = train("optimizer.learning_rate=1e-12", "training.patience=2", "training.epochs=50")
    rows = RunDirectory(run).metrics()
    losses = [row["validation/loss"] for row in rows]
    best = losses.index(min(losses)) + 1
    assert len(rows) == best + 2 < 50
    summary = RunDirectory(run).summary()
    assert summary["best_epoch"] == best
    assert summary["epochs"] == best + 2


def test_the_best_weights_are_the_ones_that_are_tested(train: Train) -> None:
    """A rate that is far too high from the second epoch on makes the first epoch the best."""
    run = train("schedule=cosine", "schedule.warmup_steps=18", "optimizer.learning_rate=1")
    rows = RunDirectory(run).metrics()
    summary = RunDirectory(run).summary()
    best = min(rows, key=lambda row: row["validation/loss"])
    assert summary["best_epoch"] == best["epoch"] < 3
    assert summary["validation"]["loss"] == pytest.approx(best["validation/loss"], rel=1e-6)
    assert summary["validation"]["loss"] < rows[-1]["validation/loss"]
    manifest = json.loads((run / "checkpoints" / "best" / "manifest.json").read_text())
    assert manifest["values"]["epoch"] == best["epoch"]


def test_without_a_validation_split_the_last_epoch_is_tested(train: Train) -> None:
    run = train("dataset.validation_fraction=0")
    summary = RunDirectory(run).summary()
    assert summary["best_epoch"] is None
    assert summary["validation"] is None
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["last", "previous"]
    assert "validation/loss" not in RunDirectory(run).metrics()[0]


def test_the_learning_rate_of_the_schedule_is_recorded(train: Train) -> None:
    run = train("schedule=cosine", "schedule.final_factor=0.5", "optimizer.learning_rate=0.01")
    rates = [row["learning_rate"] for row in RunDirectory(run).metrics()]
    assert rates[-1] == pytest.approx(0.005)
    assert rates == sorted(rates, reverse=True)


def test_the_order_of_the_images_is_new_each_epoch_and_fixed_without_shuffling(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []
    original = TrainingStep.train_step

    def recording(self: TrainingStep, clean: Tensor) -> Tensor:
        seen.append(clean.clone())
        return original(self, clean)

    monkeypatch.setattr(TrainingStep, "train_step", recording)
    train("training.batch_size=90", folder="shuffled")
    assert len(seen) == 3
    assert not torch.equal(seen[0], seen[1])
    assert torch.equal(seen[0].flatten().sort().values, seen[1].flatten().sort().values)
    seen.clear()
    train("training.batch_size=90", "dataset.shuffle=false", folder="fixed")
    assert torch.equal(seen[0], seen[1])


def test_a_seed_gives_a_run_and_another_seed_another(train: Train, uninterrupted: Callable[..., Path]) -> None:
    assert_same_run(train(folder="again"), uninterrupted())
    other = train("seed=1", folder="other")
    assert RunDirectory(other).metrics()[0]["train/loss"] != RunDirectory(uninterrupted()).metrics()[0]["train/loss"]


@pytest.mark.parametrize(
    ("settings", "loss"),
    [
        (("architecture.initialization=torch_default", "optimizer.learning_rate=1e-3"), 0.18869753777980805),
        ((), 0.17654805249638028),
        (("architecture=mlp",), 0.06819587316777971),
    ],
)
def test_a_seeded_loss_is_pinned(uninterrupted: Callable[..., Path], settings: tuple[str, ...], loss: float) -> None:
    """A change here changes the numbers of every run and belongs in the changelog."""
    rows = RunDirectory(uninterrupted(*settings)).metrics()
    assert rows[-1]["train/loss"] == pytest.approx(loss, rel=1e-5)


def test_codes_are_kept_only_for_the_picture_that_shows_them(train: Train) -> None:
    without = last(train("figures=[codes]"))
    wanted = last(train("figures=[codes_over_epochs]", folder="wanted"))
    kept = {name: codes.shape for name, codes in wanted.trainer.items() if name.startswith("codes:")}
    assert kept == {f"codes:{epoch}": (100, 3) for epoch in range(4)}
    assert all(len(codes) == 0 for name, codes in without.trainer.items() if name.startswith("codes:"))
