"""Sweepers: where the jobs of a sweep come from. `hydra/sweeper=` picks one."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from hydra.core.override_parser.types import Override

from autoenc.registry import Choice, Registry
from autoenc.settings import ConfigError
from autoenc.sweeps.plan import Proposal, Rerun, Source
from autoenc.sweeps.sweepers.optuna_search import OptunaSearch


class SweeperSettings(Protocol):
    """A choice of `hydra/sweeper`; its fields are those of `hydra.sweeper`."""

    knows_all_jobs: ClassVar[bool]
    """Whether the `examples` are all jobs, and not only some that might be proposed."""

    @property
    def params(self) -> Mapping[str, Any] | None:
        """What varies, by key; the command line adds to it."""

    def examples(self, overrides: Sequence[Override]) -> list[tuple[str, ...]]:
        """Overrides of jobs that a sweep has or may have, to be checked before it begins. Raises ConfigError."""

    def check(self, values: Mapping[str, Any]) -> None:
        """Refuse a job's resolved config that this sweeper cannot use. Raises ConfigError."""

    def build_source(
        self, overrides: Sequence[Override], *, folder: Path, values: Mapping[str, Any], rerun: Rerun, slots: int | None
    ) -> Source:
        """Build the source of the jobs.

        Args:
            overrides: all overrides of the sweep's config and the command line, parsed.
            folder: the sweep's, absolute; it exists and is locked.
            values: the resolved config of the first of the `examples`.
            rerun: which jobs of an earlier command are run again.
            slots: how many jobs the launcher has room for at a time; None: the user has set their number.

        Raises:
            ConfigError: it does not fit what an earlier sweep left in the folder.
        """


@dataclass(frozen=True, kw_only=True)
class Basic(Choice):
    """`hydra/sweeper=basic`: all combinations; the last key changes fastest."""

    knows_all_jobs: ClassVar[bool] = True

    params: Mapping[str, Any] | None

    def examples(self, overrides: Sequence[Override]) -> list[tuple[str, ...]]:
        """All jobs."""
        return [tuple(job) for job in itertools.product(*(_texts(override) for override in overrides))]

    def check(self, values: Mapping[str, Any]) -> None:
        """Accept every job."""

    def build_source(self, overrides: Sequence[Override], **_: object) -> Grid:
        """All jobs, in their order."""
        return Grid(self.examples(overrides))


class Grid(Source):
    """A source of jobs that are all known in advance."""

    def __init__(self, jobs: Sequence[Sequence[str]]) -> None:
        self._waiting = [Proposal(number=number, overrides=tuple(job)) for number, job in enumerate(jobs)]

    def propose(self) -> Proposal | None:
        """The next job."""
        return self._waiting.pop(0) if self._waiting else None

    def ended(self, proposal: Proposal, folder: Path) -> None:
        """Do nothing."""

    def refused(self, proposal: Proposal, problem: str) -> None:
        """Never happens: all jobs of a grid are checked before the first begins."""
        raise AssertionError(f"{proposal}: {problem}")


SWEEPERS: Registry[SweeperSettings] = Registry("hydra.sweeper", {"basic": Basic, "optuna": OptunaSearch})


def _texts(override: Override) -> list[str]:
    key = override.get_key_element()
    if override.is_interval_sweep():
        problem = "an interval has infinitely many values; use hydra/sweeper=optuna to search it, or range(...)"
        raise ConfigError(key.lstrip("+"), problem, value=override.get_value_string())
    if override.is_discrete_sweep():
        return [f"{key}={text}" for text in override.sweep_string_iterator()]
    return [override.input_line or f"{key}={override.get_value_element_as_str()}"]
