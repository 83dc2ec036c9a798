"""Jobs in the queue of a real slurm: what is said about them, and how they end."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import TimeoutExpired

import pytest

from autoenc.runs import RunDirectory
from autoenc.settings import ConfigError
from autoenc.sweeps.launchers import Launcher, slurm_queue
from autoenc.sweeps.launchers.slurm_queue import (
    QueueEntry,
    SlurmError,
    SlurmQueue,
    check_submission,
    entries_of,
    in_one_line,
    last_line,
)
from autoenc.sweeps.launchers.submitit_launcher import SubmititLauncher
from tests.cluster.real_slurm import Slurm
from tests.sweeps.tasks import ends, launcher, launcher_settings, outcome, task, training, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("faulty"),
    pytest.mark.skipif(importlib.util.find_spec("submitit") is None, reason="submitit is not installed"),
]

Submitted = Callable[..., Launcher]

LONG = ["exec sleep 600"]
"""The setup of a slurm job that does not get to its jobs."""
PREEMPTING = {
    "PreemptType": "preempt/partition_prio",
    "PreemptMode": "REQUEUE",
    "PartitionName": "urgent Nodes=node PriorityTier=9",
}


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slurm has no other users here."""
    monkeypatch.setattr(slurm_queue, "ASK_SECONDS", 0.5)
    monkeypatch.setattr(slurm_queue, "HURRIED_SECONDS", 0.2)


@pytest.fixture
def submitted(slurm: Slurm, tmp_path: Path) -> Iterator[Submitted]:
    """Makes launchers with jobs in the folder of a sweep."""
    launchers: list[Launcher] = []

    def submitted(*names: str, **settings: object) -> Launcher:
        launchers.append(launcher("slurm", sweep=tmp_path, **{"cpus_per_task": 1, **settings}))
        for name in names:
            launchers[-1].submit(task(tmp_path / name, seconds=0.3))
        return launchers[-1]

    yield submitted
    for made in launchers:
        made.close()


def test_a_job_that_is_killed_for_its_memory_names_the_remedy(
    submitted: Submitted, slurm: Slurm, tmp_path: Path
) -> None:
    hungry = ["head -c 500M /dev/zero | tail -c 500M | sleep 60"]
    made = submitted("a", mem_gb=0.1, setup=hungry)
    ends(made)
    assert slurm.states() == {"1": "FAILED"}
    assert RunDirectory(tmp_path / "a").status()["error"] == {
        "kind": "out_of_memory",
        "message": "its slurm job 1 used more memory than it had requested; increase hydra.launcher.mem_gb",
    }
    made.close()
    assert not (tmp_path / ".submitit").exists()


def test_a_job_waits_starts_and_is_queued_again(submitted: Submitted, slurm: Slurm) -> None:
    made = submitted("a", "b", cpus_per_task=2, setup=LONG)
    seen = states_until(made, {"a": "started", "b": "waiting: Resources"})
    assert seen["a"][0] == "queued"
    slurm.ask("scontrol", "requeue", "1")
    states_until(made, {"a": "requeued: BeginTime", "b": "started"})


