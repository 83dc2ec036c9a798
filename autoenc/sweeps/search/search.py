"""The search as a source of jobs."""

from __future__ import annotations

import logging
from pathlib import Path

from autoenc.sweeps.plan import Rerun
from autoenc.sweeps.search.outcome import measured
from autoenc.sweeps.search.report import SearchReport, write_report
from autoenc.sweeps.search.samplers import SamplerSettings
from autoenc.sweeps.search.sampling import suggest
from autoenc.sweeps.search.space import SearchSpace
from autoenc.sweeps.search.study import Study
from autoenc.sweeps.search.trial import Outcome, Trial
from autoenc.sweeps.source import Proposal

log = logging.getLogger(__name__)


class Search:
    """Trials, one at a time: first those of an earlier command that have not ended well, then new ones.

    A trial that ended is not proposed again, but for one that failed, by `rerun`; and one that diverged would diverge
    again, so that only `all` asks for it. `n_trials` counts them all, however they ended.
    """

    def __init__(
        self,
        *,
        study: Study,
        space: SearchSpace,
        sampler: SamplerSettings,
        metric: str,
        n_trials: int,
        rerun: Rerun,
        folder: Path,
    ) -> None:
        self.study = study
        self._space = space
        self._sampler = sampler
        self._metric = metric
        self._n_trials = n_trials
        self._folder = folder
        self._over = False
        there = study.trials()
        self._waiting = [trial for trial in there if trial.state in _RETAKEN[rerun]]
        self._over_before = [trial for trial in there if trial.state not in _RETAKEN[rerun]]
        self._proposed: dict[int, Trial] = {}

    def opening_words(self) -> list[str]:
        """How far the search is."""
        there = len(self.study.trials())
        begun = f", {len(self._waiting)} of them to be gone on with" if self._waiting else ""
        if there == 0:
            return [f"A search of {self._n_trials} trials."]
        left = max(self._n_trials - there, 0)
        return [f"{there} trials of the search are there{begun}; {left} more to come (hydra.sweeper.n_trials)."]

    def over_before(self) -> list[Path]:
        """The folders of the trials that have ended and stay as they are; one may have been taken away since."""
        folders = [self._folder / trial.folder for trial in self._over_before if trial.folder is not None]
        return [folder for folder in folders if folder.is_dir()]

    def propose(self) -> Proposal | None:
        """The next trial."""
        trial = self._waiting.pop(0) if self._waiting else self._new()
        if trial is None:
            return None
        self._proposed[trial.number] = trial
        return Proposal(number=trial.number, overrides=self._space.command(trial.params))

    def ended(self, proposal: Proposal, folder: Path) -> None:
        """Write down what its folder tells. What was interrupted stays open, for the same command to go on with."""
        found = measured(folder, metric=self._metric)
        if found is not None:
            outcome = self.study.agreed(found)
            self.study.end(self._proposed[proposal.number], outcome, folder=folder.name)

    def refused(self, proposal: Proposal, problem: str) -> None:
        """Write down that a proposal makes no job: what is right by itself may be wrong together."""
        self.study.end(self._proposed[proposal.number], Outcome("failed", None, problem), folder=None)

    def report(self) -> SearchReport:
        """How the search went, in `search.json` and as a picture in the sweep's folder.

        Raises:
            OSError: they cannot be written.
        """
        return write_report(self.study, folder=self._folder, metric=self._metric)

    def closing_words(self) -> list[str]:
        """The best trial, and where the picture of the search is."""
        report = self.report()
        return [
            report.line,
            *([] if report.picture is None else [f"How the search went: {report.picture.name} in its folder"]),
        ]

    def _new(self) -> Trial | None:
        if self._over:  # it is asked several times a second, and nobody else adds to the study
            return None
        trials = self.study.trials()
        params = None
        if len(trials) < self._n_trials:
            params = suggest(
                trials,
                space=self._space.distributions,
                direction=self.study.direction,
                sampler=self._sampler,
                number=self.study.next_number(),
            )
            if params is None:
                log.info("Nothing new is left to try: the search ends with %d trials.", len(trials))
        self._over = params is None
        return None if params is None else self.study.begin(params)


_RETAKEN: dict[str, set[str]] = {
    "none": {"running"},
    "failed": {"running", "failed"},
    "all": {"running", "failed", "diverged", "finished"},
}
"""By `sweep.rerun`, which trials of an earlier command are proposed again."""
