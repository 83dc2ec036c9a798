"""What Hydra's users write into a config: `${hydra:runtime.cwd}` and similar, in runs, sweeps and Python."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

import autoenc
from autoenc.command_line import main
from autoenc.command_line.compose import Composer, task_values
from autoenc.command_line.hydra_internals import parse_flags
from autoenc.command_line.sweep_jobs import SweepPlan
from autoenc.sweeps.plan import Job
from tests.command_line.test_command_line_images import FOLDER, paint
from tests.composed import composed, composed_values
from tests.conftest import TINY


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${hydra:runtime.cwd}/data", "{cwd}/data"),
        ("${hydra.runtime.cwd}/data", "{cwd}/data"),
        ("${oc.env:PWD_OF_TEST}/data", "/here/data"),
        ("${hydra:runtime.choices.architecture}", "conv"),
        ("${hydra:job.name}", "train"),
        ("${hydra:job.config_name}", "config"),
        ("${now:%Y}", str(datetime.now().year)),
        ("${oc.select:nothing,there}", "there"),
        ("${oc.select:hydra.job.num,none}", "none"),
        ("${oc.env:NOT_SET,${oc.env:PWD_OF_TEST}}/data", "/here/data"),
        ("${architecture.name}_${dataset.name}", "conv_digits"),
    ],
)
def test_an_interpolation_is_resolved(text: str, value: str, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PWD_OF_TEST", "/here")
    found = composed_values("architecture=conv", f"data_dir={text}")["data_dir"]
    assert found == value.format(cwd=elsewhere)


def test_each_config_has_its_own_hydra_node() -> None:
    first, second = (
        composed("data_dir=${hydra:runtime.choices.noise}", f"noise={noise}") for noise in ("blur", "none")
    )
    assert [task_values(config)["data_dir"] for config in (first, second, first)] == ["blur", "none", "blur"]


def test_the_override_dirname_leaves_out_what_it_is_told_to() -> None:
    excluded = "hydra.job.config.override_dirname.exclude_keys=[seed]"
    config = composed("seed=3", "noise=blur", "hydra.run.dir=${hydra:job.override_dirname}", excluded)
    assert config.hydra.run.dir == "noise=blur"


def jobs(*overrides: str) -> Sequence[Job]:
    composer = Composer(parse_flags(["-m", *overrides]))
    return SweepPlan(composer, composer.compose()).jobs


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("${hydra:job.num}", ["0", "1"]),
        ("${hydra:job.id}", ["0", "1"]),
        ("${hydra:runtime.choices.noise}", ["none", "blur"]),
        ("${hydra:sweep.dir}", ["outputs/sweeps/noise"] * 2),
        ("${sweep.name}", ["noise"] * 2),
        ("${hydra:runtime.cwd}", ["{cwd}"] * 2),
    ],
)
def test_each_job_of_a_sweep_has_its_own_values(text: str, values: list[str], elsewhere: Path) -> None:
    found = jobs("noise=none,blur", "tracker=mlflow", f"tracker.experiment='e {text}'")
    expected = [f"e {value.format(cwd=elsewhere)}" for value in values]
    assert [job.task.config["tracker"]["experiment"] for job in found] == expected


def test_a_preset_can_use_the_override_dirname_of_each_job(elsewhere: Path) -> None:
    (elsewhere / "mine/variant").mkdir(parents=True)
    text = "# @package _global_\ndata_dir: ${hydra:job.override_dirname}\n"
    (elsewhere / "mine/variant/named.yaml").write_text(text)
    found = jobs("--config-dir", "mine", "variant=named", "seed=0,1", "sweep.name=x")
    names = [f"seed={seed},sweep.name=x,variant=named" for seed in (0, 1)]
    assert [job.task.config["data_dir"] for job in found] == [str(elsewhere / name) for name in names]


def test_jobs_share_the_folder_of_a_sweep_that_is_named_by_the_time(elsewhere: Path) -> None:
    found = jobs("hydra.sweep.dir=s/${now:%H-%M-%S-%f}", "seed=0,1")
    (folder,) = {job.folder.parent for job in found}
    written = {yaml.safe_load(job.task.hydra["hydra.yaml"])["hydra"]["sweep"]["dir"] for job in found}
    assert [str(elsewhere / text) for text in written] == [str(folder)]


def test_images_below_another_current_folder_make_other_jobs(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for folder in ("a", "b", "a"):
        (elsewhere / folder).mkdir(exist_ok=True)
        monkeypatch.chdir(elsewhere / folder)
        (job,) = jobs(*FOLDER, "dataset.path=${hydra:runtime.cwd}/imgs", f"hydra.sweep.dir={elsewhere}/sweep")
        assert job.task.config["dataset"]["path"] == str(elsewhere / folder / "imgs")
        found.append(job.identity)
    assert found[0] == found[2] != found[1]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("noise.std=${optimizer.learning_rate},0.3", ["std 0.002", "std 0.3"]),
        ("dataset.path=${oc.env:SHELF}/a,/b c/d:e", ["path /shelf/a", "path /b c/d:e"]),
    ],
)
def test_labels_show_values_and_not_how_they_are_written(
    override: str, expected: list[str], elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHELF", "/shelf")
    composer = Composer(parse_flags(["-m", *FOLDER, "noise=gaussian", override]))
    plan = SweepPlan(composer, composer.compose())
    plan.folder.path.mkdir(parents=True)
    plan.folder.add(plan.jobs, code="")
    assert [job.label for job in plan.folder.jobs.values()] == expected


def config_of(folder: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((Path(folder) / "config.yaml").read_text())
    return found


def test_pictures_next_to_the_current_folder(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paint(elsewhere / "imgs")
    path = "dataset.path=${hydra:runtime.cwd}/imgs"
    into = "hydra.run.dir=${hydra:runtime.cwd}/runs/${hydra:runtime.choices.architecture}"
    assert main([*TINY, *FOLDER, "hydra.job.chdir=true", path, into]) == 0
    run = elsewhere / "runs/linear"
    assert config_of(run)["dataset"]["path"] == str(elsewhere / "imgs")
    text = (run / "config.yaml").read_text()
    assert "${" not in text
    (elsewhere / "b").mkdir()
    monkeypatch.chdir(elsewhere / "b")
    assert main([f"rerun={run}", "hydra.run.dir=again"]) == 0  # by the recorded path, from another folder
    assert config_of("again") == config_of(run)
    (elsewhere / "imgs").rename(elsewhere / "b/imgs")
    assert main([f"rerun={run}", path, "hydra.run.dir=moved"]) == 0
    assert config_of("moved")["dataset"]["path"] == str(elsewhere / "b/imgs")


@pytest.mark.parametrize("text", ["${hydra:job.num}", "${hydra.job.num}", "${hydra:runtime.output_dir}", "${nowhere}"])
def test_help_shows_a_value_that_is_not_known_yet_as_it_is_written(
    text: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--help", f"seed={text}", f"training.epochs={text}"]) == 0
    shown = capsys.readouterr().out
    assert f"  seed={text}" in shown
    assert f"  training.epochs={text}" in shown
    assert "  training.batch_size=64" in shown


def test_cfg_resolves_what_a_run_would(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--cfg", "job", "--resolve", "--package", "data_dir"]
    assert main([*arguments, "data_dir=${hydra:runtime.cwd}/d"]) == 0
    assert capsys.readouterr().out == f"{elsewhere}/d\n"
    assert main([*arguments, "data_dir=${hydra:runtime.output_dir}/d"]) == 2
    assert "hydra.runtime.output_dir has no value here" in capsys.readouterr().err


def test_the_hydra_of_the_calling_program_stays_as_it_was(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = composed("hydra.job.name=theirs")
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)
    HydraConfig.instance().set_config(theirs)
    mine = OmegaConf.create({"name": "${hydra:job.name}"})  # as in `hydra.main`: without the node `hydra`
    run = autoenc.train(*TINY, "training.epochs=1", "figures=[]", "data_dir=${hydra:runtime.cwd}/${hydra:job.name}")
    assert config_of(run.path)["data_dir"] == str(elsewhere / "train")
    assert mine.name == "theirs"
