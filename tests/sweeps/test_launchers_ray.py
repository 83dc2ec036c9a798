"""Jobs on a real Ray, which the launcher starts on this machine or finds there."""

from __future__ import annotations

import importlib
import importlib.util
import tempfile
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import psutil
import pytest
import torch

from autoenc.runs import RunDirectory
from autoenc.settings import ConfigError
from autoenc.sweeps.launchers import Launcher, ray_driver
from tests.sweeps.faulty import install
from tests.sweeps.tasks import (
    check_that_a_job_ended_at_once_does_not_save,
    check_that_each_job_ends_in_its_own_way,
    check_that_each_job_has_a_gpu,
    check_that_nothing_outlives,
    check_that_stopped_jobs_are_saved,
    ends,
    launcher,
    outcome,
    pretend_gpus,
    run_all,
    task,
    training,
    wait_until,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed"),
]


@pytest.fixture(scope="module")
def _a_ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """A Ray with two slots, whatever the machine has, and two pretended GPUs."""
    with pytest.MonkeyPatch.context() as patch:
        install(tmp_path_factory.mktemp("plugin")).use(patch)
        patch.setattr("autoenc.sweeps.launchers.ray_driver.cores_here", lambda: 2)
        pretend_gpus(patch, "4,7")
        made = launcher("ray")
        yield made
        made.close()


@pytest.fixture
def ray(_a_ray: Launcher) -> Launcher:
    """The same for all tests, since it takes seconds to start."""
    _a_ray._stopping = False  # type: ignore[attr-defined]
    return _a_ray


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("auto", "Ray cannot be reached or started: "),
        ("127.0.0.1:1", "there is no answer: .*refused"),
    ],
)
def test_an_address_without_ray_is_refused(address: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=rf"^hydra\.launcher\.address={address}: {problem}.*$"):
        launcher("ray", address=address)


def test_each_job_ends_in_its_own_way(ray: Launcher, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert ray.slots == 2
    check_that_each_job_ends_in_its_own_way(ray, tmp_path, faults=["none", "raise", "kill"])
    assert capfd.readouterr() == ("", "")


def test_ray_listens_only_on_the_loopback(ray: Launcher) -> None:
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    sockets = [socket for process in processes for socket in process.net_connections() if socket.status == "LISTEN"]
    assert len(sockets) > 3
    addresses = {socket.laddr.ip.removeprefix("::ffff:") for socket in sockets}
    # ::1 is that of a ChromeDriver, if tests in a browser came before in this process.
    assert all(ip_address(address).is_loopback for address in addresses), addresses


def test_the_folder_of_a_ray_that_was_killed_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(ray_driver, "LONGEST_FOLDER", 1000)
    theirs, mine = tmp_path / "ray-99999999-other", ray_driver._new_folder()
    dead = mine.rename(tmp_path / "ray-99999999-dead")
    theirs.mkdir()
    alive = [ray_driver._new_folder() for _ in range(2)]
    assert sorted(tmp_path.iterdir()) == sorted([theirs, *alive])
    assert not dead.exists()


def test_each_job_has_its_gpu_and_its_threads(ray: Launcher, tmp_path: Path) -> None:
    check_that_each_job_has_a_gpu(ray, tmp_path, threads=1)


def test_jobs_that_are_stopped_are_saved_and_the_waiting_do_not_begin(ray: Launcher, tmp_path: Path) -> None:
    check_that_stopped_jobs_are_saved(ray, tmp_path, waiting=["c"])


def test_jobs_that_are_ended_at_once_do_not_save(ray: Launcher, tmp_path: Path) -> None:
    check_that_a_job_ended_at_once_does_not_save(ray, tmp_path)


def test_a_worker_that_is_killed_takes_its_job_along_and_no_other(ray: Launcher, tmp_path: Path) -> None:
    tasks = [task(tmp_path / name, seconds=0.2) for name in ("a", "b")]
    for job in tasks:
        ray.submit(job)
    wait_until(lambda: ray.ended() == [] and all(training(Path(job.folder)) for job in tasks))
    process = psutil.Process(RunDirectory(tmp_path / "a").status()["pid"])
    worker = process.parents()[1]
    assert worker.name().startswith("ray::watch")
    worker.kill()
    assert ends(ray, count=2) == ["a", "b"]
    assert [outcome(Path(job.folder)) for job in tasks] == ["killed", "finished"]
    assert "Ray lost it" in RunDirectory(tmp_path / "a").status()["error"]["message"]
    assert not process.is_running()
    assert run_all(ray, [task(tmp_path / "a")]) == ["a"]  # from its checkpoint
    assert outcome(tmp_path / "a") == "finished"


def test_jobs_end_with_the_process_that_began_them(faulty: object, tmp_path: Path) -> None:
    check_that_nothing_outlives("ray", tmp_path, n_jobs=2)


@pytest.mark.parametrize(("key", "value"), [("num_cpus", 5000), ("num_gpus", 0.5)])
def test_a_job_that_fits_no_machine_is_refused(key: str, value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr("autoenc.sweeps.launchers.ray.RayDriver", None)  # it need not be started to know
    with pytest.raises(
        ConfigError, match=rf"^hydra\.launcher\.{key}={value}: no machine of the Ray cluster has so many"
    ):
        launcher("ray", **{key: value})


def test_the_room_for_jobs_is_counted_on_each_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [{"CPU": 3.0}, {"CPU": 3.0, "GPU": 1.0}]
    pretended = SimpleNamespace(nodes=nodes, close=lambda: None)
    monkeypatch.setattr("autoenc.sweeps.launchers.ray.RayDriver", lambda address: pretended)
    slots = {gpus: launcher("ray", address="auto", num_cpus=2, num_gpus=gpus).slots for gpus in (0.0, 0.5, None)}
    assert slots == {0.0: 2, 0.5: 1, None: 1}
    nodes[0]["CPU"] = 4.0
    problem = "no machine of the Ray cluster has so many and num_gpus=1 too"
    with pytest.raises(ConfigError, match=rf"^hydra\.launcher\.num_cpus=4: {problem}$"):
        launcher("ray", address="auto", num_cpus=4, num_gpus=1.0)


def test_a_task_that_cannot_be_imported_is_reported_with_the_cause() -> None:
    exceptions = importlib.import_module("ray.exceptions")
    text = "\x1b[36mray::watch()\x1b[39m\nRuntimeError: failed.\n\nModuleNotFoundError: No module named 'a'\n"
    failed = exceptions.RayTaskError("watch", text, cause=RuntimeError())
    ray = Mock(exceptions=exceptions, get=Mock(side_effect=failed), wait=lambda tasks, **_: (tasks, []))
    tasks = ray_driver._Tasks(ray)
    tasks.submit(task(Path("/sweep/job")), {})
    message = "Ray could not run it: ModuleNotFoundError: No module named 'a'"
    assert tasks.ends() == [("/sweep/job", "killed", message)]
