"""Sweeps on a real Ray cluster of two machines, which go away while jobs run."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoenc.command_line import main
from autoenc.runs import RunDirectory
from tests.cluster.ray_cluster import ENVIRONMENT, RayCluster
from tests.conftest import REPOSITORY, TINY
from tests.sweeps.faulty import Installed, install
from tests.sweeps.tasks import LIMIT, ends, launcher, outcome, task, training, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed"),
]


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    with pytest.MonkeyPatch.context() as patch:
        installed = install(tmp_path_factory.mktemp("plugin"))
        installed.use(patch)
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        yield installed


@pytest.fixture(scope="module")
def cluster(plugin: Installed) -> Iterator[RayCluster]:
    """One for all tests, which lose its machines one by one: it takes seconds to start."""
    with RayCluster.started() as started:
        yield started


def test_more_gpus_than_any_machine_has_are_refused_before_folders_are_made(
    cluster: RayCluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ray = ["hydra/launcher=ray", f"hydra.launcher.address={cluster.address}", "hydra.launcher.num_gpus=1"]
    assert main(["-m", *TINY, "seed=0,1", f"hydra.sweep.dir={tmp_path / 'sweep'}", *ray]) == 2
    problem = "no machine of the Ray cluster has so many: the largest has 0"
    assert capfd.readouterr().err.splitlines()[-1] == f"error: hydra.launcher.num_gpus=1.0: {problem}"
    assert list(tmp_path.iterdir()) == []


def test_a_machine_that_is_gone_loses_its_jobs_and_the_others_go_on(cluster: RayCluster, tmp_path: Path) -> None:
    ray = launcher("ray", address=cluster.address)
    try:
        assert ray.slots == 2
        for name in ("a", "b", "c"):
            ray.submit(task(tmp_path / name, seconds=0.2))
        wait_until(lambda: ray.ended() == [] and training(tmp_path / "a") and training(tmp_path / "b"))
        there = [name for name in ("a", "b") if cluster.is_on_second(RunDirectory(tmp_path / name).status()["pid"])]
        assert len(there) == 1
        cluster.kill_second()
        assert ends(ray, count=3) == ["a", "b", "c"]
        assert [name for name in ("a", "b", "c") if outcome(tmp_path / name) != "finished"] == there
        error = RunDirectory(tmp_path / there[0]).status()["error"]
        problem = "Ray lost it: Task failed because the node it was running on is dead or unavailable"
        assert error == {"kind": "killed", "message": problem}
        assert "Stopping, and saving" in (tmp_path / there[0] / "train.log").read_text()
        assert ray.lost is None
    finally:
        ray.close()


def test_a_head_node_that_is_gone_ends_the_sweep_with_its_table_and_report(
    cluster: RayCluster, plugin: Installed, tmp_path: Path
) -> None:
    command = [sys.executable, "scripts/train.py", "-m", *TINY, "noise=faulty", "noise.seconds=0,0.3,0.2"]
    options = ["--config-dir", str(plugin.conf), f"hydra.sweep.dir={tmp_path / 'sweep'}", "training.epochs=2"]
    ray = ["hydra/launcher=ray", f"hydra.launcher.address={cluster.address}", "hydra.launcher.n_jobs=1"]
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen([*command, *options, *ray], stdout=output, stderr=output, cwd=REPOSITORY)
    try:
        wait_until(lambda: process.poll() is not None or any(map(training, (tmp_path / "sweep").glob("*seconds_0.3*"))))
        cluster.kill_head()
        assert process.wait(LIMIT) == 1, (tmp_path / "output").read_text()
    finally:
        process.kill()
        process.wait()
    lines = (tmp_path / "output").read_text().splitlines()
    gone = "Ray has ended: its head node, or Ray's process on this machine, is gone"
    assert lines[-1] == f"error: {gone}. The same command continues the sweep."
    assert lines[-2].startswith("error: 2 of 3 jobs did not finish: ")
    assert "3 runs: 1 finished, 1 failed, 1 waiting." in lines
    assert not [line for line in lines if "The program will terminate" in line or "Traceback" in line]
    assert (tmp_path / "sweep" / "report.html").exists()
    outcomes = {folder.name.split("-")[0]: outcome(folder) for folder in (tmp_path / "sweep").glob("*seconds*")}
    assert sorted(outcomes.values()) == ["finished", "killed"]
