"""Sweeps from the command line, and commands that continue them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest
from omegaconf import OmegaConf

from autoenc.command_line import main
from autoenc.command_line.compose import Composer
from autoenc.command_line.hydra_internals import parse_flags
from autoenc.runs import RunDirectory, read_sweep
from autoenc.sweeps.launchers.local import LocalLauncher
from autoenc.sweeps.plan import JobTask
from tests.composed import composed
from tests.conftest import REPOSITORY, TINY
from tests.sweeps.faulty import Installed, install
from tests.sweeps.tasks import outcome, processes_with, training, wait_until

SCRIPT = str(REPOSITORY / "scripts" / "train.py")
QUICK = [*TINY, "-m", "sweep.name=s", "training.epochs=1", "comparison.pictures=[loss_curves]"]
SWEEP = Path("outputs/sweeps/s")


@pytest.fixture
def faulty(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    installed = install(elsewhere / "package")
    installed.use(monkeypatch)
    return installed


def jobs(sweep: Path = SWEEP) -> dict[str, Path]:
    """A sweep's job folders by label."""
    return {label: sweep / folder for folder, label in read_sweep(sweep).labels.items()}


def state(folder: Path) -> str:
    return str(RunDirectory(folder).status()["state"])


def test_jobs_are_composed_from_files_that_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    composer = Composer(parse_flags(["-m", "noise=gaussian", "seed=0,1"]))
    config = composer.compose()
    usual = config.noise.std
    first = composer.compose_job(config, ["noise=gaussian", "seed=0", f"noise.std={2 * usual}"], number=0)

    def load(*_: object) -> NoReturn:
        raise AssertionError("a file is read again")

    monkeypatch.setattr(OmegaConf, "load", load)
    second = composer.compose_job(config, ["noise=gaussian", "seed=1"], number=1)
    assert [(job.noise.std, job.seed) for job in (first, second)] == [(2 * usual, 0), (usual, 1)]


def test_what_jobs_are_forked_from_starts_before_they_are_checked(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[bool] = []
    monkeypatch.setattr("autoenc.sweeps.launchers.local.warm_up", lambda: started.append(True))
    assert main([*QUICK, "seed=0,1", "--cfg", "job"]) == 0
    assert started == []
    assert main([*QUICK, "seed=0,-1"]) != 0
    assert "seed" in capsys.readouterr().err
    assert started == [True]
    assert not Path("outputs").exists()


def test_a_sweep_runs_what_is_missing_and_keeps_the_rest(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*QUICK, "--cfg", "job", "architecture.code_size=1,2", "seed=1"]) == 0
    headline, *lines = capsys.readouterr().out.splitlines()
    assert headline == "# 2 jobs in outputs/sweeps/s: 2 new."
    assert [line.split()[::3] for line in lines] == [["new", f"architecture.code_size={size}"] for size in (1, 2)]
    assert not Path("outputs").exists()

    assert main([*QUICK, "architecture.code_size=1,2", "seed=1"]) == 0
    found = jobs()
    assert list(found) == ["code size 1", "code size 2"]
    folder = found["code size 2"]
    assert folder.name.startswith("code_size_2-")
    config = RunDirectory(folder).config()
    assert (config["architecture"]["code_size"], config["seed"]) == (2, 1)
    assert "sweep" not in config
    assert "seed=1" in (folder / ".hydra" / "overrides.yaml").read_text()
    assert folder.name in (folder / ".hydra" / "hydra.yaml").read_text()
    assert "epoch 1/1" in (folder / "train.log").read_text()
    assert {path.name for path in SWEEP.iterdir() if not path.is_dir()} >= {"sweep.json", "comparison.csv"}
    assert not (SWEEP / ".lock").exists()

    before = {path: path.read_bytes() for path in SWEEP.glob("*/status.json")}
    capsys.readouterr()
    assert main([*QUICK, "architecture.code_size=1,2", "seed=1"]) == 0
    assert "2 jobs in outputs/sweeps/s: 2 kept." in capsys.readouterr().out
    wider = [*QUICK, "architecture.code_size=2", "seed=0,1"]
    assert main([*wider, "--cfg", "job"]) == 0
    assert f"kept  {folder.name}  seed=1" in capsys.readouterr().out
    assert main(wider) == 0
    assert "2 jobs in outputs/sweeps/s: 1 kept, 1 new." in capsys.readouterr().out
    after = {path: path.read_bytes() for path in SWEEP.glob("*/status.json")}
    assert len(after) == 3
    assert before.items() <= after.items()
    assert set(jobs()) == {"code size 1, seed 1", "code size 2, seed 1", "code size 2, seed 0"}

    changed = jobs()["code size 2, seed 0"] / "config.yaml"
    changed.write_text(changed.read_text().replace("seed: 0", "seed: 7"))
    assert main(wider) == 2
    assert "its config.yaml has been changed" in capsys.readouterr().err


