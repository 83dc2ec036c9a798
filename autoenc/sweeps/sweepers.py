"""The table of sweepers: where the jobs of a sweep come from. `hydra/sweeper=` picks one."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from hydra.core.override_parser.types import Override

from autoenc.registry import Registry
from autoenc.settings import ConfigError
from autoenc.sweeps.plan import Rerun
from autoenc.sweeps.search import OptunaSearch
from autoenc.sweeps.source import Grid, Source


class SweeperSettings(Protocol):
    """What an entry of the table of sweepers offers; its fields are those of `hydra.sweeper`."""

    knows_all_jobs: ClassVar[bool]
    """Whether the `examples` are the jobs, or only such as there might be."""

    @property
    def params(self) -> Mapping[str, Any] | None:
        """What varies, by key, beside what the command line says."""
        ...

    def examples(self, overrides: Sequence[Override]) -> list[tuple[str, ...]]:
        """The command lines of jobs that a sweep with these overrides has or may have, to be checked beforehand.

        Raises:
            ConfigError: it cannot have any.
        """
        ...

    def check(self, values: Mapping[str, Any]) -> None:
        """Refuse a job's resolved config that this sweeper can do nothing with.

        Raises:
            ConfigError: it is so.
        """
        ...

    def build_source(
        self, overrides: Sequence[Override], *, folder: Path, values: Mapping[str, Any], rerun: Rerun
    ) -> Source:
        """The jobs, one at a time, of the sweep in a folder that is there and locked.

        Raises:
            ConfigError: what an earlier sweep left in the folder does not fit.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Basic:
    """`hydra/sweeper=basic`: all combinations, the last key changing fastest."""

    knows_all_jobs: ClassVar[bool] = True

    params: Mapping[str, Any] | None

    def examples(self, overrides: Sequence[Override]) -> list[tuple[str, ...]]:
        """All jobs."""
        return [tuple(job) for job in itertools.product(*(_texts(override) for override in overrides))]

    def check(self, values: Mapping[str, Any]) -> None:
        """Any job will do."""

    def build_source(
        self,
        overrides: Sequence[Override],
        *,
        folder: Path,  # noqa: ARG002
        values: Mapping[str, Any],  # noqa: ARG002
        rerun: Rerun,  # noqa: ARG002
    ) -> Grid:
        """All jobs, in their order: a grid goes by nothing that an earlier sweep left."""
        return Grid(self.examples(overrides))


SWEEPERS: Registry[SweeperSettings] = Registry(
    "hydra.sweeper",
    {
        "basic": Basic,
        "optuna": OptunaSearch,
    },
)


def _texts(override: Override) -> list[str]:
    """An override for each of its values."""
    key = override.get_key_element()
    if override.is_interval_sweep():
        problem = "an interval has no end of values; hydra/sweeper=optuna searches it, and range(...) goes through it"
        raise ConfigError(key.lstrip("+"), problem, value=override.get_value_string())
    if override.is_discrete_sweep():
        return [f"{key}={text}" for text in override.sweep_string_iterator()]
    return [override.input_line or f"{key}={override.get_value_element_as_str()}"]
