"""Jobs in slurm's queue, with pretended slurm programs."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from autoenc.runs import RunDirectory
from autoenc.sweeps.launchers import slurm_queue
from autoenc.sweeps.launchers.slurm_queue import SlurmQueue, last_line, states_of
from tests.sweeps.pretended_slurm import Pretended
from tests.sweeps.tasks import end_processes, ends, launcher, outcome, task, training, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("faulty"),
    pytest.mark.skipif(importlib.util.find_spec("submitit") is None, reason="submitit is not installed"),
]


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pretended]:
    pretended = Pretended.install(tmp_path / "slurm")
    pretended.use(monkeypatch)
    monkeypatch.setattr(slurm_queue, "ASK_SECONDS", 0.5)
    monkeypatch.setattr(slurm_queue, "HURRIED_SECONDS", 0.2)
    yield pretended
    end_processes(str(pretended.state))


def test_a_job_goes_on_after_a_warning_and_is_lost_with_its_machine(slurm: Pretended, tmp_path: Path) -> None:
    made = launcher("slurm", cpus_per_task=1)
    sweep = tmp_path / "sweep"
    for name in ("a", "b"):
        made.submit(replace(task(sweep / name, seconds=0.2), replaces=True))
    wait_until(lambda: made.ended() == [] and training(sweep / "a") and training(sweep / "b"))
    slurm.warn("101")
    slurm.lose_the_node("102")
    ends(made, count=2)
    assert [outcome(sweep / name) for name in ("a", "b")] == ["finished", "killed"]
    assert "its slurm job 102 ended as NODE_FAIL" in RunDirectory(sweep / "b").status()["error"]["message"]
    assert "Continuing after step" in (sweep / "a" / "train.log").read_text()
    assert not (sweep / ".replaced").exists()
    # A job's folder says that it has finished before slurm does.
    wait_until(lambda: slurm.jobs() == {"101": "COMPLETED", "102": "NODE_FAIL"})
    script = (slurm.state / "101.sh").read_text()
    assert "#SBATCH --time=240" in script
    assert "#SBATCH --signal=USR2@90" in script
    assert "gpus" not in script
    made.close()


def test_the_next_start_finds_the_jobs_in_the_queue(slurm: Pretended, tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    first = launcher("slurm", cpus_per_task=1)
    first.submit(task(sweep / "a", seconds=0.5))
    wait_until(lambda: first.ended() == [] and training(sweep / "a"))
    slurm.hold()
    first.submit(task(sweep / "b"))
    assert first.ended() == []
    second = launcher("slurm", cpus_per_task=1)
    for name in ("a", "b"):
        second.submit(task(sweep / name))
    for _ in range(3):
        assert second.ended() == []
    assert slurm.jobs() == {"101": "RUNNING", "102": "PENDING"}
    second.stop()
    ends(second, count=2)
    assert outcome(sweep / "a") == "interrupted"
    assert not (sweep / "b").exists()
    wait_until(lambda: slurm.jobs() == {"101": "COMPLETED", "102": "CANCELLED by 0"})
    first.close()
    second.close()


def test_a_job_that_slurm_refuses_fails_alone(slurm: Pretended, tmp_path: Path) -> None:
    (slurm.programs / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: QOSMaxSubmitJobPerUserLimit' >&2\nexit 1\n")
    made = launcher("slurm")
    made.submit(task(tmp_path / "sweep" / "a"))
    assert [Path(job.folder).name for job in made.ended()] == ["a"]
    error = RunDirectory(tmp_path / "sweep" / "a").status()["error"]
    assert error["kind"] == "killed"
    assert error["message"] == "slurm did not take it: sbatch: error: QOSMaxSubmitJobPerUserLimit"


def test_slurm_that_keeps_no_accounts_is_asked_for_its_queue(slurm: Pretended) -> None:
    (slurm.state / "101.json").write_text('{"state": "RUNNING", "name": "n"}')
    assert states_of({"101"}) == {"101": "RUNNING"}
    (slurm.programs / "sacct").write_text("#!/bin/sh\nexit 1\n")
    assert states_of({"101", "102"}) == {"101": "RUNNING", "102": "GONE"}
    (slurm.programs / "squeue").write_text("#!/bin/sh\nexit 1\n")
    assert states_of({"101", "102"}) == {}


def test_an_end_needs_two_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["RUNNING", "NODE_FAIL", "PENDING", "NODE_FAIL", "NODE_FAIL"])
    monkeypatch.setattr(slurm_queue, "states_of", lambda numbers: {"7": next(answers, "NODE_FAIL")})
    monkeypatch.setattr(slurm_queue, "ASK_SECONDS", 0.02)
    queue = SlurmQueue()
    queue.watch("7")
    wait_until(lambda: queue.ended_as("7"))
    assert queue.ended_as("7") == "NODE_FAIL"
    assert next(answers, None) is None
    queue.forget("7")
    assert queue.ended_as("7") is None
    queue.close()


def test_a_slow_slurm_does_not_block(slurm: Pretended, tmp_path: Path) -> None:
    asked, released = tmp_path / "asked", tmp_path / "released"
    lines = ["#!/bin/sh", f"touch {asked}", f"while [ ! -e {released} ]; do sleep 0.1; done", "exit 1", ""]
    (slurm.programs / "sacct").write_text("\n".join(lines))
    queue = SlurmQueue()
    queue.watch("101")
    wait_until(asked.exists)
    assert queue.ended_as("101") is None  # while slurm is being asked
    queue.close()
    released.touch()


def test_the_last_line_is_printable() -> None:
    assert last_line("") == ""
    assert last_line("a\nb\x1b[31m\x07red\n\n") == "b [31m red"
