"""The study on the disk: what was proposed, and the outcomes. Each entry is written whole or not at all.

It is a file of Optuna's journal, not of SQLite: a kill leaves at most half a line at its end, and it needs no
migrations and no locks that network file systems lack.
"""

from __future__ import annotations

import contextlib
import json
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
from autoenc.sweeps.sweepers.sampling import STATES, frozen
from autoenc.sweeps.sweepers.trial import Direction, Outcome, Trial

FILE = "optuna.journal"
"""In the sweep's folder. `optuna-dashboard` opens it too."""

TERMS, PROTOCOL = "autoenc.terms", "autoenc.measured"
"""Attributes of the study."""
FOLDER, REASON, AGAIN = "folder", "reason", "again"
"""Attributes of a trial. Optuna does not change a trial that has ended: one that is run again gets a second entry, with
its number as AGAIN."""

# Optuna's warnings go to our log; its line for each trial does not.
optuna.logging.set_verbosity(optuna.logging.WARNING)
optuna.logging.disable_default_handler()
optuna.logging.enable_propagation()


class Terms(NamedTuple):
    """What the trials of one study have in common."""

    metric: str
    direction: Direction
    space: Mapping[str, str]
    """By key, in Hydra's syntax."""
    settings: Mapping[str, Any]
    """By dotted key, the settings that do not vary."""


class Study:
    """An open study. The lock on the sweep's folder keeps other searches out."""

    def __init__(
        self, study: optuna.Study, storage: BaseStorage, *, space: Mapping[str, BaseDistribution], direction: Direction
    ) -> None:
        self.direction: Direction = direction
        self.space = dict(space)
        self._study = study
        self._storage = storage

    def trials(self) -> list[Trial]:
        """All trials by number, each with its last outcome. Entries of other programs are left out."""
        with _one_line():
            entries = self._study.get_trials(deepcopy=False)
        ours = [
            _trial(entry)
            for entry in entries
            if entry.distributions == self.space and entry.state != TrialState.WAITING
        ]
        found = {trial.number: trial for trial in ours}
        return [found[number] for number in sorted(found)]

    def next_number(self) -> int:
        """The number of the next trial."""
        return len(self._study.get_trials(deepcopy=False))

    def begin(self, params: Mapping[str, Any]) -> Trial:
        """Record a new trial as running."""
        trial = Trial(number=self.next_number(), params=dict(params), state="running")
        with _one_line():
            self._study.add_trial(frozen(trial, space=self.space))
        return trial

    def end(self, trial: Trial, outcome: Outcome, *, folder: str | None) -> None:
        """Record the outcome of a trial, and its folder below the sweep's."""
        given = {FOLDER: folder, REASON: outcome.reason}
        attributes = {name: value for name, value in given.items() if value is not None}
        before = next(there for there in self.trials() if there.number == trial.number)
        with _one_line():
            if before.state == "running":
                study_id = self._storage.get_study_id_from_name(self._study.study_name)
                trial_id = self._storage.get_trial_id_from_study_id_trial_number(study_id, trial.number)
                for name, value in attributes.items():
                    self._storage.set_trial_user_attr(trial_id, name, value)
                self._study.tell(trial.number, outcome.value, STATES[outcome.state])
            elif (before.state, before.value, before.reason) != outcome[:3]:
                entry = frozen(replace(trial, state=outcome.state, value=outcome.value), space=self.space)
                entry.user_attrs = {**attributes, AGAIN: trial.number}
                self._study.add_trial(entry)

    def checked(self, outcome: Outcome) -> Outcome:
        """The outcome; a failure if its value was measured in another way than those of earlier trials."""
        if outcome.value is None:
            return outcome
        there = self._study.user_attrs.get(PROTOCOL)
        if there is None:
            with _one_line():
                self._study.set_user_attr(PROTOCOL, dict(outcome.protocol))
            return outcome
        for key, other, here in _differences(there, outcome.protocol):
            reason = f"it cannot be ranked among the others: {key} is {here} here, and {other} there"
            return Outcome("failed", reason=reason)
        return outcome


