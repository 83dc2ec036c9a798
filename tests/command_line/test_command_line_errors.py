"""A mistake is reported in one helpful line, with an exit code that is not zero, and leaves nothing behind."""

from __future__ import annotations

import gc
import os
import platform
import shutil
import warnings
from pathlib import Path

import pytest
import torch

from autoenc.command_line import main
from autoenc.runs import RunDirectory
from tests.conftest import Train

MISTAKES = {
    "architecture=cnn": ["architecture=cnn", "did you mean 'conv'?", "conv, fully_connected, linear"],
    "architecture=null": ["architecture=null", "conv, fully_connected, linear"],
    "achitecture=conv": ["achitecture=conv", "did you mean 'architecture'?"],
    "training.epoch=3": ["training.epoch=3", "did you mean 'epochs'?", "batch_size"],
    "optimizer.learning_rate=inf": ["optimizer.learning_rate=Infinity", "a number above 0"],
    "optimizer.learning_rate=1,2": ["optimizer.learning_rate=1,2", "--multirun tries each"],
    "+optimizer.nesterov=true": ["optimizer.nesterov=true", "learning_rate"],
    "noise.probability=2": [
        "noise.probability=2",
        "noise=none has no settings",
        "noise=dropout|masking|salt_and_pepper",
    ],
    "~architecture.code_size": ["architecture.code_size", "it is required, but not set"],
    "training.epochs=[": ["training.epochs=[", "Hydra cannot read it: no viable alternative at input '['"],
    "training.gradient_clip=choice(null,1.0)": ["Hydra cannot read it: ", "'choice(null,1.0)'", "NoneType"],
    "-m optimizer.learning_rate=interval(1e-4)": ["Hydra cannot read it: ", "missing a required argument: 'end'"],
    "architecture.hidden=[128,64": ["Hydra cannot read it: no viable alternative at input '[128,64'"],
    "training.epochs.x=1": ["training.epochs.x=1", "'training.epochs' has no keys"],
    "training.epoch=1 optimizer.x=2": ["training.epoch", "+training.epoch=1"],
    "hydra.nothing=1": ["hydra.nothing=1", "hydra has no such key", "sweeper"],
    "architecture.name=conv": ["architecture.name=conv", "a choice is made by architecture=conv"],
    "data_dir= dataset=mnist": ["data_dir=''", "AUTOENC_DATA"],
    "resume=": ["resume=''", "it names no folder"],
    "seed=ä": ["seed=ä", """seed="'ä'\""""],
    "foo.bar=1": ["foo.bar=1", "there is no 'foo'"],
    "seed=${nowhere}": ["seed: Interpolation key 'nowhere' not found"],
    "seed=${hydra:nowhere}": ["seed: Hydra's config has no key hydra.nowhere"],
    "seed=${hydra:job.num}": ["seed: hydra.job.num has no value here: only the jobs of a sweep (--multirun)"],
    "seed=${hydra.job.num}": ["seed: hydra.job.num has no value here: only the jobs of a sweep (--multirun)"],
    "data_dir=${hydra:runtime.output_dir}/a": ["data_dir: hydra.runtime.output_dir has no value here: the folder is"],
    "data_dir=${hydra:job.override_dirname}": ["it refers to itself"],
    "data_dir=${oc.env:NOT_SET_HERE}": ["data_dir: Environment variable 'NOT_SET_HERE' not found"],
    "rerun=${oc.env:NOT_SET_HERE}": ["rerun: Environment variable 'NOT_SET_HERE' not found"],
    "seed=${oc.decode:${oc.env:NO,1}}": ["""quotes that the shell keeps: seed='"${oc.decode:${oc.env:NO,1}}"'"""],
    "hydra.run.dir=${hydra:job.num}": ["hydra.run.dir: hydra.job.num has no value here"],
    "-m seed=0,1 data_dir=${hydra:runtime.output_dir}": ["hydra.runtime.output_dir has no value here"],
    "-m seed=0,1 hydra.sweep.dir=${hydra:job.num}": ["hydra.sweep.dir: hydra.job.num has no value here"],
    "-m seed=0,1 hydra.sweep.subdir=${hydra.job.num}": ["hydra.sweep.subdir=${hydra.job.num}", "names the folders"],
    "-m seed=0,1 sweep.name=${hydra:job.num}": ["sweep.name: hydra.job.num has no value here"],
    "hydra.job.env_copy=[HOME]": ["hydra.job.env_copy", "set variables in the shell"],
    "hydra.job.env_copy=[NOT_SET_HERE]": ["hydra.job.env_copy: there is no environment variable 'NOT_SET_HERE'"],
    "hydra.job.env_set.A=1": ["hydra.job.env_set.A=1: hydra.job.env_set has no settings\n"],
    "training.epochs": ["training.epochs", "key=value, without spaces"],
    "dataset.validation_fraction=0.0001": ["dataset.validation_fraction=0.0001", "1437"],
    "resume=nowhere": ["resume=nowhere", "no such folder"],
    "rerun=.": ["rerun=.", "config.yaml is missing"],
    "resume=a seed=3": ["resume=a", "no such folder"],
    "-m resume=a": ["resume=a"],
    "-m resume=a,b": ["resume=a,b", "one folder at a time"],
    "-m seed=0,1 hydra.sweep.subdir=x": ["hydra.sweep.subdir=x", "names the folders of its jobs itself"],
    "sweep.name=x": ["sweep.name=x", "--multirun"],
    "-m seed=0,1 sweep.name=/x": ["sweep.name=/x", "below outputs/sweeps"],
    "-m seed=0,1 sweep.name=a/../../x": ["sweep.name=a/../../x", "below outputs/sweeps"],
    "-m seed=0,1 sweep.nam=x": ["sweep.nam=x", "did you mean 'name'?"],
    "-m seed=0,1 hydra.launcher.n_jobs=3": ["hydra.launcher.n_jobs=3", "hydra/launcher=joblib|"],
    "-m seed=0,1 sweep.job_timeout=0": ["sweep.job_timeout=0", "a number above 0"],
    "-m hydra.sweeper._target_=hydra.nope.X seed=0,1": ["hydra.nope.X"],
    "+hydra.job.env_set.PATH=x": ["hydra.job.env_set", "set variables in the shell"],
    "-m training.epochs=1,-1": ["training.epochs=-1", "a whole number of at least 1"],
    "--config-path nowhere": ["--config-path=nowhere", "no such folder"],
    "--experimental-rerun x.pickle": ["--experimental-rerun", "rerun="],
    "--cfg job architecture=cnn": ["architecture=cnn", "did you mean 'conv'?"],
    "hydra.job_logging.handlers.file.class=os.system": ["hydra.job_logging", "os.system", "may not name code"],
    "+hydra.job_logging.handlers.file.stream=ext://os.sep": ["hydra.job_logging", "ext://os.sep", "may not name code"],
    "-m seed=0,1 hydra.run.dir=a,b": ["hydra.run.dir=a,b", "cannot vary Hydra's own settings"],
    "+hydra.callbacks.mine._target_=subprocess.Popen": ["hydra.callbacks.mine._target_", "subprocess.Popen"],
}

