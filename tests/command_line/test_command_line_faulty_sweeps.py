"""A sweep of ten jobs, four of which fail in different ways, under each launcher."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from autoenc.runs import RunDirectory, read_sweep
from tests.conftest import REPOSITORY, TINY
from tests.sweeps.faulty import install
from tests.sweeps.tasks import outcome, processes_with, wait_until

SCRIPT = str(REPOSITORY / "scripts" / "train.py")
SWEEP = Path("outputs/sweeps/s")
JOB_TIMEOUT = 20

LAUNCHERS = {
    "basic": [],
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "slurm": ["hydra/launcher=slurm", "hydra.launcher.cluster=local", "hydra.launcher.n_jobs=2"],
    "ray": ["hydra/launcher=ray", "hydra.launcher.n_jobs=2"],
}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_six_finish_four_are_reported_and_nothing_finished_is_redone(
    launcher: str, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty = install(elsewhere / "package")
    faulty.use(monkeypatch)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    command = [
        *(sys.executable, SCRIPT, *TINY, "-m", "--config-dir", str(faulty.conf), "sweep.name=s", *LAUNCHERS[launcher]),
        *("noise=faulty", "seed=0,1", "noise.fault=none,raise,kill,hang,memory", "noise.unless=mended_${seed}"),
        *("training.epochs=1", "comparison.pictures=[loss_curves]", f"sweep.job_timeout={JOB_TIMEOUT}"),
    ]
    (elsewhere / "mended_1").touch()  # with a file of this name, nothing fails
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: process.poll() is not None or _count("finished") >= 2)
    assert process.returncode is None, process.communicate()
    process.kill()
    process.communicate()
    wait_until(lambda: not processes_with(str(elsewhere)))
    finished = {path: path.read_bytes() for path in SWEEP.glob("*/status.json") if outcome(path.parent) == "finished"}
    assert len(finished) >= 2

    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert ended.returncode == 1, ended
    assert "4 of 10 jobs did not finish" in ended.stderr
    labels = {label: SWEEP / folder for folder, label in read_sweep(SWEEP).labels.items()}
    outcomes = {label: outcome(folder) for label, folder in labels.items()}
    assert len(outcomes) == 10
    bad = {label: found for label, found in outcomes.items() if found != "finished"}
    assert bad == {
        "seed 0, fault raise": "raised",
        "seed 0, fault kill": "killed",
        "seed 0, fault hang": "timed_out",
        "seed 0, fault memory": "out_of_memory",
    }
    for path, content in finished.items():
        assert path.read_bytes() == content
    for label, words in {"raise": "told to fail", "memory": "memory", "hang": "Thread"}.items():
        assert words in (labels[f"seed 0, fault {label}"] / "train.log").read_text(), label
    assert str(JOB_TIMEOUT) in RunDirectory(labels["seed 0, fault hang"]).status()["error"]["message"]
    wait_until(lambda: not processes_with(str(elsewhere)))


def _count(state: str) -> int:
    return sum(outcome(path.parent) == state for path in SWEEP.glob("*/status.json"))
