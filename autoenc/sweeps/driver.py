"""The driver of a sweep: propose, run and watch jobs until none is left, or a signal asks to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from autoenc.runs import RunDirectory
from autoenc.settings import ConfigError
from autoenc.sweeps.attempt import SAVING_SECONDS
from autoenc.sweeps.launchers import Launcher
from autoenc.sweeps.plan import Action, Job, Proposal, Source
from autoenc.sweeps.sweep_display import SweepDisplay
from autoenc.training.interruption import Interruption

POLL_SECONDS = 0.1
"""The longest wait for the end of a job: afterwards the driver looks for signals, time limits and the table."""
LAST_SECONDS = 10.0
"""How long killed jobs may take to be gone."""
ELSEWHERE_SECONDS = 2.0
"""Between two looks at jobs that other processes run: their folders may be on a network disk."""


@dataclass
class SweepDriver:
    """Takes a sweep to its end."""

    source: Source
    launcher: Launcher
    job_of: Callable[[Proposal], Job | None]
    """Makes the job of a proposal and adds it to `sweep.json`; None if it duplicates another job. It raises ConfigError
    if the proposal cannot be run."""
    action: Callable[[Job], Action]
    """Decides what to do with a job, by what is in its folder."""
    view: SweepDisplay
    asked_for: list[Path] = field(default_factory=list)
    """The folders of all proposed jobs."""
    _running: dict[str, tuple[Proposal, Job]] = field(default_factory=dict)
    _elsewhere: list[tuple[Proposal, Job]] = field(default_factory=list)
    """Jobs that another process runs: a sweep that was killed has left them."""
    _duplicates: list[tuple[Proposal, Job]] = field(default_factory=list)
    """Proposals of a job that was proposed before: they have its outcome."""
    _looked_elsewhere: float = 0.0

    def run(self) -> None:
        """Run until no job is left.

        Raises:
            SystemExit: a signal asked it to end; every job has saved and ended.
        """
        interruption = Interruption()
        try:
            with interruption.watched():
                self._until_done(interruption)
                if interruption.requested:
                    interruption.leave()
        finally:
            self._end_running_jobs()
            self.launcher.close()

    def _until_done(self, interruption: Interruption) -> None:
        try:
            with interruption.deferred():
                self._look_until_done(interruption)
        except SystemExit:
            self.launcher.stop(at_once=True)  # a second signal: the user does not want to wait
            raise

    def _look_until_done(self, interruption: Interruption) -> None:
        told = False
        while True:
            if interruption.requested and not told:
                told = True
                self.launcher.stop()
                self.view.stopping([job for _, job in self._elsewhere])
            self._take_ended()
            begins_no_more = told or self.launcher.lost is not None
            if not begins_no_more:
                self._fill_slots(interruption)
            self.view.look(self.launcher.states)
            if not self._running and (begins_no_more or not (self._elsewhere or self._duplicates)):
                return
            self.launcher.wait(POLL_SECONDS)

    def _fill_slots(self, interruption: Interruption) -> None:
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
                self._duplicates.append((proposal, job))
                continue
            self.asked_for.append(job.folder)
            self._handle(proposal, job, action=self.action(job))

    def _handle(self, proposal: Proposal, job: Job, *, action: Action) -> None:
        self.view.planned(job, action)
        if action == "leave":
            self.source.ended(proposal, job.folder)
        elif action == "wait" and not (self.launcher.adopts and RunDirectory(job.folder).process_lives() is None):
            self._elsewhere.append((proposal, job))  # a job of another machine can be adopted
        else:
            task = replace(job.task, replaces=action == "again")
            self._running[task.folder] = (proposal, job)
            self.launcher.submit(task)

    def _take_ended(self) -> None:
        for task in self.launcher.ended():
            proposal, job = self._running.pop(task.folder)
            self.source.ended(proposal, job.folder)
            self.view.ended(job)
        self._take_duplicates()
        due = time.monotonic() - self._looked_elsewhere >= ELSEWHERE_SECONDS
        if self._elsewhere and due and len(self._running) < self.launcher.slots:
            self._looked_elsewhere = time.monotonic()
            waiting, self._elsewhere = self._elsewhere, []
            for proposal, job in waiting:
                action = self.action(job)
                if action == "wait":
                    self._elsewhere.append((proposal, job))
                else:  # it has ended
                    self._handle(proposal, job, action=action)

    def _take_duplicates(self) -> None:
        busy = {job.folder for _, job in (*self._running.values(), *self._elsewhere)}
        for proposal, job in [pair for pair in self._duplicates if pair[1].folder not in busy]:
            self._duplicates.remove((proposal, job))
            self.source.ended(proposal, job.folder)

    def _end_running_jobs(self) -> None:
        if not self._running:
            return
        self.launcher.stop()
        self._wait_for_last(SAVING_SECONDS + LAST_SECONDS)
        self.launcher.stop(at_once=True)
        self._wait_for_last(LAST_SECONDS)

    def _wait_for_last(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._running and time.monotonic() < deadline:
            for task in self.launcher.ended():
                self._running.pop(task.folder, None)
            self.launcher.wait(POLL_SECONDS)
