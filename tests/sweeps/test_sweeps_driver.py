"""The driver of a sweep, with a launcher that runs nothing."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from autoenc.runs import RunDirectory
from autoenc.settings import ConfigError
from autoenc.sweeps.driver import SweepDriver
from autoenc.sweeps.plan import Job, JobTask, Proposal, Rerun, action
from autoenc.sweeps.sweep_display import SweepDisplay
from autoenc.sweeps.sweepers import Grid
from tests.sweeps.tasks import values


@dataclass
class Pretended:
    """A launcher whose jobs end at the second look."""

    slots: int = 2
    adopts: bool = False
    lost: str | None = None
    submitted: list[JobTask] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    _running: list[JobTask] = field(default_factory=list)
    most: int = 0

    def submit(self, task: JobTask) -> None:
        self.submitted.append(task)
        self._running.append(task)
        self.most = max(self.most, len(self._running))
        if not (Path(task.folder) / "config.yaml").exists():
            RunDirectory.begin(Path(task.folder), config=values())

    def states(self) -> dict[str, str]:
        return {task.folder: "started" for task in self._running}

    def ended(self) -> list[JobTask]:
        over, self._running = self._running[:1], self._running[1:]
        for task in over:
            RunDirectory(Path(task.folder)).set_state("interrupted" if self.calls else "finished")
        return over

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)

    def stop(self, *, at_once: bool = False) -> None:
        self.calls.append("kill" if at_once else "stop")

    def close(self) -> None:
        self.calls.append("close")


class Silent(SweepDisplay):
    def __init__(self) -> None: ...
    def planned(self, job: Job, action: str) -> None: ...
    def ended(self, job: Job) -> None: ...
    def look(self, states: Callable[[], Mapping[str, str]]) -> None: ...
    def stopping(self, elsewhere: Sequence[Job]) -> None: ...


class Remembering(Grid):
    def __init__(self, jobs: Sequence[Sequence[str]]) -> None:
        super().__init__(jobs)
        self.told: list[tuple[int, str]] = []
        self.refusals: list[str] = []

    def ended(self, proposal: Proposal, folder: Path) -> None:
        self.told.append((proposal.number, folder.name))

    def refused(self, proposal: Proposal, problem: str) -> None:
        self.refusals.append(problem)


def driver(
    tmp_path: Path, names: Sequence[str], *, launcher: Pretended | None = None, rerun: Rerun = "failed"
) -> SweepDriver:
    """A sweep with a job in the folder of each name."""

    def job_of(proposal: Proposal) -> Job:
        (name,) = proposal.overrides
        if name == "impossible":
            raise ConfigError("seed", "impossible")
        folder = tmp_path / name
        task = JobTask(folder=str(folder), config=values(), hydra={}, logging={}, timeout=None, command_line=())
        return Job(identity=name, overrides=proposal.overrides, folder=folder, task=task)

    source = Remembering([[name] for name in names])
    return SweepDriver(
        source=source,
        launcher=launcher or Pretended(),
        job_of=job_of,
        action=lambda job: action(job.folder, rerun=rerun),
        view=Silent(),
    )


def submitted(one: SweepDriver) -> list[str]:
    assert isinstance(one.launcher, Pretended)
    return [Path(task.folder).name for task in one.launcher.submitted]


def told(one: SweepDriver) -> list[tuple[int, str]]:
    assert isinstance(one.source, Remembering)
    return sorted(one.source.told)


def test_every_job_runs_once_within_the_slots(tmp_path: Path) -> None:
    launcher = Pretended()
    one = driver(tmp_path, "abcde", launcher=launcher)
    one.run()
    assert submitted(one) == list("abcde")
    assert told(one) == list(enumerate("abcde"))
    assert launcher.most == 2
    assert launcher.calls == ["close"]


@pytest.mark.parametrize("slots", [1, 2])  # the first is over, or at work, when the second is proposed
@pytest.mark.parametrize("rerun", ["failed", "all"])
def test_a_job_that_is_proposed_twice_runs_once(tmp_path: Path, rerun: Rerun, slots: int) -> None:
    one = driver(tmp_path, "aab", launcher=Pretended(slots=slots), rerun=rerun)
    one.run()
    assert submitted(one) == ["a", "b"]
    assert told(one) == [(0, "a"), (1, "a"), (2, "b")]


def test_nothing_begins_and_nothing_is_waited_for_when_the_system_of_the_jobs_is_gone(tmp_path: Path) -> None:
    RunDirectory.begin(tmp_path / "c", config=values())  # it runs in this process, and does not end

    class Losing(Silent):
        def look(self, states: Callable[[], Mapping[str, str]]) -> None:
            launcher.lost = "gone"

    launcher = Pretended()
    one = driver(tmp_path, "cabd", launcher=launcher)
    one.view = Losing()
    one.run()
    assert submitted(one) == ["a", "b"]
    assert [name for _, name in told(one)] == ["a", "b"]


def test_a_finished_job_does_not_run_again(tmp_path: Path) -> None:
    RunDirectory.begin(tmp_path / "a", config=values()).set_state("finished")
    one = driver(tmp_path, "ab")
    one.run()
    assert submitted(one) == ["b"]
    assert told(one) == [(0, "a"), (1, "b")]


def test_an_invalid_proposal_is_refused_alone(tmp_path: Path) -> None:
    one = driver(tmp_path, ["a", "impossible", "b"])
    one.run()
    assert submitted(one) == ["a", "b"]
    assert isinstance(one.source, Remembering)
    assert one.source.refusals == ["seed: impossible"]


def test_the_sweep_waits_for_a_job_of_another_process(tmp_path: Path) -> None:
    run = RunDirectory.begin(tmp_path / "a", config=values())  # by this very process
    looks = 0

    class Looking(Silent):
        def look(self, states: Callable[[], Mapping[str, str]]) -> None:
            nonlocal looks
            looks += 1
            if looks == 3:
                run.set_state("finished")

    one = driver(tmp_path, "a")
    one.view = Looking()
    one.run()
    assert submitted(one) == []
    assert looks >= 3
    assert told(one) == [(0, "a")]


def test_a_stopped_sweep_says_which_jobs_continue(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    RunDirectory.begin(tmp_path / "a", config=values())  # by this very process, and not by the launcher

    class Signalled(Silent):
        def look(self, states: Callable[[], Mapping[str, str]]) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

        def stopping(self, elsewhere: Sequence[Job]) -> None:
            SweepDisplay.stopping(self, elsewhere)

    one = driver(tmp_path, "ab")
    one.view = Signalled()
    with pytest.raises(SystemExit):
        one.run()
    assert caplog.records[-1].message == "An earlier start of the sweep runs these jobs, so they continue: a"


@pytest.mark.parametrize("host", ["elsewhere", socket.gethostname()])
def test_only_an_adopting_launcher_gets_a_job_of_another_machine(tmp_path: Path, host: str) -> None:
    run = RunDirectory.begin(tmp_path / "a", config=values())
    run._write_json("status.json", {**run.status(), "host": host})

    class Ending(Silent):
        def look(self, states: Callable[[], Mapping[str, str]]) -> None:
            run.set_state("finished")

    one = driver(tmp_path, "a", launcher=Pretended(adopts=True))
    one.view = Ending()
    one.run()
    assert submitted(one) == (["a"] if host == "elsewhere" else [])


def test_jobs_save_when_the_sweep_itself_fails(tmp_path: Path) -> None:
    launcher = Pretended()

    class Faulty(Silent):
        def look(self, states: Callable[[], Mapping[str, str]]) -> None:
            raise OSError(28, "No space left on device")

    one = driver(tmp_path, "abc", launcher=launcher)
    one.view = Faulty()
    with pytest.raises(OSError, match="No space left"):
        one.run()
    assert launcher.calls[0] == "stop"
    assert launcher.calls[-1] == "close"
    assert {RunDirectory(tmp_path / name).status()["state"] for name in "ab"} == {"interrupted"}


def test_a_signal_ends_the_sweep_when_its_jobs_have_saved(tmp_path: Path) -> None:
    launcher = Pretended()

    class Signalled(Silent):
        def look(self, states: Callable[[], Mapping[str, str]]) -> None:
            if not launcher.calls:
                os.kill(os.getpid(), signal.SIGINT)

    one = driver(tmp_path, "abcd", launcher=launcher)
    one.view = Signalled()
    with pytest.raises(SystemExit) as ended:
        one.run()
    assert ended.value.code == 130
    assert launcher.calls == ["stop", "close"]
    assert submitted(one) == ["a", "b"]
