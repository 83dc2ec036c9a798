"""`autoenc.train`: the same run as the command's, from Python."""

from __future__ import annotations

import gc
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hydra.core.global_hydra import GlobalHydra
from omegaconf import open_dict
from threadpoolctl import threadpool_info, threadpool_limits
from torch import Tensor

import autoenc
from autoenc.command_line.output_folder import configure_logging
from autoenc.devices import flushes_denormals
from autoenc.runs import RunDirectory
from autoenc.settings import ConfigError
from autoenc.training.step import NotFiniteError, TrainingStep
from tests.composed import composed
from tests.conftest import TINY, Train


def test_it_is_the_run_of_the_command(train: Train, elsewhere: Path) -> None:
    by_command = train("training.epochs=2")
    run = autoenc.train(*TINY, "training.epochs=2", "hydra.run.dir=python")
    assert run.path == elsewhere / "python"
    for name in ("config.yaml", ".hydra/config.yaml"):
        assert (run.path / name).read_text() == (by_command / name).read_text()
    names = [sorted(path.name for path in folder.iterdir()) for folder in (by_command, run.path)]
    assert names[0] == names[1]
    expected = RunDirectory(by_command).summary()
    assert run.scores == expected["test"]
    assert [row["validation/loss"] for row in run.history] == [
        row["validation/loss"] for row in RunDirectory(by_command).metrics()
    ]
    images = run.split("test").images
    assert float(run.errors(images).double().mean()) == pytest.approx(expected["test"]["mse"], rel=1e-5)


@pytest.mark.usefixtures("elsewhere")
def test_a_run_starts_from_the_path_of_another() -> None:
    first = autoenc.train(*TINY, "training.epochs=1", "hydra.run.dir=first")
    run = autoenc.train(*TINY, "training.epochs=1", f"initialize_from={first.path}", "hydra.run.dir=2")
    assert run.config.initialize_from == first.path


@pytest.mark.usefixtures("elsewhere")
def test_the_caller_s_threads_are_restored() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with threadpool_limits(2, user_api="blas"):
            autoenc.train(*TINY, "device.threads=1")
            assert {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"} <= {2, 3}
        assert torch.get_num_threads() == 3
        assert not flushes_denormals()
    finally:
        torch.set_num_threads(before)


def test_runs_in_one_process_have_folders_and_logs_of_their_own(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = autoenc.train(*TINY)
    second = autoenc.train(*TINY, "seed=1")
    assert first.path.parents[1] == second.path.parents[1] == elsewhere / "outputs"
    assert first.path != second.path
    for run in (first, second):
        assert (run.path / "train.log").read_text().count("Run again: autoenc-train rerun=outputs/") == 1
    assert capsys.readouterr().out.count("Run again: ") == 2
    again = autoenc.train(f"rerun={first.path}", "hydra.run.dir=again")
    assert again.scores == first.scores != second.scores


def test_logging_hydra_and_random_numbers_of_the_process_are_as_before(elsewhere: Path) -> None:
    root, handler = logging.getLogger(), logging.NullHandler()
    root.addHandler(handler)
    handlers, level = list(root.handlers), logging.getLogger("autoenc").level
    collected = gc.isenabled(), gc.get_freeze_count()
    hydra = GlobalHydra.instance().hydra  # of an earlier test
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    try:
        autoenc.train(*TINY)
        assert torch.equal(torch.rand(2), expected)
        assert root.handlers == handlers
        assert logging.getLogger("autoenc").level == level
        assert GlobalHydra.instance().hydra is hydra
        assert (gc.isenabled(), gc.get_freeze_count()) == collected
    finally:
        root.removeHandler(handler)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("architecture=cnn", "architecture=cnn: there is no such choice (did you mean 'conv'?)"),
        ("architecture.code_size=0", "architecture.code_size=0: it must be a whole number of at least 1"),
        ("seed=0,1", "seed=0,1: these are several values; this is a sweep, and autoenc.train trains one run; use "),
        ("experiment=code_size", "hydra.mode=MULTIRUN: this is a sweep, and autoenc.train trains one run"),
        ("--multirun", "--multirun: this is a sweep, and autoenc.train trains one run"),
        ("-m", "-m: this is a sweep, and autoenc.train trains one run"),
        ("hydra.job.num=x", "hydra.job.num: "),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(elsewhere: Path, override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        autoenc.train(override)
    assert isinstance(caught.value, ValueError)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize("override", [["architecture=mlp"], 3])
def test_an_override_that_is_no_text_is_refused(elsewhere: Path, override: object) -> None:
    with pytest.raises(TypeError, match=r"^overrides are texts such as 'architecture=mlp', each on its own, and not "):
        autoenc.train(override)  # type: ignore[arg-type]
    assert not list(elsewhere.iterdir())


def test_tab_completion_offers_what_is_not_imported_yet() -> None:
    assert {"train", "load_run", "compare"} <= set(dir(autoenc))


def test_a_run_that_diverges_raises(elsewhere: Path) -> None:
    with pytest.raises(NotFiniteError):
        autoenc.train(*TINY, "optimizer=sgd", "optimizer.learning_rate=1e30", "hydra.run.dir=run")
    assert RunDirectory(elsewhere / "run").state == "failed"


def test_an_interrupted_run_raises_keyboard_interrupt_and_continues(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = [*TINY, "training.epochs=2"]
    whole = autoenc.train(*overrides, "hydra.run.dir=whole")
    step, taken = TrainingStep.train_step, []

    def interrupted(self: TrainingStep, images: Tensor) -> Tensor:
        taken.append(1)
        if len(taken) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, images)

    with monkeypatch.context() as patched:
        patched.setattr(TrainingStep, "train_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            autoenc.train(*overrides, "hydra.run.dir=stopped")
    assert RunDirectory(elsewhere / "stopped").state == "interrupted"
    continued = autoenc.train("resume=stopped")
    assert continued.scores == whole.scores
    codes = [run.encode(np.zeros((1, 1, 8, 8), dtype=np.float32)) for run in (whole, continued)]
    np.testing.assert_array_equal(codes[0], codes[1])


def test_the_package_imports_torch_and_hydra_only_when_they_are_needed(tmp_path: Path) -> None:
    program = "import sys, autoenc; print(sorted({'torch', 'hydra', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "[]\n"


def test_a_preset_s_settings_are_in_the_config(elsewhere: Path) -> None:
    others = [override for override in TINY if not override.startswith(("noise", "training.batch_size"))]
    run = autoenc.train("experiment=salt_and_pepper", *others, "dataset=digits")
    stored = yaml.safe_load((run.path / "config.yaml").read_text())
    assert (stored["noise"]["name"], stored["training"]["batch_size"]) == ("salt_and_pepper", 128)
    assert (run.config.noise.name, run.config.training.batch_size) == ("salt_and_pepper", 128)


@pytest.mark.parametrize("node", ["hydra_logging", "job_logging"])
def test_messages_of_libraries_are_not_shown_as_ours(
    node: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = composed()
    with open_dict(config.hydra.runtime):
        config.hydra.runtime.output_dir = str(tmp_path)
    configure_logging(config, node=node)
    logging.getLogger("matplotlib.font_manager").info("generated new fontManager")
    logging.getLogger("fontTools.subset").info("name pruned")
    logging.getLogger("autoenc").info("ours")
    assert capsys.readouterr().out == "ours\n"