def open_study(
    folder: Path, *, storage: str | None, name: str | None, terms: Terms, space: Mapping[str, BaseDistribution]
) -> Study:
    """Open or make the study of the sweep in `folder`, an absolute path; the folder is locked.

    Without `storage`, the address of a database, the study is a file in the folder.

    Raises:
        ConfigError: it cannot be opened, or was begun on other terms or by another sweep.
    """
    path = folder / FILE if storage is None else None
    here = json.loads(json.dumps({**terms._asdict(), "folder": None if storage is None else str(folder)}))
    with _one_line(path):
        store = get_storage(storage) if path is None else _journal(path)
        study = _loaded(store, name=name or folder.name, terms=here)
        there = study.user_attrs.get(TERMS)
    _check_terms(there, here, name=study.study_name)
    return Study(study, store, space=space, direction=terms.direction)


def _loaded(store: BaseStorage, *, name: str, terms: Mapping[str, Any]) -> optuna.Study:
    """Optuna's study; one without trials gets the terms. Its sampler is not used: `suggest` has the real one."""
    options: dict[str, Any] = {"direction": terms["direction"], "load_if_exists": True, "sampler": RandomSampler()}
    study = optuna.create_study(storage=store, study_name=name, **options)
    if TERMS not in study.user_attrs and not study.get_trials(deepcopy=False):
        study.set_user_attr(TERMS, terms)
    return study


def _journal(path: Path) -> JournalStorage:
    """Optuna's journal, repaired after a kill: no one else uses the folder."""
    for leftover in path.parent.glob(f"{path.name}.lock*"):
        leftover.unlink()  # Optuna would wait half a minute for its owner
    if path.exists():
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):  # half a line, which Optuna would append to, and then refuse the file
            with path.open("r+b") as file:
                file.truncate(whole)
    # Optuna's default lock is a symbolic link, which not every file system has.
    return JournalStorage(JournalFileBackend(str(path), lock_obj=JournalFileOpenLock(str(path))))


def _trial(entry: FrozenTrial) -> Trial:
    states = {state: name for name, state in STATES.items()}
    return Trial(
        number=entry.user_attrs.get(AGAIN, entry.number),
        params=entry.params,
        state=states[entry.state],  # type: ignore[arg-type]
        value=entry.value if entry.state == TrialState.COMPLETE else None,
        reason=entry.user_attrs.get(REASON) if entry.state.is_finished() else None,
        folder=entry.user_attrs.get(FOLDER),
    )


def _differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for key in {**there, **here}:
        if key not in here or key not in there or there[key] != here[key]:
            before, now = (_as_text(values[key]) if key in values else "not set" for values in (there, here))
            yield key, before, now


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _check_terms(there: Any, here: Mapping[str, Any], *, name: str) -> None:
    owner = None
    if not isinstance(there, Mapping) or set(there) != set(here):
        owner = "another program"
    elif there["folder"] != here["folder"]:
        owner = f"the sweep in {there['folder']}"
    if owner is not None:
        problem = f"the study belongs to {owner}; choose another name"
        raise ConfigError("hydra.sweeper.study_name", problem, value=name)
    for key, began_with, value in _differences(_by_key(there), _by_key(here)):
        problem = f"the study in this sweep's folder was begun with {began_with}; another search needs another"
        raise ConfigError(key.lstrip("+"), f"{problem} sweep.name", value=value)


def _by_key(terms: Mapping[str, Any]) -> dict[str, Any]:
    sweeper = {f"hydra.sweeper.{key}": terms[key] for key in ("metric", "direction")}
    return {**sweeper, **terms["space"], **terms["settings"]}


@contextlib.contextmanager
def _one_line(path: Path | None = None) -> Iterator[None]:
    """Turn errors of a storage into one line, without its address, which may hold a password."""
    known: tuple[type[Exception], ...] = (OptunaError, OSError, ImportError, ValueError, KeyError, TypeError)
    try:
        yield
    except Exception as error:
        if not isinstance(error, known) and not type(error).__module__.startswith("sqlalchemy."):
            raise
        key = "hydra.sweeper.storage" if path is None else str(path)
        text = (str(error) or type(error).__name__).splitlines()[0]
        raise ConfigError(key, f"the study cannot be opened or written: {text}") from error
