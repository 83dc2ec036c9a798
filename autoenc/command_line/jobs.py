"""The jobs of a sweep: what each overrides, composed, checked, and made into what a process can be given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict

from autoenc.command_line.composition import Composer, task_values
from autoenc.comparison.settings import ComparisonSettings
from autoenc.runs import RunDirectory
from autoenc.settings import ConfigError
from autoenc.sweeps.job_identity import check_identity, folder_name, identity, known_folders
from autoenc.sweeps.plan import Job, JobTask, SweepSettings
from autoenc.sweeps.sweepers import SweeperSettings


def varied(overrides: Sequence[Override]) -> list[str]:
    """The keys that are given several values."""
    return [override.key_or_group for override in overrides if override.is_sweep_override()]


class JobMaker:
    """Makes the jobs of one sweep."""

    def __init__(
        self,
        composer: Composer,
        config: DictConfig,
        *,
        folder: Path,
        swept: Sequence[str],
        sweeper: SweeperSettings,
        settings: SweepSettings,
        comparison: ComparisonSettings,
    ) -> None:
        self._composer = composer
        self._config = config
        self._folder = folder
        self._swept = list(swept)
        self._sweeper = sweeper
        self._settings = settings
        self._comparison = comparison
        self._known: dict[str, Path] | None = None

    def check(self, overrides: Sequence[str], *, number: int) -> tuple[DictConfig, dict[str, Any]]:
        """The composed config of a job, and its checked values.

        Raises:
            ConfigError: the job cannot be run, or not be compared as the sweep wants it.
        """
        from autoenc.comparison.page import check_comparison
        from autoenc.config import parse

        composed = self._composer.compose_job(self._config, list(overrides), number=number)
        parsed = parse(task_values(composed))
        parsed.device.build()
        parsed.tracker.require()
        self._sweeper.check(parsed.values)
        check_comparison(parsed.values, settings=self._comparison)
        return composed, dict(parsed.values)

    def make(self, overrides: Sequence[str], *, number: int, label: str) -> Job:
        """The job, in the folder that it has already or that its label and its identity name.

        Raises:
            ConfigError: see `check`; or its folder holds the config of another one.
        """
        composed, values = self.check(overrides, number=number)
        known_as = identity(values, swept=self._swept)
        folder = self._folder_of(values, known_as=known_as, label=label)
        return Job(
            identity=known_as,
            overrides=tuple(overrides),
            folder=folder,
            task=self._task(composed, values, folder=folder, number=number),
        )

    def _folder_of(self, values: Mapping[str, Any], *, known_as: str, label: str) -> Path:
        if self._known is None:
            self._known = known_folders(self._folder) if self._folder.is_dir() else {}
        there = self._known.get(known_as)
        if there is None:
            found = self._known.get(identity(values, swept=()))
            if found is not None and self._identity_in(found) == known_as:
                return found  # of a command that did not vary what this one does: `device`, say
            return self._folder / folder_name(label, identity=known_as)
        if (there / "config.yaml").is_file():
            check_identity(there, identity=self._identity_in(there))
        return there

    def _identity_in(self, folder: Path) -> str | None:
        """That of the config in a folder, as far as it has one."""
        if not (folder / "config.yaml").is_file():
            return None
        return identity(RunDirectory(folder).config(), swept=self._swept)

    def _task(self, composed: DictConfig, values: Mapping[str, Any], *, folder: Path, number: int) -> JobTask:
        with open_dict(composed):
            composed.hydra.sweep.subdir = folder.name
            composed.hydra.runtime.output_dir = str(folder)
            composed.hydra.job.id = composed.hydra.job.num = number
        return JobTask(
            folder=str(folder),
            config=values,
            hydra=_hydra_files(composed),
            logging=_logging(composed.hydra),
            timeout=self._settings.job_timeout,
            chdir=bool(composed.hydra.job.chdir),
        )


def without_doubles(jobs: Sequence[Job]) -> list[Job]:
    """Each job once; two command lines may mean the same."""
    return list({job.identity: job for job in reversed(jobs)}.values())[::-1]


def _hydra_files(composed: DictConfig) -> dict[str, str]:
    """What Hydra itself would write of a job."""
    if composed.hydra.output_subdir is None:
        return {}
    of_task = OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])
    return {
        "config.yaml": OmegaConf.to_yaml(of_task),
        "hydra.yaml": OmegaConf.to_yaml(OmegaConf.masked_copy(composed, "hydra")),
        "overrides.yaml": OmegaConf.to_yaml(composed.hydra.overrides.task),
    }


def _logging(hydra: DictConfig) -> dict[str, Any]:
    """`hydra.job_logging` for a process without a terminal, with what `hydra.verbose` asks for."""
    logging = OmegaConf.to_container(hydra.job_logging, resolve=True)
    assert isinstance(logging, dict)
    handlers = logging.get("handlers") or {}
    for name in [name for name, handler in handlers.items() if handler.get("class") == _TERMINAL]:
        del handlers[name]
        for logger in (logging.get("root") or {}, *(logging.get("loggers") or {}).values()):
            if name in logger.get("handlers", []):
                logger["handlers"].remove(name)
    if hydra.verbose is True:
        (logging.get("root") or {})["level"] = "DEBUG"
    elif hydra.verbose:
        names = [hydra.verbose] if isinstance(hydra.verbose, str) else list(hydra.verbose)
        logging.setdefault("loggers", {}).update({name: {"level": "DEBUG"} for name in names})
    return {str(key): value for key, value in logging.items()}


_TERMINAL = "autoenc.progress.TerminalHandler"


def sweep_folder(config: DictConfig) -> Path:
    """Where the sweep is, whose name has been settled.

    Raises:
        ConfigError: the name would lead out of the folder of sweeps.
    """
    name = Path(str(config.sweep.name))
    if name.is_absolute() or ".." in name.parts or name == Path() or not str(name).isprintable():
        raise ConfigError("sweep.name", "it must be a name below outputs/sweeps", value=str(config.sweep.name))
    if config.hydra.sweep.subdir:
        problem = "a sweep names the folders of its jobs itself, by what varies"
        raise ConfigError("hydra.sweep.subdir", problem, value=config.hydra.sweep.subdir)
    return Path(str(config.hydra.sweep.dir)).absolute()
