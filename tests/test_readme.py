"""The README and `docs/`: their commands and their code run, and print what they show."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from autoenc.command_line import main
from autoenc.command_line.compare import main as compare_main
from autoenc.command_line.evaluate import main as evaluate_main
from autoenc.command_line.figures import main as figures_main
from autoenc.command_line.status import main as status_main
from autoenc.command_line.track import main as track_main
from autoenc.runs import RunDirectory
from autoenc.sweeps.launchers.ray import Ray
from autoenc.sweeps.launchers.slurm import Slurm
from tests.conftest import REPOSITORY

ELSEWHERE = {"extending.md", "python.md", "your_own_images.md"}
"""Pages with tests of their own: test_extending.py and test_python_docs.py."""
DOCS = [page for page in sorted((REPOSITORY / "docs").glob("*.md")) if page.name not in ELSEWHERE]
TEXT = "\n".join(page.read_text() for page in [REPOSITORY / "README.md", *DOCS])
SMALL = ["dataset.limit=64", "dataset.test_limit=64", "training.epochs=1", "device.threads=1"]


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language, without the indentation of the list they stand in."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", TEXT, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def commands(script: str) -> list[list[str]]:
    """The arguments of every command of a script in a block of bash, without repetitions."""
    lines = [shlex.split(line, comments=True) for block in blocks("bash") for line in block.splitlines()]
    found = [words[2:] for words in lines if words[:2] == ["python", f"scripts/{script}.py"]]
    return [list(words) for words in dict.fromkeys(map(tuple, found))]


MADE = re.findall(r"^make train(?: ARGS='(.*)')?$", TEXT, re.MULTILINE)
COMMANDS = [*map(shlex.split, MADE), *commands("train")]

FEWER_JOBS = {
    "seed=0,1,2": ["seed=0", "architecture.code_size=2"],
    "seed=range(5)": ["seed=0", "optimizer.learning_rate=1e-3,1e-2"],
    "seed=range(3)": ["seed=0", "architecture.code_size=2,8"],
    "optuna": ["hydra.sweeper.n_trials=2"],
    "experiment=search_": ["hydra.sweeper.n_trials=2"],
    "experiment=architectures": ["architecture=linear,conv"],
    "experiment=checkerboard": ["architecture.upsampling=transposed,nearest"],
    "experiment=code_size": ["architecture.code_size=1,64"],
    "experiment=denoising_kernels": ["noise=none,gaussian"],
    "experiment=depth": ["architecture.hidden=[],[256]"],
    "experiment=noise_severity": ["noise.std=0,1.6"],
    "experiment=collapse": ["seed=0", "architecture.code_activation=relu,identity"],
    "experiment=overfitting": ["seed=0"],
    "experiment=relu_vs_sigmoid": ["seed=0"],
    "experiment=residual_vs_plain": ["seed=0"],
    "experiment=vae_vs_vanilla": ["seed=0"],
}
"""Overrides that leave two or three jobs of the sweeps whose command has these words."""


def needs(arguments: list[str]) -> str | None:
    """The folder of the real data that a command needs, if it needs any."""
    text = " ".join(arguments)
    if any(f"experiment={name}" in text for name in ("linear_vs_conv", "fast_", "checkerboard", "cpu_vs_gpu")):
        return "FashionMNIST"
    if "dataset=mnist" in text or "experiment=" in text:
        return "MNIST"
    return "FashionMNIST" if "dataset=fashion_mnist" in text else None


def test_every_preset_is_shown() -> None:
    presets = {path.stem for path in (REPOSITORY / "conf" / "experiment").glob("*.yaml")}
    shown = {word.removeprefix("experiment=") for words in COMMANDS for word in words if "experiment=" in word}
    assert shown == presets


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's packages have some
@pytest.mark.parametrize("arguments", COMMANDS, ids=[" ".join(words)[:60] or "nothing" for words in COMMANDS])
def test_every_command_runs(arguments: list[str], elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Path(os.environ.get("AUTOENC_DATA", REPOSITORY.parent / "shared" / "data")).absolute()
    monkeypatch.setenv("AUTOENC_DATA", str(data))
    folder = needs(arguments)
    if folder and not (data / folder / "raw" / "train-images-idx3-ubyte").exists():
        pytest.skip(f"NOT TESTED, because the real data are not in {data}: {shlex.join(arguments)}")
    resumes = "resume=outputs/first" in arguments
    if resumes or "rerun=outputs/first" in arguments:
        assert main([*SMALL, "figures=[]", "hydra.run.dir=outputs/first"]) == 0
    if "initialize_from=outputs/pretrained" in arguments:
        assert main(["architecture=conv", *SMALL, "figures=[]", "hydra.run.dir=outputs/pretrained"]) == 0
    # A preset draws the pictures that it was written for. Other tests draw those of a run.
    drawn = [] if any("experiment=" in word for word in arguments) else ["figures=[]"]
    fewer = next((fewer for words, fewer in FEWER_JOBS.items() if words in " ".join(arguments)), [])
    shortened = [] if resumes else [*SMALL, *drawn, *fewer]  # a resumed run keeps its settings
    assert main([*arguments, *shortened]) == 0


IN_CLUSTERS = re.findall(
    r"^(?:\w+=\S+ )?python scripts/train.py (.*)$", (REPOSITORY / "docs" / "clusters.md").read_text(), re.MULTILINE
)
SWEEPS_ON_CLUSTERS = [shlex.split(command) for command in IN_CLUSTERS if "-m " in command]


@pytest.mark.parametrize("arguments", SWEEPS_ON_CLUSTERS, ids=[words[1] for words in SWEEPS_ON_CLUSTERS])
def test_every_sweep_on_a_cluster_can_be_composed(
    arguments: list[str], elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without slurm and Ray, which would check their options. Tests of `tests/cluster/` run such sweeps."""
    for launcher in (Slurm, Ray):
        monkeypatch.setattr(launcher, "check", lambda self: None)
    assert main([*arguments, "--cfg", "job"]) == 0
    assert "in outputs/sweeps/" in capsys.readouterr().out
    assert list(elsewhere.iterdir()) == []


