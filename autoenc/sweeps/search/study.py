"""The study on the disk: what was proposed and what came of it, each written down whole or not at all."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import OptunaError
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage, JournalStorage, get_storage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from autoenc.settings import ConfigError
from autoenc.sweeps.search.outcome import Measured
from autoenc.sweeps.search.sampling import frozen
from autoenc.sweeps.search.trial import Direction, Outcome, Trial

FILE = "optuna.journal"
"""In the sweep's folder. `optuna-dashboard` opens it too."""

TERMS, HOW = "autoenc.terms", "autoenc.measured"
"""Attributes of the study."""
FOLDER, REASON, AGAIN = "folder", "reason", "again"
"""Attributes of a trial. A trial that has ended cannot be changed: one that is run again gets a second entry, which
says by AGAIN of which number it is.
"""


class Terms(NamedTuple):
    """What the trials of one study have in common; a search on other terms is another study."""

    metric: str
    direction: Direction
    space: Mapping[str, str]
    """By key, in words: see `described`."""
    settings: Mapping[str, Any]
    """By dotted key, whatever of the config the search does not vary."""


class Study:
    """A study that was opened. Its sweep's folder is locked by the sweep, and so only one search is at work in it."""

    def __init__(
        self, study: optuna.Study, storage: BaseStorage, *, space: Mapping[str, BaseDistribution], direction: Direction
    ) -> None:
        self.direction: Direction = direction
        self.space = dict(space)
        self._study = study
        self._storage = storage
        self._id = storage.get_study_id_from_name(study.study_name)

    def trials(self) -> list[Trial]:
        """All of them by number, each as it ended at last. What others have put into the study is left out."""
        found: dict[int, Trial] = {}
        for there in self._frozen():
            number = there.user_attrs.get(AGAIN, there.number)
            found[number] = replace(_trial(there), number=number)
        return [found[number] for number in sorted(found)]

    def next_number(self) -> int:
        """Which number the next trial is going to have."""
        return len(self._study.get_trials(deepcopy=False))

    def begin(self, params: Mapping[str, Any]) -> Trial:
        """Write down that something is being tried."""
        trial = Trial(number=self.next_number(), params=dict(params), state="running")
        with _one_line():
            self._study.add_trial(frozen(trial, space=self.space))
        return trial

    def end(self, trial: Trial, outcome: Outcome, *, folder: str | None) -> None:
        """Write down what came of a trial, in which folder below the sweep's."""
        given = {FOLDER: folder, REASON: outcome.reason}
        attributes = {name: value for name, value in given.items() if value is not None}
        before = next(there for there in self.trials() if there.number == trial.number)
        with _one_line():
            if before.state == "running":
                trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._id, trial.number)
                for name, value in attributes.items():
                    self._storage.set_trial_user_attr(trial_id, name, value)
                self._study.tell(trial.number, outcome.value, _STATES[outcome.state])
            elif (before.state, before.value, before.reason) != outcome:
                ended = replace(trial, state=outcome.state, value=outcome.value)
                entry = frozen(ended, space=self.space)
                entry.user_attrs = {**attributes, AGAIN: trial.number}
                self._study.add_trial(entry)

    def agreed(self, measured: Measured) -> Outcome:
        """The outcome; a failure where its value is not of the same thing as those of the trials before it."""
        if measured.outcome.value is None:
            return measured.outcome
        there = self._study.user_attrs.get(HOW)
        if there is None:
            with _one_line():
                self._study.set_user_attr(HOW, dict(measured.how))
            return measured.outcome
        other = _first_difference(there, measured.how)
        if other is None:
            return measured.outcome
        reason = f"it cannot be ranked among the others: {other.key} is {other.here} here, and {other.there} there"
        return Outcome("failed", None, reason)

    def _frozen(self) -> list[FrozenTrial]:
        with _one_line():
            trials = self._study.get_trials(deepcopy=False)
        return [trial for trial in trials if trial.distributions == self.space and trial.state != TrialState.WAITING]