@pytest.mark.parametrize("slurm", [PREEMPTING], indirect=True)
def test_a_preempted_job_says_so(submitted: Submitted, slurm: Slurm) -> None:
    made = submitted("a", cpus_per_task=2, setup=LONG)
    states_until(made, {"a": "started"})
    slurm.ask("sbatch", "--partition=urgent", "--ntasks=2", "--mem=100", "--output=/dev/null", "--wrap=sleep 600")
    states_until(made, {"a": "requeued (preemption): BeginTime"})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"partition": "a100"}, "sbatch: error: invalid partition specified: a100; allocation failure: Invalid"),
        ({"mem_gb": 9000}, "allocation failure: Requested node configuration is not available"),
        ({"jobs_per_task": 64}, "allocation failure: Requested node configuration is not available"),
    ],
)
@pytest.mark.usefixtures("slurm")
def test_a_submission_that_slurm_would_refuse_is_refused_before_the_start(
    changes: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        launcher_settings("slurm", **changes).check()
    assert str(refused.value).startswith(f"hydra.launcher=slurm: slurm refuses its jobs: {words}")


def test_a_job_that_slurm_refuses_later_fails_alone(
    submitted: Submitted, slurm: Slurm, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made = submitted()
    slurm.ask("scontrol", "update", "PartitionName=short", "State=INACTIVE")
    made.submit(task(tmp_path / "a"))
    assert ends(made) == ["a"]
    error = RunDirectory(tmp_path / "a").status()["error"]
    words = "sbatch: error: Batch job submission failed: Required partition not available (inactive or drain)"
    assert error == {"kind": "killed", "message": f"slurm did not take it: {words}"}
    assert capfd.readouterr() == ("", "")
    made.close()
    assert not (tmp_path / ".submitit").exists()


def test_the_next_start_finds_the_jobs_and_removes_what_slurm_no_longer_needs(
    submitted: Submitted, slurm: Slurm, tmp_path: Path
) -> None:
    jobs = {"cpus_per_task": 2, "setup": LONG}
    first = submitted("a", "b", "c", **jobs)
    states_until(first, {"a": "started", "b": "waiting: Resources", "c": "waiting: Priority"})
    first.close()
    slurm.ask("scancel", "2")
    second = submitted("a", "c", **jobs)
    states_until(second, {"a": "started", "c": "waiting: Resources"})
    assert list(slurm.states().values()) == ["RUNNING", "CANCELLED", "PENDING"]
    second.close()
    assert len(list((tmp_path / ".submitit").iterdir())) == 1  # slurm has jobs that need it
    third = submitted("a", "c", **jobs)
    assert third.ended() == []
    third.stop(at_once=True)
    assert ends(third, count=2) == ["a", "c"]
    assert list(slurm.states().values()) == ["CANCELLED"] * 3
    third.close()
    assert not (tmp_path / ".submitit").exists()


@pytest.mark.parametrize("slurm", [{"MessageTimeout": 2}], indirect=True)
def test_without_slurm_s_controller_the_sweep_ends_and_says_which_jobs_stay(
    submitted: Submitted, slurm: Slurm, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = submitted("a", "b", cpus_per_task=2, mem_gb=2)
    states_until(made, {"a": "started", "b": "waiting: Resources"})
    wait_until(lambda: made.ended() == [] and training(tmp_path / "a"))
    slurm.stop_controller()
    made.stop()
    assert ends(made, count=2) == ["a", "b"]
    assert outcome(tmp_path / "a") == "interrupted"
    made.close()
    (message,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert message.startswith("Slurm does not answer (slurm_load_jobs error: Unable to contact slurm controller")
    assert message.endswith("), so these jobs stay in its queue. To cancel them later: scancel 2")
    assert list((tmp_path / ".submitit").glob("*/stop"))  # for the job, if slurm starts it


def test_a_log_stays_while_it_is_the_only_record_of_a_failure(submitted: Submitted, tmp_path: Path) -> None:
    made = submitted("a", setup=["srun() { command srun sh -c 'echo no Python >&2; exit 1'; }"])
    ends(made)
    made.close()
    message = RunDirectory(tmp_path / "a").status()["error"]["message"]
    (log,) = (tmp_path / ".submitit").glob("*/1_0_log.err")
    lines = sorted(log.read_text().splitlines())  # srun writes its line at any time
    assert lines == ["no Python", "srun: error: node: task 0: Exited with exit code 1"]
    shown = log.relative_to(tmp_path)
    assert message == f"its slurm job 1 ended as FAILED: no Python (from {shown})"
    RunDirectory(tmp_path / "a").set_state("finished")
    submitted().close()
    assert not (tmp_path / ".submitit").exists()


def test_a_job_requests_its_memory_and_a_warning_before_its_time_limit(submitted: Submitted, tmp_path: Path) -> None:
    made = submitted("a", setup=LONG)
    states_until(made, {"a": "started"})
    (script,) = (tmp_path / ".submitit").glob("*/1_submission.sh")
    lines = script.read_text().splitlines()
    assert {"#SBATCH --mem=4GB", "#SBATCH --time=240", "#SBATCH --signal=USR2@90"} < set(lines)
    assert not any("gpus" in line for line in lines)


def test_the_default_memory_yields_to_that_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    assert requested(launcher("slurm")) == 4
    assert requested(launcher("slurm", gpus_per_node=1)) == 8
    assert requested(launcher("slurm", mem_gb=None)) is None
    assert requested(launcher("slurm", cluster="local")) is None
    assert requested(launcher("slurm", additional_parameters={"mem-per-cpu": "1G"})) is None
    monkeypatch.setenv("SBATCH_MEM_PER_CPU", "1G")
    assert requested(launcher("slurm")) is None


def test_accounts_know_jobs_that_slurm_has_removed(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm.ask("sbatch", "--hold", "--job-name=a", "--output=/dev/null", "--wrap=true")
    held = QueueEntry("1", "PENDING", "JobHeldUser", 0, "a")
    assert entries_of({"1", "7"}) == {"1": held, "7": QueueEntry("7", "GONE")}
    program(tmp_path, "sacct", "echo '7|CANCELLED by 1000'", monkeypatch)
    assert entries_of({"1", "7"}) == {"1": held, "7": QueueEntry("7", "CANCELLED")}


def test_an_end_needs_two_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["RUNNING", "NODE_FAIL", "PENDING", "NODE_FAIL", "NODE_FAIL"])
    monkeypatch.setattr(slurm_queue, "entries_of", lambda _: {"7": QueueEntry("7", next(answers, "NODE_FAIL"))})
    monkeypatch.setattr(slurm_queue, "ASK_SECONDS", 0.02)
    monkeypatch.setattr(slurm_queue, "HURRIED_SECONDS", 0.02)
    queue = SlurmQueue()
    queue.watch("7")
    wait_until(lambda: queue.ended_as("7"))
    assert queue.ended_as("7") == "NODE_FAIL"
    assert next(answers, None) is None
    queue.forget("7")
    assert queue.ended_as("7") is None
    queue.close()


def test_a_slow_slurm_does_not_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, released = tmp_path / "asked", tmp_path / "released"
    program(tmp_path, "squeue", f"touch {asked}; while [ ! -e {released} ]; do sleep 0.1; done; exit 1", monkeypatch)
    queue = SlurmQueue()
    queue.watch("101")
    wait_until(asked.exists)
    assert queue.ended_as("101") is None  # while slurm is being asked
    queue.close()
    released.touch()


def test_a_slurm_that_does_not_answer_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: object) -> None:
        raise TimeoutExpired(command, 60, stderr=b"sbatch: error: no file, retrying\n")

    monkeypatch.setattr("subprocess.run", run)
    with pytest.raises(SlurmError, match=r"^sbatch does not answer within 60 s; sbatch: error: no file, retrying$"):
        check_submission("")


def test_messages_of_slurm_are_one_printable_line() -> None:
    assert last_line("") == in_one_line("") == ""
    assert last_line("a\nb\x1b[31m\x07red\n\n") == "b [31m red"
    assert in_one_line("a\n\nb \na\n") == "a; b"


def requested(made: Launcher) -> float | None:
    """The memory of a slurm job with one job of the sweep, in GB; None: it is left to slurm."""
    assert isinstance(made, SubmititLauncher)
    memory: float | None = made.parameters(1).get("mem_gb")
    return memory


def states_until(made: Launcher, wanted: dict[str, str]) -> dict[str, list[str]]:
    """Wait for these states of all jobs; returns all states of each job by then."""
    seen: dict[str, list[str]] = {name: [] for name in wanted}

    def are_there() -> bool:
        made.ended()
        now = {Path(folder).name: state for folder, state in made.states().items()}
        for name, state in now.items():
            if state not in seen[name][-1:]:
                seen[name].append(state)
        return now == wanted

    wait_until(are_there)
    return seen


def program(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace one of slurm's programs."""
    (folder / "bin").mkdir()
    (folder / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
