"""`scripts/apply.py` from the command line."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autoenc.command_line.apply import main
from tests.conftest import TINY


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from autoenc.command_line import main as train

    run = tmp_path_factory.mktemp("finished") / "run"
    assert train([*TINY, f"hydra.run.dir={run}"]) == 0
    return run


@pytest.fixture
def images(elsewhere: Path) -> Path:
    np.save(elsewhere / "images.npy", np.random.default_rng(0).integers(0, 256, (6, 8, 8), dtype=np.uint8))
    return elsewhere / "images.npy"


def names() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def test_each_action_is_one_command(finished: Path, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(finished)
    assert main([run, "images.npy", "reconstructed"]) == 0
    assert main([run, "images.npy", "denoised", "--do", "denoise", "--device", "cpu"]) == 0
    assert main([run, "images.npy", "codes.npz", "--do", "encode", "--batch-size", "4"]) == 0
    assert main([run, "codes.npz", "decoded", "--do", "decode", "--limit", "2"]) == 0
    assert main([run, "images.npy", "scores.csv", "--do", "score"]) == 0
    assert main([run, "images.npy", "scores.csv", "--do", "score"]) == 2
    assert main([run, "images.npy", "scores.csv", "--do", "score", "--overwrite"]) == 0
    assert len(list(Path("reconstructed").iterdir())) == len(list(Path("denoised").iterdir())) == 7
    assert sorted(path.name for path in Path("decoded").iterdir()) == ["0.png", "1.png"]
    assert (Path("decoded/1.png").read_bytes()) == Path("reconstructed/1.png").read_bytes()
    captured = capsys.readouterr()
    assert captured.err == "error: OUTPUT=scores.csv: this file exists; --overwrite replaces it\n"


def test_an_export_has_no_input(
    finished: Path, elsewhere: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    run = str(finished)
    assert main([run, "model.onnx", "--do", "export"]) == 0
    log = [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]
    assert [line.split()[0] for line in log] == ["The", "Autoencoder:", "Checked", "Written:"]  # none of torch's
    assert capfd.readouterr() == ("", "")
    assert main([run, "--do", "export", "--part", "encoder", "model.onnx"]) == 2
    assert capfd.readouterr().err == "error: OUTPUT=model.onnx: this file exists; --overwrite replaces it\n"
    assert main([run, "--do", "export", "--part", "encoder", "model.onnx", "--overwrite"]) == 0
    assert "Encoder: images (N, 1, 8, 8) to codes (N, 3)" in caplog.text
    assert names() == ["model.onnx"]


def test_options_may_be_between_the_paths(finished: Path, images: Path) -> None:
    assert main([str(finished), "--do", "encode", "images.npy", "--limit", "2", "codes.npz"]) == 0
    assert len(np.load("codes.npz")["codes"]) == 2


def test_a_dataset_has_the_settings_of_its_yaml(finished: Path, elsewhere: Path) -> None:
    """All images, although the run had a limit."""
    assert main([str(finished), "digits", "usual.npz", "--do", "encode"]) == 0
    assert main([str(finished), "run:test", "own.npz", "--do", "encode"]) == 0
    usual, own = (np.load(name)["codes"] for name in ("usual.npz", "own.npz"))
    assert (len(usual), len(own)) == (360, 100)
    np.testing.assert_allclose(usual[:100], own, rtol=1e-4, atol=1e-5)
    assert main([str(finished), "digits:train", "train.csv", "--do", "score", "--baseline", "digits"]) == 0
    facts = json.loads(Path("train.json").read_text())
    assert facts["pictures"]["description"] == "digits (train split)"
    assert facts["ordinary"]["description"] == "digits (test split)"


MISTAKES = {
    "nowhere images.npy out": ["RUN=nowhere", "no such folder"],
    ". images.npy out": ["RUN=.", "config.yaml is missing"],
    "RUN fashion_mnst out": ["did you mean 'fashion_mnist'?"],
    "RUN image_folder out": ["dataset.path=null", "a folder with pictures"],
    "RUN images.npy out --do decode": ["INPUT=images.npy", "codes for this model are numbers (N, 3)", "(6, 8, 8)"],
    "RUN images.npy out --baseline digits": ["--baseline", "--do reconstruct does not use it"],
    "RUN codes.npz out --do decode --invert": ["--invert", "--do decode does not use it"],
    "RUN codes.npz out --do decode --white 9": ["--white", "--do decode does not use it"],
    "RUN images.npy out --white 9": ["--white=9", "it is for picture files", "divide an array by its white"],
    "RUN images.npy": ["error: INPUT: it is missing; --do reconstruct takes RUN INPUT OUTPUT"],
    "RUN model.onnx": [
        "error: INPUT: it is missing; --do reconstruct takes RUN INPUT OUTPUT; --do export writes an .onnx file"
    ],
    "RUN images.npy a.onnx --do export": ["error: INPUT=images.npy: --do export takes RUN OUTPUT; leave this out"],
    "RUN a.onx --do export": ["error: OUTPUT=a.onx: it must be the name of a .onnx file"],
    "RUN a.onnx --do export --limit 9": ["error: --limit: --do export does not use it"],
    "RUN a.onnx --do export --device cpu": ["error: --device: --do export does not use it"],
    "RUN a.onnx --do export --resize crop": ["error: --resize: --do export does not use it"],
    "RUN images.npy out --part encoder": ["error: --part: --do reconstruct does not use it"],
    "RUN mnist out --data-dir .": ["mnist", "AUTOENC_DATA"],
}


@pytest.mark.parametrize("arguments", MISTAKES)
def test_a_mistake_is_one_line_and_leaves_nothing(
    arguments: str,
    finished: Path,
    images: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY"):  # a proxy that does not exist: the same as no network
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert main([str(finished) if word == "RUN" else word for word in arguments.split()]) == 2
    error = capfd.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    for part in MISTAKES[arguments]:
        assert part in error
    assert names() == ["images.npy"]


@pytest.mark.parametrize("flags", [["--batch-size", "0"], ["--over"], []])
def test_argparse_refuses_wrong_flags(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["run", *(["images.npy", "out"] if flags else []), *flags])
    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_other_words_for_an_export_are_understood(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "model.onnx", "--do", "onnx"])
    assert "'onnx' is not a choice (did you mean 'export'?)" in capsys.readouterr().err


def test_data_dir_takes_precedence_over_the_environment(
    finished: Path, images: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("AUTOENC_DATA", str(images.parent / "from the environment"))
    for arguments, folder in (([], "from the environment"), (["--data-dir", "typed"], "typed")):
        assert main([str(finished), "mnist", "out", *arguments]) == 2
        assert str(images.parent / folder) in capfd.readouterr().err


def test_the_help_and_a_wrong_run_import_no_torch() -> None:
    program = (
        "import sys; from autoenc.command_line.apply import main\n"
        "assert main(['nowhere', 'a', 'b']) == 2\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    for part in (
        "--do reconstruct",
        "--do denoise",
        "--do encode",
        "--do decode",
        "--do score",
        "--do export",
        "AUROC",
        "run:test",
    ):
        assert part in done.stdout


def test_an_interruption_ends_with_its_exit_code(
    finished: Path, images: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    Path("out").mkdir()
    monkeypatch.setattr("autoenc.application.apply", lambda *_, **__: signal.raise_signal(signal.SIGINT))
    with pytest.raises(SystemExit) as caught:
        main([str(finished), "images.npy", "out"])
    assert caught.value.code == 130
    assert "out has some of the pictures" in caplog.text


def test_the_pictures_of_the_training_are_not_overwritten(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from autoenc.command_line import main as train

    Path("pictures").mkdir()
    for number, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)):
        Image.fromarray(pixels).save(Path("pictures") / f"{number}.png")
    before = {path.name: path.read_bytes() for path in Path("pictures").iterdir()}
    own = ["dataset=image_folder", "dataset.path=pictures", "dataset.channels=1", "dataset.size=[8,8]"]
    assert train([*TINY, *own, "training.epochs=1", "hydra.run.dir=run"]) == 0
    capsys.readouterr()
    for output, do in (("pictures", "reconstruct"), ("pictures/out", "denoise"), ("pictures/a.csv", "score")):
        assert main(["run", "run:test", output, "--do", do, "--overwrite"]) == 2
        assert "the run's dataset.path is there too" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in Path("pictures").iterdir()} == before