FOUND_AFTER_THE_FIRST_LINE = {
    arguments: f"Training: MLP autoencoder, {model}.\n"
    for arguments, model in {
        "optimizer.learning_rate=inf": "code size 16, on 8x8 digits",
        "+optimizer.nesterov=true": "code size 16, on 8x8 digits",
        "~architecture.code_size": "on 8x8 digits",
        "data_dir= dataset=mnist": "code size 16, on MNIST",
        "hydra.run.dir=${hydra:job.num}": "code size 16, on 8x8 digits",
        "dataset.validation_fraction=0.0001": "code size 16, on 8x8 digits",
    }.items()
}
"""What is printed before the mistakes that are found when the config is parsed, after the imports of torch."""


@pytest.mark.parametrize("arguments", MISTAKES)
def test_a_mistake_is_one_line_and_leaves_nothing(
    arguments: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments.split()) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    for part in MISTAKES[arguments]:
        assert part in captured.err
    assert captured.out == FOUND_AFTER_THE_FIRST_LINE.get(arguments, "")
    assert list(elsewhere.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_missing_device_is_refused(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["device=cuda"]) == 2
    problem = f"torch finds no CUDA device; {platform.node()} has cpu (device=auto takes the first)"
    assert capsys.readouterr().err == f"error: device=cuda: {problem}\n"
    assert list(elsewhere.iterdir()) == []


def test_missing_data_are_reported_with_their_folder(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # A proxy that does not exist: the same as no network, and as fast.
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert main(["dataset=mnist", "data_dir=missing"]) == 2
    error = capfd.readouterr().err
    assert error.count("\n") == 1
    for part in ("mnist", str(elsewhere / "missing"), "AUTOENC_DATA", "dataset=digits needs no network"):
        assert part in error
    assert list(elsewhere.iterdir()) == []


def test_an_impossible_output_folder_is_refused(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").touch()
    assert main(["hydra.run.dir=file/run"]) == 2
    assert "hydra.run.dir=file/run: the folder cannot be made: Not a directory" in capsys.readouterr().err
    Path("outputs").symlink_to("nowhere")
    assert main([]) == 2
    assert "the folder cannot be made: File exists" in capsys.readouterr().err


def test_an_invalid_logging_config_leaves_nothing(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # `logging` leaves the file open that it has made by then
        assert main(["hydra.job_logging.root.level=NONSENSE", "hydra.run.dir=a/b"]) == 2
        gc.collect()
    assert "root logger" in capsys.readouterr().err
    assert list(elsewhere.iterdir()) == []


def test_a_main_config_may_not_search_packages(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (elsewhere / "own").mkdir()
    (elsewhere / "own" / "config.yaml").write_text("hydra: {searchpath: ['pkg://evil']}")
    assert main(["--config-path", "own"]) == 2
    assert "hydra.searchpath=pkg://evil: only folders can be searched" in capsys.readouterr().err


def test_the_folder_of_another_run_is_not_changed(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    run = train()
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    assert main(["hydra.run.dir=run"]) == 2
    assert "not empty" in capsys.readouterr().err
    assert main(["resume=run"]) == 2
    assert "this run is finished; training.epochs=NUMBER trains it longer, and" in capsys.readouterr().err
    assert main(["rerun=run", "noise.probability=0.3"]) == 2
    assert "noise.probability=0.3: noise=gaussian has no such key" in capsys.readouterr().err
    assert main(["rerun=run", "noise.std=0.3", "noise=none"]) == 2
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_a_run_that_another_process_trains_is_not_resumed(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    run = RunDirectory(train())
    run.set_state("interrupted")
    with run.locked():
        assert main(["resume=run"]) == 2
    assert "is working in this folder" in capsys.readouterr().err
    assert run.status()["state"] == "interrupted"


def test_a_config_that_would_run_code_is_refused(
    train: Train, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(train(), "evil")
    evil = Path("evil/config.yaml")
    text = evil.read_text()
    for addition, part in (
        ("hydra: {callbacks: {x: {_target_: os.system}}}", "'hydra'"),
        ("defaults: [x]", "'defaults'"),
        ("extra: ${oc.env:HOME}", "interpolation"),
        ("extra: 1", "extra=1"),
    ):
        evil.write_text(f"{text}\n{addition}\n")
        assert main(["rerun=evil"]) == 2
        assert part in capsys.readouterr().err
    assert sorted(path.name for path in elsewhere.iterdir()) == ["evil", "run"]


def test_a_traceback_is_printed_on_request(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    assert main(["training.epochs=-1"]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert "HYDRA_FULL_ERROR" not in os.environ
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    assert main(["training.epochs=-1"]) == 2
    assert "Traceback" in capsys.readouterr().err
    assert os.environ["HYDRA_FULL_ERROR"] == "1"


def test_a_defect_is_one_line_on_the_terminal_and_a_traceback_in_the_log(
    train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr("autoenc.experiment.run_pictures.draw_loss_curves", broken)
    run = train(exit_code=1)
    assert capsys.readouterr().err == "error: first line; second line\n"
    assert RunDirectory(run).status()["error"]["kind"] == "raised"
    assert "Traceback" in (run / "train.log").read_text()