def test_folders_are_named_as_in_the_config_and_jobs_in_words(elsewhere: Path) -> None:
    assert main([*QUICK, "architecture=fully_connected,mlp"]) == 0
    names = {label: folder.name.rpartition("-")[0] for label, folder in jobs().items()}
    assert names == {"fully connected": "fully_connected", "MLP": "mlp"}


def test_a_list_of_jobs_takes_no_other_flags(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*QUICK, "--cfg", "job", "seed=0,1", "architecture=nothing"]) == 2
    assert "there is no such choice" in capsys.readouterr().err
    assert main([*QUICK, "--cfg", "hydra"]) == 2
    assert "--cfg=hydra: of a sweep (--multirun), --cfg job lists the jobs" in capsys.readouterr().err


def test_examples_of_a_search_can_be_listed_before_it(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("optuna")
    search = ["hydra/sweeper=optuna", "optimizer.learning_rate=tag(log, interval(1e-4, 1e-1))"]
    assert main([*QUICK, *search, "--cfg", "job"]) == 0
    headline, *lines = capsys.readouterr().out.splitlines()
    assert headline.startswith("# A search in outputs/sweeps/s, which chooses its jobs as it goes")
    assert lines == ["optimizer.learning_rate=0.0001", "optimizer.learning_rate=0.1"]
    assert not Path("outputs").exists()


def test_a_failed_job_is_tried_again_and_its_old_folder_kept(
    elsewhere: Path, faulty: Installed, capsys: pytest.CaptureFixture[str]
) -> None:
    fault = ["--config-dir", str(faulty.conf), "noise=faulty", "noise.unless=mended", "noise.fault=none,raise,kill"]
    assert main([*QUICK, *fault]) == 1
    captured = capsys.readouterr()
    blamed = r"raised: in the plugin autoenc_faulty \(\S+\.py, line \d+\), RuntimeError: the noise was told to fail"
    assert re.search(blamed, captured.out)
    assert "killed: its process was ended by SIGKILL" in captured.out
    assert captured.err.startswith("error: 2 of 3 jobs did not finish: outputs/sweeps/s/")
    raised, killed = jobs()["fault raise"], jobs()["fault kill"]
    assert "RuntimeError: the noise was told to fail" in (raised / "train.log").read_text()
    assert state(jobs()["fault none"]) == "finished"
    assert main([*QUICK, *fault, "sweep.rerun=none"]) == 1
    assert "3 kept" in capsys.readouterr().out
    (elsewhere / "mended").touch()
    assert main([*QUICK, *fault]) == 0
    assert "1 kept, 1 resumed, 1 restarted" in capsys.readouterr().out
    assert state(raised) == state(killed) == "finished"
    assert state(SWEEP / ".replaced" / f"{raised.name}.1") == "failed"


def test_a_job_with_missing_data_records_the_reason(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert main([*QUICK, "dataset=mnist", "data_dir=none"]) == 1
    (job,) = jobs().values()
    assert state(job) == "failed"
    assert "dataset=digits needs no network" in RunDirectory(job).status()["error"]["message"]


def test_equal_jobs_run_once_and_each_has_its_own_threads_or_a_share(elsewhere: Path) -> None:
    joblib = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=1000"]
    assert main([*QUICK, "optimizer.learning_rate=0.01,1e-2", "device.threads=2,null", *joblib]) == 0
    environments = [json.loads((job / "environment.json").read_text()) for job in jobs().values()]
    assert [environment["threads"] for environment in environments] == [2, 1]
    assert all(environment["cpu_flushes_denormals"] for environment in environments)


def test_a_folder_in_use_or_with_other_files_is_refused(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import filelock

    SWEEP.mkdir(parents=True)
    with filelock.FileLock(SWEEP / ".lock"):
        assert main([*QUICK, "seed=0,1"]) == 2
    assert "another sweep is running in its folder" in capsys.readouterr().err
    (SWEEP / "thesis.tex").touch()
    assert main([*QUICK, "seed=0,1"]) == 2
    assert "sweep.name=" in (message := capsys.readouterr().err)
    assert "the folder holds other files (thesis.tex)" in message
    assert [path.name for path in SWEEP.iterdir() if path.name != ".lock"] == ["thesis.tex"]


def test_a_preset_s_sweep_is_named_by_its_settings(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["dataset=digits", "dataset.validation_fraction=0", "dataset.limit=64", "training.epochs=1"]
    assert main(["experiment=linear_vs_conv", "-m", "--cfg", "job", *small]) == 0
    headline, *lines = capsys.readouterr().out.splitlines()
    name = "linear_vs_conv-digits-validation_fraction_0-limit_64-epochs_1"
    assert headline == f"# 2 jobs in outputs/sweeps/{name}: 2 new."
    assert [line.split("architecture=")[1].split()[0] for line in lines] == ["fully_connected", "conv"]
    single = composed("experiment=linear_vs_conv", "hydra.mode=RUN", "architecture=conv")
    assert (single.hydra.mode.name, single.architecture.name) == ("RUN", "conv")


def test_a_single_run_of_a_preset_that_is_a_sweep_is_warned_of(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["dataset=digits", "dataset.validation_fraction=0", "dataset.limit=64", "training.epochs=1", "device=cpu"]
    forced = ["experiment=linear_vs_conv", "hydra.mode=RUN", *small, "figures=[]"]
    assert main([*forced, "hydra.run.dir=one"]) == 0
    assert "a sweep over architecture=fully_connected,conv. With hydra.mode=RUN" in capsys.readouterr().out
    assert main([*forced, "architecture=fully_connected", "hydra.run.dir=two"]) == 0
    assert "is a sweep" not in capsys.readouterr().out


def test_a_sweep_may_start_from_a_run(elsewhere: Path) -> None:
    assert main([*TINY, "training.epochs=1", "hydra.run.dir=run"]) == 0
    assert main(["rerun=run", "-m", "sweep.name=s", "seed=1"]) == 0
    assert [RunDirectory(job).config()["seed"] for job in jobs().values()] == [1]


@pytest.mark.slow
def test_an_interrupted_sweep_saves_every_job_and_can_be_resumed(elsewhere: Path, faulty: Installed) -> None:
    slow = ["--config-dir", str(faulty.conf), "noise=faulty", "noise.seconds=0.2", "training.checkpoint_every=1"]
    command = [*QUICK, *slow, "seed=0,1,2", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "training.epochs=2"]
    process = subprocess.Popen([sys.executable, SCRIPT, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: sum(training(folder) for folder in SWEEP.glob("*-*")) == 2)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert b"The same command continues the sweep." in out
    assert sorted(state(folder) for folder in SWEEP.glob("*-*")) == ["interrupted", "interrupted"]
    assert not processes_with(str(elsewhere))
    assert main([*command, "noise.seconds=0"]) == 0


@pytest.mark.slow
def test_ctrl_c_while_the_first_job_is_prepared_fails_no_job(elsewhere: Path) -> None:
    """It goes to every process of the terminal, and what jobs are forked from imports for seconds."""
    command = [sys.executable, SCRIPT, *QUICK, "seed=0,1,2", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    wait_until(lambda: any(SWEEP.glob("*-*")))
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert err == b""
    assert b"The same command continues the sweep." in out
    assert {state(folder) for folder in SWEEP.glob("*-*")} == {"interrupted"}


def test_rerun_all_continues_after_an_interruption(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*QUICK, "seed=0,1"]) == 0
    command = [*QUICK, "seed=0,1", "sweep.rerun=all"]
    with monkeypatch.context() as patched:  # as if it had been stopped in the last job
        patched.setattr("autoenc.sweeps.sweep_folder.SweepFolder.end_anew", lambda _: None)
        assert main(command) == 0
    RunDirectory(jobs()["seed 1"]).set_state("interrupted")
    assert len(list((SWEEP / ".replaced").iterdir())) == 2
    capsys.readouterr()
    assert main(command) == 0
    assert "2 jobs in outputs/sweeps/s: 1 kept, 1 resumed" in capsys.readouterr().out
    assert len(list((SWEEP / ".replaced").iterdir())) == 2
    assert main([*command, "--cfg", "job"]) == 0
    assert "2 jobs in outputs/sweeps/s: 2 restarted." in capsys.readouterr().out


def test_a_sweep_that_is_widened_by_the_device_adds_only_new_jobs(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*QUICK, "device=cpu"]) == 0
    capsys.readouterr()
    assert main([*QUICK, "device=cpu,auto", "--cfg", "job"]) == 0
    assert "2 jobs in outputs/sweeps/s: 1 kept, 1 new." in capsys.readouterr().out


def test_a_launcher_or_a_search_that_is_refused_leaves_no_folder(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna")
    pytest.importorskip("ray")
    ray = ["hydra/launcher=ray", "hydra.launcher.address=127.0.0.1:1"]
    assert main([*QUICK, "seed=0,1", *ray]) == 2
    assert "there is no answer" in capsys.readouterr().err
    search = ["hydra/sweeper=optuna", "hydra.sweeper.storage=sqlite:////nonexistent/studies.db"]
    assert main([*QUICK, *search, "optimizer.learning_rate=interval(1e-3,1e-1)"]) == 2
    assert "the study cannot be opened" in capsys.readouterr().err
    assert not Path("outputs").exists()


@pytest.mark.parametrize(
    ("launcher", "refusal"),
    [
        ("basic", "device=cuda: torch finds no CUDA device"),
        ("joblib", "device=cuda: torch finds no CUDA device"),
        ("slurm hydra.launcher.cluster=local", "device=cuda: torch finds no CUDA device"),
        ("slurm hydra.launcher.cluster=local hydra.launcher.gpus_per_node=1", "hydra.launcher.gpus_per_node=1: this"),
        ("ray", "device=cuda: torch finds no CUDA device"),
        ("ray hydra.launcher.num_gpus=1", "hydra.launcher.num_gpus=1.0: no machine"),
        ("ray hydra.launcher.num_gpus=1 hydra.launcher.address=auto", None),
    ],
)
def test_only_jobs_of_this_machine_are_checked_against_its_gpus(
    launcher: str,
    refusal: str | None,
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("submitit")
    pytest.importorskip("ray")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # does not make one
    command = [text for text in QUICK if text != "device=cpu"]
    command += ["seed=0,1", "device=cuda", *f"hydra/launcher={launcher}".split(), "--cfg", "job"]
    assert main([*command, "data_dir=/nonexistent"]) == (0 if refusal is None else 2)
    said = capsys.readouterr()
    if refusal is None:
        assert said.out.startswith("# 2 jobs in outputs/sweeps/s: 2 new.")
    else:
        assert said.err.startswith(f"error: {refusal}")
        assert said.err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize(("n_jobs", "most"), [("null", 2), ("4", 4)])
def test_a_search_waits_for_results_unless_the_number_of_jobs_is_set(
    n_jobs: str, most: int, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna")
    monkeypatch.setattr("autoenc.sweeps.launchers.local.cores_here", lambda: 4)
    submit = LocalLauncher.submit
    running: list[int] = []

    def submit_and_count(launcher: LocalLauncher, task: JobTask) -> None:
        submit(launcher, task)
        running.append(len(launcher._running))

    monkeypatch.setattr(LocalLauncher, "submit", submit_and_count)
    search = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=4", "hydra.sweeper.sampler.n_startup_trials=1"]
    joblib = ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={n_jobs}"]
    assert main([*QUICK, *search, *joblib, "optimizer.learning_rate=tag(log, interval(1e-3, 1e-1))"]) == 0
    assert ("At most 2 trials run at a time" in capsys.readouterr().out) is (n_jobs == "null")
    assert max(running) == most
    assert len(running) == 4


SEARCH = (*QUICK, "hydra/sweeper=optuna", "hydra.sweeper.n_trials=2")


def test_a_trial_that_diverges_is_a_result_of_a_search_and_is_not_run_again(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna")
    for _ in range(2):
        assert main([*SEARCH, "optimizer.learning_rate=choice(1e-3,1e30)"]) == 0
        said = capsys.readouterr()
        assert said.err == ""
        assert "1 of 2 trials diverged." in said.out
        assert "Not ranked: 1 diverged" in said.out
        assert "By validation.loss, lower is better" in said.out  # what the search goes by
    assert not (SWEEP / ".replaced").exists()


def test_a_search_whose_trials_all_diverge_fails(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("optuna")
    assert main([*SEARCH, "optimizer.learning_rate=choice(1e30,1e31)"]) == 1
    assert capsys.readouterr().err.startswith("error: all 2 trials diverged; the first: in epoch 1 ")


def test_a_trial_that_fails_otherwise_fails_the_search(
    elsewhere: Path, faulty: Installed, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna")
    fault = ["--config-dir", str(faulty.conf), "noise=faulty", "noise.fault=choice(none,raise)"]
    assert main([*SEARCH, *fault, "hydra.sweeper.metric=mse", "optimizer.learning_rate=1e30"]) == 1
    (raised,) = (folder for label, folder in jobs().items() if "raise" in label)
    assert capsys.readouterr().err == f"error: 1 of 2 jobs did not finish: {raised}\n"


def test_a_job_that_diverges_fails_a_sweep_that_is_no_search(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*QUICK, "optimizer.learning_rate=1e-3,1e30"]) == 1
    diverged = jobs()["learning rate 1e+30"]
    assert capsys.readouterr().err == f"error: 1 of 2 jobs did not finish (1 diverged): {diverged}\n"


JOB_TIMEOUT = 20

LAUNCHERS = {
    "basic": [],
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "slurm": ["hydra/launcher=slurm", "hydra.launcher.cluster=local", "hydra.launcher.n_jobs=2"],
    "ray": ["hydra/launcher=ray", "hydra.launcher.n_jobs=2"],
}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "launcher",
    ["joblib", *(pytest.param(name, marks=pytest.mark.exhaustive) for name in LAUNCHERS if name != "joblib")],
)
def test_failures_are_reported_and_nothing_finished_is_trained_again(
    launcher: str, elsewhere: Path, faulty: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    command = [
        *(sys.executable, SCRIPT, *TINY, "-m", "--config-dir", str(faulty.conf), "sweep.name=s", *LAUNCHERS[launcher]),
        *("noise=faulty", "noise.fault=none,raise,kill,hang,memory"),
        *("training.epochs=1", "comparison.pictures=[loss_curves]", f"sweep.job_timeout={JOB_TIMEOUT}"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: process.poll() is not None or _finished())
    assert process.returncode is None, process.communicate()
    process.kill()
    process.communicate()
    wait_until(lambda: not processes_with(str(elsewhere)))
    finished = _finished()
    assert finished

    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert ended.returncode == 1, ended
    assert "4 of 5 jobs did not finish" in ended.stderr
    labels = {label: SWEEP / folder for folder, label in read_sweep(SWEEP).labels.items()}
    outcomes = {label: outcome(folder) for label, folder in labels.items()}
    assert outcomes == {
        "fault none": "finished",
        "fault raise": "raised",
        "fault kill": "killed",
        "fault hang": "timed_out",
        "fault memory": "out_of_memory",
    }
    for path, content in finished.items():
        assert path.read_bytes() == content
    for label, words in {"raise": "told to fail", "memory": "memory", "hang": "Thread"}.items():
        assert words in (labels[f"fault {label}"] / "train.log").read_text(), label
    assert str(JOB_TIMEOUT) in RunDirectory(labels["fault hang"]).status()["error"]["message"]
    wait_until(lambda: not processes_with(str(elsewhere)))


def _finished() -> dict[Path, bytes]:
    """The status files of the jobs that have finished."""
    return {path: path.read_bytes() for path in SWEEP.glob("*/status.json") if outcome(path.parent) == "finished"}