@pytest.mark.slow
def test_folders_are_compared_as_the_docs_say(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    varied = ["optimizer.learning_rate=1e-3,1e-2", "seed=0,1"]
    assert main(["-m", "sweep.name=rates", *varied, *SMALL, "figures=[]"]) == 0
    asked = [(compare_main, words) for words in commands("compare")]
    asked += [(status_main, words) for words in commands("status")]
    assert len(asked) > 4
    for run, arguments in asked:
        capsys.readouterr()
        assert run(arguments) == 0
        assert "learning rate 0.01, seed 1" in (printed := capsys.readouterr().out) or "±" in printed, arguments
    assert (elsewhere / "report.html").stat().st_size > 10_000


def test_the_error_that_is_shown_is_the_error(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = re.findall(r"^\$ python scripts/train.py (.*)\n(error: .*)$", TEXT, re.MULTILINE)
    assert shown
    for command, error in dict.fromkeys(shown):
        assert main(shlex.split(command)) == 2
        assert capsys.readouterr().err == error + "\n"


@pytest.mark.slow
def test_finished_runs_are_scored_as_the_docs_say(elsewhere: Path) -> None:
    assert main([*SMALL, "figures=[]", "hydra.run.dir=outputs/first"]) == 0
    asked = commands("evaluate")
    assert len(asked) == 2
    for arguments in asked:
        assert evaluate_main(arguments) == 0
    test = RunDirectory(elsewhere / "outputs" / "first").summary()["test"]
    assert {"effective_rank", "denoising_gain_db"} <= test.keys()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's packages have some
def test_finished_runs_are_sent_as_the_docs_say(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "figures=[]", "hydra.run.dir=outputs/first"]) == 0
    asked = commands("track")
    assert len(asked) == 2
    for arguments in asked:
        capsys.readouterr()
        assert track_main(arguments) == 0
        assert "Sent: first (finished)" in capsys.readouterr().out


def test_the_pictures_of_a_run_are_drawn_as_the_docs_say(elsewhere: Path) -> None:
    assert main([*SMALL, "figures=[]", "hydra.run.dir=outputs/first"]) == 0
    assert len(commands("figures")) == 2
    for arguments in commands("figures"):
        assert figures_main(arguments) == 0
