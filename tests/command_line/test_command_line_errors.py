"""A mistake is answered in one line that helps, with an exit code that is not zero, and leaves nothing behind."""

from __future__ import annotations

import gc
import gzip
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

from autoenc.command_line import main
from autoenc.runs import RunDirectory
from tests.conftest import REPOSITORY, Train

MISTAKES = {
    "architecture=cnn": ["architecture=cnn", "did you mean 'conv'?", "conv, fully_connected, linear"],
    "architecture=null": ["architecture=null", "conv, fully_connected, linear"],
    "architecture=3": ["architecture=3", "conv, fully_connected, linear"],
    "experiment=x": ["experiment=x", "linear_vs_conv"],
    "achitecture=conv": ["achitecture=conv", "did you mean 'architecture'?"],
    "training.epochs=-1": ["training.epochs=-1", "a whole number of at least 1"],
    "training.epochs=1.5": ["training.epochs=1.5", "a whole number of at least 1"],
    "training.epochs=": ["training.epochs=''", "a whole number of at least 1"],
    "training.epochs=null": ["training.epochs=null", "a whole number of at least 1"],
    "training.epoch=3": ["training.epoch=3", "did you mean 'epochs'?", "batch_size"],
    "training=3": ["training=3", "a group of keys"],
    "optimizer.learning_rte=1": ["optimizer.learning_rte=1", "did you mean 'learning_rate'?", "betas"],
    "optimizer.learning_rate=0": ["optimizer.learning_rate=0", "a number above 0"],
    "optimizer.learning_rate=inf": ["optimizer.learning_rate=Infinity", "a number above 0"],
    "optimizer.learning_rate=1,2": ["optimizer.learning_rate=1,2", "--multirun tries each"],
    "+optimizer.nesterov=true": ["optimizer.nesterov=true", "learning_rate"],
    "noise.probability=2": ["noise.probability=2", "noise=none has no such key", "dropout|masking|salt_and_pepper"],
    "noise=masking noise.probability=2": ["noise.probability=2", "a number from 0 to 1"],
    "architecture.output=softmax": ["architecture.output=softmax", "identity, sigmoid, tanh"],
    "architecture=conv architecture.channels=[16,0]": ["architecture.channels=[16, 0]", "each item a whole number"],
    "~architecture.code_size": ["architecture.code_size", "no value"],
    "~optimizer": ["optimizer=null", "adam, adamw, sgd"],
    "training.epochs=[": ["training.epochs=[", "two pairs of quotes"],
    "training.epochs.x=1": ["training.epochs.x=1", "'training.epochs' has no keys"],
    "training.epoch=1 optimizer.x=2": ["training.epoch", "+training.epoch=1"],
    "hydra.nothing=1": ["hydra.nothing=1", "hydra has no such key", "sweeper"],
    "varient=quick": ["varient=quick", "did you mean 'variant'?", "experiment"],
    "architecture.name=conv": ["architecture.name=conv", "a choice is made by architecture=conv"],
    "data_dir= dataset=mnist": ["data_dir=''", "AUTOENC_DATA"],
    "resume=": ["resume=''", "it names no folder"],
    "rerun=Läuf": ["rerun=Läuf", "no such folder"],
    "data_dir=Läuf": ["data_dir=Läuf", """"data_dir='Läuf'\""""],
    "foo=1": ["foo=1", "there is no such key", "architecture"],
    "foo.bar=1": ["foo.bar=1", "there is no 'foo'"],
    "+foo=1": ["foo=1", "there is no such key"],
    "seed=-1": ["seed=-1", "a whole number of at least 0"],
    "seed=${nowhere}": ["seed", "nowhere"],
    "training.epochs": ["training.epochs", "key=value, without spaces"],
    "training.patience=3 dataset.validation_fraction=0": ["training.patience=3", "dataset.validation_fraction is 0"],
    "dataset.validation_fraction=0.0001": ["dataset.validation_fraction=0.0001", "1437"],
    "optimizer=sgd optimizer.momentum=0": ["optimizer.nesterov=true", "momentum above 0"],
    "resume=nowhere": ["resume=nowhere", "no such folder"],
    "rerun=.": ["rerun=.", "config.yaml is missing"],
    "resume=a rerun=b": ["resume=a", "rerun"],
    "resume=a seed=3": ["resume=a", "'seed=3'"],
    "-m resume=a": ["resume=a"],
    "-m resume=a,b": ["resume=a,b", "one folder at a time"],
    "++resume=nowhere": ["resume=nowhere", "no such folder"],
    "-m seed=0,1 hydra.sweep.subdir=x": ["hydra.sweep.subdir=x", "names the folders of its jobs itself"],
    "sweep.name=x": ["sweep.name=x", "--multirun"],
    "-m seed=0,1 sweep.nam=x": ["sweep.nam=x", "did you mean 'name'?"],
    "-m seed=0,1 hydra.launcher.n_jobs=3": ["hydra.launcher.n_jobs=3", "hydra/launcher=joblib|"],
    "-m seed=0,1 sweep.job_timeout=0": ["sweep.job_timeout=0", "a number above 0"],
    "-m seed=0,1 sweep.rerun=yes": ["sweep.rerun=yes", "failed, all, none"],
    "-m seed=0,1 hydra/launcher=joblob": ["hydra/launcher=joblob", "did you mean 'joblib'?"],
    "-m hydra.sweeper._target_=hydra.nope.X seed=0,1": ["hydra.nope.X"],
    "+hydra.job.env_set.PATH=x": ["hydra.job.env_set", "set variables in the shell"],
    "+hydra.callbacks.x._target_=hydra.experimental.callbacks.LogJobReturnCallback": ["hydra.callbacks"],
    "-m training.epochs=1,-1": ["training.epochs=-1", "a whole number of at least 1"],
    "-m architecture=linear,cnn": ["architecture=cnn", "conv, fully_connected, linear"],
    "--config-path nowhere": ["--config-path=nowhere", "no such folder"],
    "--config-dir nowhere": ["--config-dir=nowhere", "no such folder"],
    "--experimental-rerun x.pickle": ["--experimental-rerun", "rerun="],
    "--cfg job architecture=cnn": ["architecture=cnn", "did you mean 'conv'?"],
    "hydra.job_logging.handlers.file.class=os.system": ["hydra.job_logging", "os.system", "may not name code"],
    "+hydra.callbacks.mine._target_=subprocess.Popen": ["hydra.callbacks.mine._target_", "subprocess.Popen"],
}


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
    assert captured.out == ""
    assert list(elsewhere.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_device_that_is_not_there(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["device=cuda"]) == 2
    assert capsys.readouterr().err == (
        "error: device=cuda: torch finds no CUDA device; this machine has cpu (device=auto takes the first)\n"
    )
    assert list(elsewhere.iterdir()) == []


def test_an_unknown_flag_is_argparse_s(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--epochs", "3"])
    assert caught.value.code == 2
    assert "--epochs" in capsys.readouterr().err


def real_folder() -> Path:
    folder = Path(os.environ.get("AUTOENC_DATA", REPOSITORY.parent / "shared" / "data")) / "FashionMNIST" / "raw"
    if not (folder / "train-images-idx3-ubyte").exists():
        pytest.skip(f"NOT TESTED: the real Fashion-MNIST is not in {folder}; set AUTOENC_DATA")
    return folder


@pytest.mark.parametrize("harm", ["truncated", "altered", "compressed"])
def test_a_harmed_file_is_named(harm: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = elsewhere / "data" / "FashionMNIST" / "raw"
    data.mkdir(parents=True)
    for path in real_folder().iterdir():
        (data / path.name).symlink_to(path)
    harmed = data / "train-images-idx3-ubyte"
    content = bytearray(harmed.read_bytes())
    harmed.unlink()
    content[1_000_000] ^= 1
    harmed_content = {"truncated": content[:-1], "altered": content, "compressed": gzip.compress(content[:9])}
    harmed.write_bytes(bytes(harmed_content[harm]))
    assert main(["dataset=fashion_mnist", "data_dir=data"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert str(harmed) in error
    assert [path.name for path in elsewhere.iterdir()] == ["data"]


def test_a_missing_data_folder_says_where_it_looked(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # A proxy that nobody runs: the same as no network, and as quick on a machine that has one.
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert main(["dataset=mnist", "data_dir=missing"]) == 2
    error = capfd.readouterr().err
    assert error.count("\n") == 1
    for part in ("mnist", str(elsewhere / "missing"), "AUTOENC_DATA", "dataset=digits needs no network"):
        assert part in error
    assert list(elsewhere.iterdir()) == []


def test_an_output_folder_beneath_a_file(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (elsewhere / "file").touch()
    assert main(["hydra.run.dir=file/run"]) == 2
    assert "hydra.run.dir=file/run: the folder cannot be made: Not a directory" in capsys.readouterr().err
    assert [path.name for path in elsewhere.iterdir()] == ["file"]


def test_a_link_that_leads_nowhere(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (elsewhere / "outputs").symlink_to("nowhere")
    assert main([]) == 2
    assert "the folder cannot be made: File exists" in capsys.readouterr().err
    assert [path.name for path in elsewhere.iterdir()] == ["outputs"]


def test_hydra_s_own_errors_before_the_job_leave_nothing(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_in_a_rerun_a_key_of_another_choice_is_told(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    train("noise=none")
    assert main(["rerun=run", "noise.probability=0.3"]) == 2
    assert "noise.probability=0.3: noise=none has no such key" in capsys.readouterr().err


def test_a_folder_that_holds_something_is_refused_and_untouched(
    train: Train, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train()
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    assert main(["hydra.run.dir=run"]) == 2
    assert "not empty" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_a_finished_run_is_not_resumed(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    train()
    assert main(["resume=run"]) == 2
    assert "this run is finished; rerun= starts a new one" in capsys.readouterr().err


def test_a_run_in_another_process_s_hands_is_not_resumed(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    run = RunDirectory(train())
    run.set_state("interrupted")
    with run.locked():
        assert main(["resume=run"]) == 2
    assert "is training in this folder" in capsys.readouterr().err
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


def test_a_traceback_is_there_for_who_asks(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    assert main(["training.epochs=-1"]) == 2
    assert "Traceback" in capsys.readouterr().err
    assert os.environ["HYDRA_FULL_ERROR"] == "1"


def test_the_environment_is_left_as_it_was(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    assert main(["training.epochs=-1"]) == 2
    assert "HYDRA_FULL_ERROR" not in os.environ


def test_our_own_defect_is_told_in_one_line_and_logged_in_full(
    train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr("autoenc.experiment.run.draw_loss_curves", broken)
    run = train(exit_code=1)
    assert capsys.readouterr().err == "error: first line; second line\n"
    assert RunDirectory(run).status()["error"]["kind"] == "raised"
    assert "Traceback" in (run / "train.log").read_text()


@pytest.mark.slow
def test_the_script_is_the_same(elsewhere: Path) -> None:
    command = [sys.executable, str(REPOSITORY / "scripts" / "train.py"), "architecture=cnn"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: architecture=cnn")
    assert list(elsewhere.iterdir()) == []
