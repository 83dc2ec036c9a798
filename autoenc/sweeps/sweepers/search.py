"""The search as a source of jobs.

Optuna proposes settings and is told the outcomes here, without Hydra's plugin: hydra-optuna-sweeper 1.3.0 needs Optuna
2, ends the search when a worker dies, launches trials in batches, and cannot continue a study.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from autoenc.sweeps.plan import Proposal, Rerun
from autoenc.sweeps.sweepers.optuna_search import OptunaSearch, SamplerSettings
from autoenc.sweeps.sweepers.sampling import suggest
from autoenc.sweeps.sweepers.search_report import write_report
from autoenc.sweeps.sweepers.search_space import SearchSpace
from autoenc.sweeps.sweepers.study import Study
from autoenc.sweeps.sweepers.trial import Outcome, Trial, outcome

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Search:
    """Proposes trials: first those that an earlier command left open, then new ones.

    `rerun` says which trials that have ended are proposed again.
    """

    may_diverge: ClassVar[bool] = True

    settings: OptunaSearch
    study: Study
    space: SearchSpace
    sampler: SamplerSettings
    rerun: Rerun
    folder: Path
    """The sweep's."""

    def __post_init__(self) -> None:
        there = self.study.trials()
        self._waiting = [trial for trial in there if trial.state in _RUN_AGAIN[self.rerun]]
        self._over_before = [trial for trial in there if trial.state not in _RUN_AGAIN[self.rerun]]
        self._proposed: dict[int, Trial] = {}
        self._exhausted = False

    def opening_words(self) -> list[str]:
        """Say how far the search is."""
        there = len(self.study.trials())
        if there == 0:
            return [f"A search of {self.settings.n_trials} trials."]
        left = max(self.settings.n_trials - there, 0)
        waiting = f", {len(self._waiting)} of them to be continued" if self._waiting else ""
        return [f"The search has {there} trials{waiting}; {left} more to come (hydra.sweeper.n_trials)."]

    def over_before(self) -> list[Path]:
        """The folders of the trials that have ended and are left alone, as far as they still exist."""
        folders = [self.folder / trial.folder for trial in self._over_before if trial.folder is not None]
        return [folder for folder in folders if folder.is_dir()]

    def propose(self) -> Proposal | None:
        """The next trial."""
        trial = self._waiting.pop(0) if self._waiting else self._new_trial()
        if trial is None:
            return None
        self._proposed[trial.number] = trial
        return Proposal(number=trial.number, overrides=self.space.command(trial.params))

    def ended(self, proposal: Proposal, folder: Path) -> None:
        """Record the outcome. An interrupted trial stays open, so that the same command continues it."""
        found = outcome(folder, metric=self.settings.metric)
        if found is not None:
            self.study.end(self._proposed[proposal.number], self.study.checked(found), folder=folder.name)

    def refused(self, proposal: Proposal, problem: str) -> None:
        """Record a failure: settings that are valid one by one may be invalid together."""
        self.study.end(self._proposed[proposal.number], Outcome("failed", reason=problem), folder=None)

    def closing_words(self) -> list[str]:
        """Name the best trial, and write `search.json` and `search.png` into the sweep's folder.

        Raises:
            OSError: they cannot be written.
        """
        return write_report(self.study, folder=self.folder, metric=self.settings.metric)

    def _new_trial(self) -> Trial | None:
        if self._exhausted:  # this is called several times a second
            return None
        trials = self.study.trials()
        params = None
        if len(trials) < self.settings.n_trials:
            params = suggest(
                trials,
                space=self.space.distributions,
                direction=self.study.direction,
                sampler=self.sampler,
                number=self.study.next_number(),
            )
            if params is None:
                log.info("Every point of the search space has been tried: the search ends with %d trials.", len(trials))
        self._exhausted = params is None
        return None if params is None else self.study.begin(params)


_RUN_AGAIN: dict[str, set[str]] = {
    "none": {"running"},
    "failed": {"running", "failed"},
    "all": {"running", "failed", "diverged", "finished"},
}
"""By `sweep.rerun`, which trials of an earlier command are proposed again. A diverged one would diverge again."""
