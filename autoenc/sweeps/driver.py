"""The course of a sweep: propose, run, watch, until nothing is left or somebody says stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from autoenc.runs import RunDirectory
from autoenc.settings import ConfigError
from autoenc.sweeps.attempt import SAVING_SECONDS
from autoenc.sweeps.launchers.launcher import Launcher
from autoenc.sweeps.plan import Action, Job
from autoenc.sweeps.source import Proposal, Source
from autoenc.training.interruption import Interruption

POLL_SECONDS = 0.1
LAST_SECONDS = 10.0
"""How long jobs that are killed may take to be gone."""
ELSEWHERE_SECONDS = 2.0
"""Between two looks at jobs that other processes are at work on: their folders may be on a disk far away."""


class View(Protocol):
    """Who is told what happens."""

    def planned(self, job: Job, action: str) -> None:
        """What is going to be done about a job."""
        ...

    def began(self, job: Job) -> None:
        """It is with the launcher now."""
        ...

    def ended(self, job: Job) -> None:
        """Its folder says how."""
        ...

    def look(self) -> None:
        """Time goes by; it is asked several times a second."""
        ...

    def stopping(self) -> None:
        """Somebody asked to stop, and the running jobs have been told."""
        ...


@dataclass
class Course:
    """A sweep under way: `run` takes it to its end."""

    source: Source
    launcher: Launcher
    job_of: Callable[[Proposal], Job | None]
    """The job of a proposal; it is written down as the sweep's before it begins. None for the double of another.

    Raises ConfigError where what is proposed cannot be run.
    """
    action: Callable[[Path], Action]
    """What is to be done about the job in a folder."""
    view: View
    asked_for: list[Path] = field(default_factory=list)
    """The folders of all jobs that were proposed."""
    _running: dict[str, tuple[Proposal, Job]] = field(default_factory=dict)
    _elsewhere: list[tuple[Proposal, Job]] = field(default_factory=list)
    """Jobs that another process is at work on: that of a sweep which was killed, and they end by themselves."""
    _twins: list[tuple[Proposal, Job]] = field(default_factory=list)
    """Proposals of a job that was proposed before: they come to what that one comes to."""
    _looked_elsewhere: float = 0.0

    def run(self) -> None:
        """Until nothing is left.

        Raises:
            SystemExit: a signal asked it to end; every job has saved and ended.
        """
        interruption = Interruption()
        try:
            with interruption.watched():
                try:
                    with interruption.deferred():
                        self._until_done(interruption)
                except SystemExit:
                    self.launcher.stop(at_once=True)  # a second signal: nobody wants to wait
                    raise
                if interruption.requested:
                    interruption.leave()
        finally:
            self._leave_nothing_running()
            self.launcher.close()

    def _until_done(self, interruption: Interruption) -> None:
        told = False
        while True:
            if interruption.requested and not told:
                told = True
                self.launcher.stop()
                self.view.stopping()
            self._take_what_ended()
            if not told:
                self._begin_what_there_is_room_for(interruption)
            self.view.look()
            if not self._running and (told or not (self._elsewhere or self._twins)):
                return
            time.sleep(POLL_SECONDS)

    def _begin_what_there_is_room_for(self, interruption: Interruption) -> None:
        while len(self._running) < self.launcher.slots and not interruption.requested:
            proposal = self.source.propose()
            if proposal is None:
                return
            try:
                job = self.job_of(proposal)
            except ConfigError as error:
                self.source.refused(proposal, str(error))
                continue
            if job is None:
                continue
            if job.folder in self.asked_for:
                self._twins.append((proposal, job))
                continue
            self.asked_for.append(job.folder)
            self._go_about(proposal, job, what=self.action(job.folder))

    def _go_about(self, proposal: Proposal, job: Job, *, what: str) -> None:
        self.view.planned(job, what)
        if what == "leave":
            self.source.ended(proposal, job.folder)
        elif what == "wait" and not self._is_the_launcher_s(job):
            self._elsewhere.append((proposal, job))
        else:
            task = replace(job.task, replaces=what == "again")
            self._running[task.folder] = (proposal, job)
            self.launcher.submit(task)
            self.view.began(job)

    def _is_the_launcher_s(self, job: Job) -> bool:
        """Whether the launcher knows of the job that is at work: on another machine, by an earlier start."""
        return self.launcher.adopts and RunDirectory(job.folder).process_lives() is None

    def _take_what_ended(self) -> None:
        for task in self.launcher.ended():
            proposal, job = self._running.pop(task.folder)
            self.source.ended(proposal, job.folder)
            self.view.ended(job)
        self._take_twins()
        due = time.monotonic() - self._looked_elsewhere >= ELSEWHERE_SECONDS
        if self._elsewhere and due and len(self._running) < self.launcher.slots:
            self._looked_elsewhere = time.monotonic()
            waiting, self._elsewhere = self._elsewhere, []
            for proposal, job in waiting:
                # It is left alone as long as it is at work; what it ended as is taken up like any other.
                what = self.action(job.folder)
                if what == "wait":
                    self._elsewhere.append((proposal, job))
                else:
                    self._go_about(proposal, job, what=what)

    def _take_twins(self) -> None:
        busy = {job.folder for _, job in (*self._running.values(), *self._elsewhere)}
        for proposal, job in [twin for twin in self._twins if twin[1].folder not in busy]:
            self._twins.remove((proposal, job))
            self.source.ended(proposal, job.folder)

    def _leave_nothing_running(self) -> None:
        """Where the sweep ends before its time, by a fault of its own, say: jobs are still to save and end."""
        if not self._running:
            return
        self.launcher.stop()
        self._wait_for_the_last(SAVING_SECONDS + LAST_SECONDS)
        self.launcher.stop(at_once=True)
        self._wait_for_the_last(LAST_SECONDS)

    def _wait_for_the_last(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._running and time.monotonic() < deadline:
            for task in self.launcher.ended():
                self._running.pop(task.folder, None)
            time.sleep(POLL_SECONDS)
