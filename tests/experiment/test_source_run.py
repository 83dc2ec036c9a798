"""Runs that start from the weights of another one: `initialize_from`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor

import autoenc
from autoenc.command_line import main
from autoenc.config import parse
from autoenc.experiment.preparation import prepare
from autoenc.runs import INITIAL_WEIGHTS, RunDirectory, read_run
from autoenc.training import loop
from autoenc.training.checkpoints import load_last, load_trained, model_tensors
from tests.composed import composed_values
from tests.conftest import TINY, Train

CONV = ("architecture=conv", "architecture.channels=[4]", "noise=none")
NEARLY_STILL = ("training.epochs=1", "optimizer=sgd", "optimizer.learning_rate=1e-12")
PICTURES = "comparison.pictures=[]"


def weights(run: Path) -> dict[str, Tensor]:
    """The weights that a run was tested with."""
    found = load_trained(run / "checkpoints")
    assert found is not None
    return found.model


def log_of(run: Path) -> str:
    return (run / "train.log").read_text()


def test_the_losses_of_an_unchanged_model_are_those_of_the_other_run(train: Train) -> None:
    """Of the training and of the validation images: another seed would have drawn other weights."""
    source = train(*CONV, folder="source")
    run = train(*CONV, *NEARLY_STILL, "seed=1", "initialize_from=source")
    summary, (row,) = RunDirectory(source).summary(), RunDirectory(run).metrics()
    assert row["train/loss"] == pytest.approx(summary["train"]["mse"], rel=1e-5)
    assert row["validation/loss"] == pytest.approx(summary["validation"]["mse"], rel=1e-5)


def test_the_encoder_alone_is_taken_exactly_and_the_decoder_is_that_of_the_seed(train: Train) -> None:
    source = weights(train(*CONV, folder="source"))
    random, found = (
        model_tensors(prepare(parse(composed_values(*TINY, *CONV, "seed=1", *settings))).model)
        for settings in ((), ("initialize_from=source", "initialize_part=encoder"))
    )
    for name, tensor in found.items():
        assert torch.equal(tensor, source[name] if name.startswith("encoder.") else random[name])
    assert not torch.equal(source["encoder.0.weight"], random["encoder.0.weight"])


def test_the_log_says_what_was_taken_and_what_was_not(train: Train) -> None:
    source = train(*CONV, folder="source")
    best = RunDirectory(source).summary()["best_epoch"]
    log = log_of(train(*CONV, "architecture.code_size=2", "noise=gaussian", "initialize_from=source"))
    sizes = {name: tensor.numel() for name, tensor in weights(source).items()}
    count = sum(sizes[f"{layer}.{name}"] for layer in ("encoder.0", "decoder.3") for name in ("weight", "bias"))
    assert (
        f"Initial weights from {source} (convolutional autoencoder, code size 3, on 8x8 digits, after epoch {best}): "
        f"{count} numbers in 2 of 4 layers: encoder.0 and decoder.3.\n"
    ) in log
    left = "encoder.2 (weight 2x4x4x4, there 3x4x4x4) and decoder.1 (weight 2x4x4x4, there 3x4x4x4)"
    assert f"Not taken, and random instead: {left}.\n" in log
    assert "autoencoder, code size 2, on 8x8 digits, Gaussian noise (std 0.3), from the weights of" in log


def test_the_digest_is_that_of_the_file_of_weights(train: Train) -> None:
    source = train(*CONV, folder="source")
    run = train(*CONV, "initialize_from=source")
    manifest = json.loads((source / "checkpoints" / "best" / "manifest.json").read_text())
    assert read_run(run).digests[INITIAL_WEIGHTS] == manifest["sha256"]["model.safetensors"]
    assert INITIAL_WEIGHTS not in read_run(source).digests
    assert RunDirectory(run).config()["initialize_from"] == str(source)


def test_a_resumed_run_does_not_need_the_other_run(train: Train, elsewhere: Path) -> None:
    source = train(*CONV, folder="source")
    whole = train(*CONV, "initialize_from=source", folder="whole")
    command = [*TINY, *CONV, "initialize_from=source", "hydra.run.dir=run"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.Trainer, "_validate", _interrupt, raising=True)
        assert main(command) != 0
    run = elsewhere / "run"
    assert load_last(run / "checkpoints") is not None
    shutil.rmtree(source)
    assert main(["resume=run"]) == 0
    assert {name: tensor.tolist() for name, tensor in weights(run).items()} == {
        name: tensor.tolist() for name, tensor in weights(whole).items()
    }
    assert read_run(run).digests == read_run(whole).digests


def _interrupt(*_: object, **__: object) -> None:
    raise RuntimeError("stopped")


NOT_FITTING = (
    "none of the layers of that run (linear autoencoder, code size 3, on 8x8 digits, Gaussian noise (std 0.3)) fits "
    "this model: encoder.1 (weight 2x64, there 3x64) and decoder.0 (weight 64x2, there 64x3)"
)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ("initialize_from=nowhere", "initialize_from={}/nowhere: there is no such folder"),
        ("initialize_from=empty", "initialize_from={}/empty: it holds no run (config.yaml is missing)"),
        ("initialize_from=begun", "initialize_from={}/begun: the run has no checkpoint yet"),
        ("initialize_from=source architecture.code_size=2", f"initialize_from={{}}/source: {NOT_FITTING}"),
        ("initialize_from=''", "initialize_from='': it names no folder"),
        ("initialize_from=[a]", "initialize_from=[a]: it must be a text or null"),
        (
            "initialize_from=source initialize_part=code",
            "initialize_part=code: it must be one of encoder, decoder or null",
        ),
        (
            "initialize_part=encoder",
            "initialize_part=encoder: it has no effect without initialize_from, the folder of a run",
        ),
        ("initialize_from=source,empty", "initialize_from=source,empty: these are several values; --multirun tries"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_written(
    overrides: str, expected: str, train: Train, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "source" in overrides:
        train(folder="source")
    (elsewhere / "empty").mkdir()
    RunDirectory.begin(elsewhere / "begun", config={"seed": 0})
    capsys.readouterr()
    assert main([*TINY, *overrides.split(), "hydra.run.dir=run"]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: " + expected.format(elsewhere))
    assert printed.count("\n") == 1
    assert not (elsewhere / "run").exists()


def test_a_damaged_checkpoint_is_refused(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    source = train(folder="source")
    path = source / "checkpoints" / "best" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    capsys.readouterr()
    train("initialize_from=source", exit_code=2)
    expected = f"no usable checkpoint: {path}: its content does not match its checksum"
    assert capsys.readouterr().err == f"error: initialize_from={source}: {expected}\n"


def test_a_repeated_run_is_told_that_the_weights_have_changed(train: Train) -> None:
    source = train(folder="source")
    first = train("initialize_from=source", folder="first")
    again, changed = (source.parent / name for name in ("again", "changed"))
    assert main(["rerun=first", "hydra.run.dir=again"]) == 0
    assert "these are not the weights" not in log_of(again)
    assert weights(again)["encoder.1.weight"].equal(weights(first)["encoder.1.weight"])
    shutil.rmtree(source)
    train("seed=7", folder="source")
    assert main(["rerun=first", "hydra.run.dir=changed"]) == 0
    assert f"initialize_from={source}: these are not the weights that first started from" in log_of(changed)


def test_the_comparison_shows_the_run_that_the_weights_are_from(
    train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    train(folder="pretrained/one")
    train(folder="runs/random")
    train("initialize_from=pretrained/one", folder="runs/one")
    table = str(autoenc.compare("runs"))
    assert "initialize_from" in table
    assert "weights of pretrained/one" in table
    assert "same weights" not in table
    train("seed=7", folder="pretrained/two")
    shutil.rmtree("pretrained/one")
    Path("pretrained/two").rename("pretrained/one")
    train("initialize_from=pretrained/one", folder="runs/other")
    expected = "Not all runs with initialize_from=pretrained/one started from the same weights"
    assert expected in str(autoenc.compare("runs"))


def test_a_sweep_varies_the_run_to_start_from(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    source = train("noise=none", folder="pretrained")
    sweep = [*TINY, "-m", "sweep.name=s", PICTURES, "noise=none"]
    assert main([*sweep, "seed=0"]) == 0
    capsys.readouterr()
    command = [*sweep, "initialize_from=null,pretrained"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "2 jobs in outputs/sweeps/s: 1 kept, 1 new." in printed  # random weights: as before the setting existed
    assert "random weights" in printed
    assert "weights of pretrained" in printed
    shutil.rmtree(source)
    train("noise=none", "seed=7", folder="pretrained")
    capsys.readouterr()
    assert main([*command, "--cfg", "job"]) == 0
    assert "# 2 jobs in outputs/sweeps/s: 1 kept, 1 restarted." in capsys.readouterr().out
    shutil.rmtree(source)
    assert main([*command, "--cfg", "job"]) == 0
    assert "# 2 jobs in outputs/sweeps/s: 2 kept." in capsys.readouterr().out
    assert main([*command, "optimizer=sgd"]) == 2
    assert f"error: initialize_from={source}: there is no such folder\n" in capsys.readouterr().err