def open_study(
    folder: Path, *, storage: str | None, name: str | None, terms: Terms, space: Mapping[str, BaseDistribution]
) -> Study:
    """The study of the sweep in `folder`, which is locked; made where there is none yet.

    Args:
        folder: of the sweep, absolute.
        storage: the address of a database; None: a file in the folder.
        name: of the study; None: that of the folder.
        terms: of the search.
        space: the same as in the terms, for Optuna.

    Raises:
        ConfigError: it cannot be opened, or was begun on other terms or by another sweep.
    """
    # Optuna prints a line for each trial, past our log. What it has to warn of goes there.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    optuna.logging.disable_default_handler()
    optuna.logging.enable_propagation()
    place = folder / FILE if storage is None else None
    with _one_line(place):
        store = _journal(place) if place is not None else get_storage(storage)
        study = optuna.create_study(
            storage=store,
            study_name=name or folder.name,
            direction=terms.direction,
            load_if_exists=True,
            sampler=RandomSampler(),  # is never asked
        )
        there = study.user_attrs.get(TERMS)
        here = json.loads(json.dumps({**terms._asdict(), "folder": None if storage is None else str(folder)}))
        if there is None and not study.get_trials(deepcopy=False):
            study.set_user_attr(TERMS, here)
            there = here
    _check_terms(there, here, name=study.study_name)
    return Study(study, store, space=space, direction=terms.direction)


def _journal(path: Path) -> JournalStorage:
    """Optuna's journal, put right after a kill: nobody else is at work in the folder."""
    for leftover in path.parent.glob(f"{path.name}.lock*"):
        leftover.unlink()  # Optuna would wait half a minute for whoever held it
    if path.exists():
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):  # half a line, which Optuna would append to, and then refuse the file
            with path.open("r+b") as file:
                file.truncate(whole)
    # Not its lock by a symbolic link: not every file system has those.
    return JournalStorage(JournalFileBackend(str(path), lock_obj=JournalFileOpenLock(str(path))))


def _trial(there: FrozenTrial) -> Trial:
    states = {state: name for name, state in _STATES.items()}
    return Trial(
        number=there.number,
        params=there.params,
        state=states.get(there.state, "running"),  # type: ignore[arg-type]
        value=there.value if there.state == TrialState.COMPLETE else None,
        reason=there.user_attrs.get(REASON) if there.state.is_finished() else None,
        folder=there.user_attrs.get(FOLDER),
    )


_STATES = {"finished": TrialState.COMPLETE, "diverged": TrialState.PRUNED, "failed": TrialState.FAIL}


class _Difference(NamedTuple):
    key: str
    there: str
    here: str


def _first_difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> _Difference | None:
    for key in [*there, *(key for key in here if key not in there)]:
        if key not in here or key not in there or there[key] != here[key]:
            found, wanted = (_said(values[key]) if key in values else "not set" for values in (there, here))
            return _Difference(key, found, wanted)
    return None


def _said(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _check_terms(there: Any, here: Mapping[str, Any], *, name: str) -> None:
    """Refuse a study whose trials cannot stand beside those that are wanted now."""
    if not isinstance(there, Mapping) or set(there) != set(here):
        raise ConfigError(
            "hydra.sweeper.study_name", "the study is of another program; choose another name", value=name
        )
    if there["folder"] != here["folder"]:
        problem = f"the study is that of the sweep in {there['folder']}; choose another name"
        raise ConfigError("hydra.sweeper.study_name", problem, value=name)
    for key in ("metric", "direction"):
        if there[key] != here[key]:
            raise _begun_otherwise(f"hydra.sweeper.{key}", there[key], here[key])
    for node in ("space", "settings"):
        other = _first_difference(there[node], here[node])
        if other is not None:
            raise _begun_otherwise(other.key.lstrip("+"), other.there, other.here)


def _begun_otherwise(key: str, there: str, here: str) -> ConfigError:
    problem = f"the study in this sweep's folder was begun with {there}; another search needs another sweep.name"
    return ConfigError(key, problem, value=here)


@contextlib.contextmanager
def _one_line(place: Path | None = None) -> Iterator[None]:
    """What a storage may raise, as one line; without its address, which may hold a password."""
    try:
        yield
    except ConfigError:
        raise
    except _errors_of_storages() as error:
        key = "hydra.sweeper.storage" if place is None else str(place)
        text = (str(error) or type(error).__name__).splitlines()[0]
        raise ConfigError(key, f"the study cannot be opened or written: {text}") from error


def _errors_of_storages() -> tuple[type[Exception], ...]:
    """Those of SQLAlchemy too, if it has been imported, which only a database of one's own needs."""
    known = (OptunaError, OSError, ImportError, ValueError, KeyError, TypeError)
    module = sys.modules.get("sqlalchemy.exc")
    return known if module is None else (*known, module.SQLAlchemyError)
