"""Mistakes in the arguments of the other scripts: one line with the nearest option or choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import autoenc
from autoenc.command_line import apply, compare, evaluate, figures, status, track
from autoenc.runs import RunDirectory
from tests.composed import composed_values

SCRIPTS: dict[str, Callable[[Sequence[str]], int]] = {
    "apply": apply.main,
    "compare": compare.main,
    "evaluate": evaluate.main,
    "figures": figures.main,
    "status": status.main,
    "track": track.main,
}
MISTAKES = {
    "compare": "the following arguments are required: FOLDER",
    "compare run --topp 3": "--topp: there is no such option (did you mean '--top'?); there are --help, --version",
    "compare run --top three": "argument --top: 'three' is not a whole number of at least 1",
    "compare run --csv": "argument --csv: expected one argument",
    "compare nowhere": "FOLDER=nowhere: there is no such folder",
    "figures": "the following arguments are required: RUN (",
    "figures run --device gpu": "argument --device: 'gpu' is not a choice (did you mean 'cuda'?); the choices are",
    "figures run codes --dataset-path x": "--dataset-path: there is no such option (did you mean 'dataset.path'?)",
    "apply run": "the following arguments are required: OUTPUT",
    "apply run a out more": "more: one argument too many",
    "apply run a out do=encode": "do: there is no such option (did you mean '--do'?)",
    "apply run a out --do decod": "'decod' is not a choice (did you mean 'decode'?)",
    "evaluate run full": "FOLDER=full: there is no such folder (did you mean 'evaluation=full'?)",
    "evaluate run --evaluation full": "--evaluation: there is no such option (did you mean 'evaluation'?)",
    "evaluate run device=cpu": "it is neither a folder nor a setting (did you mean '--device'?)",
    "evaluate run evaluation=ful": "evaluation=ful: there is no such choice (did you mean 'full'?)",
    "status": "the following arguments are required: FOLDER",
    "status run --folow": "did you mean '--follow'?",
    "track": "the following arguments are required: FOLDER | KEY=VALUE",
    "track tracker=mlflow": "FOLDER: name at least one folder",
    "track run": "tracker: choose where to send the runs: mlflow, tensorboard, wandb",
    "track run mlflow": "FOLDER=mlflow: there is no such folder (did you mean 'tracker=mlflow'?)",
    "track run --tracker mlflow": "--tracker: there is no such option (did you mean 'tracker'?)",
    "track run tracker=mlflov": "tracker=mlflov: there is no such choice (did you mean 'mlflow'?)",
    "track run tracker=mlflow,wandb": "tracker=mlflow,wandb: one value at a time",
    "track run seed=3": "seed='3': it is neither a folder nor a setting",
    "track nowhere tracker=mlflow": "FOLDER=nowhere: there is no such folder",
    "track empty tracker=mlflow": "FOLDER=empty: there is no run in it",
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_tells_its_version(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        SCRIPTS[script](["--version"])
    assert capsys.readouterr().out == f"autoenc {autoenc.__version__}\n"


@pytest.mark.parametrize("arguments", MISTAKES)
def test_a_mistake_is_one_line(arguments: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    RunDirectory.begin(Path("run"), config=composed_values())
    Path("empty").mkdir()
    script, *words = arguments.split()
    try:
        code: object = SCRIPTS[script](words)
    except SystemExit as error:
        code = error.code
    printed = capsys.readouterr()
    assert (code, printed.out, printed.err.count("\n")) == (2, "", 1)
    assert printed.err.startswith("error: ")
    assert MISTAKES[arguments] in printed.err
