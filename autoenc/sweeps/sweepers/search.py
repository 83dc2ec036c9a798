"""The search as a source of jobs.

Optuna proposes settings and is told the outcomes here, without Hydra's plugin: hydra-optuna-sweeper 1.3.0 needs Optuna
2, ends the search when a worker dies, launches trials in batches, and cannot continue a study.
"""

from __future__ import annotations

import logging
import math
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

FEWEST_AT_A_TIME = 2
"""However short the search is: two halve its time, and each still has the results of all trials but one."""


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
    slots: int | None
    """How many trials the launcher has room for at a time; None: the user has set their number."""

    def __post_init__(self) -> None:
        there = self.study.trials()
        self._waiting = [trial for trial in there if trial.state in _RUN_AGAIN[self.rerun]]
        self._over_before = [trial for trial in there if trial.state not in _RUN_AGAIN[self.rerun]]
        self._running: dict[int, Trial] = {}
        """The proposed trials that have not ended, by number."""
        self._begun = self.study.next_number()
        self._random = self.sampler.random_trials(n_trials=self.settings.n_trials)
        self._at_a_time = max(FEWEST_AT_A_TIME, math.isqrt(self.settings.n_trials))
        self._exhausted = False

    def opening_words(self) -> list[str]:
        """Say how far the search is, and how many trials run at a time if that is not the user's choice."""
        there = len(self.study.trials())
        if there == 0:
            return [f"A search of {self.settings.n_trials} trials.", *self._words_on_waiting()]
        left = max(self.settings.n_trials - there, 0)
        waiting = f", {len(self._waiting)} of them to be continued" if self._waiting else ""
        return [
            f"The search has {there} trials{waiting}; {left} more to come (hydra.sweeper.n_trials).",
            *self._words_on_waiting(),
        ]

    def over_before(self) -> list[Path]:
        """The folders of the trials that have ended and are left alone, as far as they still exist."""
        folders = [self.folder / trial.folder for trial in self._over_before if trial.folder is not None]
        return [folder for folder in folders if folder.is_dir()]

    def propose(self) -> Proposal | None:
        """The next trial."""
        trial = self._waiting.pop(0) if self._waiting else self._new_trial()
        if trial is None:
            return None
        self._running[trial.number] = trial
        return Proposal(number=trial.number, overrides=self.space.command(trial.params))

    def ended(self, proposal: Proposal, folder: Path) -> None:
        """Record the outcome. An interrupted trial stays open, so that the same command continues it."""
        trial, found = self._running.pop(proposal.number), outcome(folder, metric=self.settings.metric)
        if found is not None:
            self.study.end(trial, self.study.checked(found), folder=folder.name)

    def refused(self, proposal: Proposal, problem: str) -> None:
        """Record a failure: settings that are valid one by one may be invalid together."""
        self.study.end(self._running.pop(proposal.number), Outcome("failed", reason=problem), folder=None)

    def closing_words(self) -> list[str]:
        """Name the best trial, and write `search.json` and `search.png` into the sweep's folder.

        Raises:
            OSError: they cannot be written.
        """
        return write_report(self.study, folder=self.folder, metric=self.settings.metric)

    def _new_trial(self) -> Trial | None:
        if self._exhausted or self._waits_for_results():  # this is called several times a second
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
        if params is None:
            return None
        trial = self.study.begin(params)
        self._begun = trial.number + 1
        return trial

    def _waits_for_results(self) -> bool:
        """Whether the next trial has to wait: it learns nothing from those that still run."""
        return self.slots is not None and self._begun >= self._random and len(self._running) >= self._at_a_time

    def _words_on_waiting(self) -> list[str]:
        if self.slots is None or self.slots <= self._at_a_time or self._random == self.settings.n_trials:
            return []
        return [
            f"At most {self._at_a_time} trials run at a time, so that each learns from the results before it; the "
            f"first {self._random} are drawn at random and need not wait. hydra.launcher.n_jobs=NUMBER sets another "
            "limit."
        ]


_RUN_AGAIN: dict[str, set[str]] = {
    "none": {"running"},
    "failed": {"running", "failed"},
    "all": {"running", "failed", "diverged", "finished"},
}
"""By `sweep.rerun`, which trials of an earlier command are proposed again. A diverged one would diverge again."""
