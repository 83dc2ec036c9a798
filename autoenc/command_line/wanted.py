"""A sweep as the command line asks for it: composed and checked, and nothing made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import configure_log
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from autoenc.command_line.composition import Composer
from autoenc.command_line.jobs import JobMaker, sweep_folder, varied, without_doubles
from autoenc.command_line.report import shown
from autoenc.comparison.labels import key_of, labels
from autoenc.comparison.settings import ComparisonSettings
from autoenc.evaluation.metrics import metric_names
from autoenc.progress import steps
from autoenc.settings import ConfigError, checked, listed, nearest
from autoenc.sweeps.job_identity import sweep_name
from autoenc.sweeps.launchers import LAUNCHERS, LauncherSettings
from autoenc.sweeps.plan import Action, Job, Proposal, Source, SweepSettings, action
from autoenc.sweeps.sweep_folder import SweepFolder, of_the_run
from autoenc.sweeps.sweepers import SWEEPERS, SweeperSettings

SettingsType = TypeVar("SettingsType")


class Wanted(NamedTuple):
    """A sweep as the command line asks for it, checked; nothing has been made yet."""

    settings: SweepSettings
    sweeper: SweeperSettings
    launcher: LauncherSettings
    folder: SweepFolder
    maker: JobMaker
    overrides: list[Override]
    jobs: list[Job]
    """Those that are known beforehand; of a search none."""
    values: Mapping[str, Any]
    """The config of a first job, or of one that there might be."""
    as_yaml: str
    """The config of the command."""

    def action(self, folder: Path) -> Action:
        """What is to be done about the job in a folder."""
        return action(folder, rerun=self.settings.rerun, anew_since=self.folder.anew_since)

    def actions(self) -> list[Action]:
        """What is to be done about each job now, from its folder."""
        return [self.action(job.folder) for job in self.jobs]

    def counted(self, actions: Sequence[Action]) -> str:
        """How many jobs there are, where, and what is to be done about how many."""
        said = [f"{actions.count(what)} {words}" for what, words in _WORDS.items() if what in actions]
        count = "1 job" if len(self.jobs) == 1 else f"{len(self.jobs)} jobs"
        return f"{count} in {shown(self.folder.path)}: {', '.join(said)}"

    def source(self) -> Source:
        """Where the jobs come from."""
        return self.sweeper.build_source(
            self.overrides, folder=self.folder.path, values=self.values, rerun=self.settings.rerun
        )

    def job_of(self, proposal: Proposal, *, code: str) -> Job | None:
        """The job of a proposal, written down as the sweep's; None for one that is another's double."""
        if self.sweeper.knows_all_jobs:
            return next((job for job in self.jobs if job.overrides == proposal.overrides), None)
        varying = varied(self.overrides)
        (label,) = labels([[text for text in proposal.overrides if key_of(text) in varying]])
        job = self.maker.make(proposal.overrides, number=proposal.number, label=label)
        self.folder.add([job], code=code)
        return job


_WORDS: dict[Action, str] = {
    "leave": "left as they are",
    "go_on": "go on from where they were stopped",
    "again": "begin anew",
    "wait": "still running from before",
    "begin": "new",
}


def what_is_wanted(composer: Composer) -> Wanted:
    """The sweep of a command line.

    Raises:
        ConfigError: one of its jobs would be refused, or the sweep itself.
    """
    if composer.resume is not None:
        raise ConfigError("resume", "one run at a time: it does not go with --multirun", value=str(composer.resume))
    config = composer.compose(run_mode=RunMode.MULTIRUN)
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    settings, comparison = sweep_settings(config), comparison_settings(config)
    _check_metric(comparison.metric)
    launcher, sweeper = LAUNCHERS.parse(_plain(config.hydra.launcher)), SWEEPERS.parse(_plain(config.hydra.sweeper))
    overrides = _overrides(composer, config, params=sweeper.params)
    launcher.check()
    config.sweep.name = _name(composer) if settings.name is None else settings.name
    path = sweep_folder(config)
    maker = JobMaker(
        composer,
        config,
        folder=path,
        swept=varied(overrides),
        sweeper=sweeper,
        settings=settings,
        comparison=comparison,
    )
    commands = sweeper.examples(overrides)
    found = list(zip(commands, labels([of_the_run(command) for command in commands]), strict=True))
    jobs = [
        maker.make(command, number=number, label=label)
        for number, (command, label) in enumerate(steps(found, name="Checking the jobs"))
    ]
    return Wanted(
        settings=settings,
        sweeper=sweeper,
        launcher=launcher,
        folder=SweepFolder(path, comparison=comparison),
        maker=maker,
        overrides=overrides,
        jobs=without_doubles(jobs) if sweeper.knows_all_jobs else [],
        values=jobs[0].task.config,
        as_yaml=OmegaConf.to_yaml(config),
    )


def _overrides(composer: Composer, config: DictConfig, *, params: Mapping[str, Any] | None) -> list[Override]:
    """What the sweep's config (`params`) and the command line override, for all jobs or each."""
    varying = [f"{key}={value}" for key, value in (params or {}).items()]
    parser = OverridesParser.create(config_loader=composer.hydra.config_loader)
    task = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)  # `${seed}` is each job's own
    assert isinstance(task, list)
    return list(parser.parse_overrides([*varying, *(str(text) for text in task)]))


def _name(composer: Composer) -> str:
    """The sweep's name, made of its command line."""
    parsed = OverridesParser.create(config_loader=composer.hydra.config_loader).parse_overrides(composer.overrides)
    fixed = [override.input_line or "" for override in parsed if not override.is_sweep_override()]
    if composer.rerun is not None:
        fixed.insert(0, f"rerun={composer.rerun.absolute().name}")
    return sweep_name(fixed=fixed, swept=varied(parsed))


def sweep_settings(config: DictConfig) -> SweepSettings:
    """How a sweep is to go about its jobs.

    Raises:
        ConfigError: a key or value in it is wrong.
    """
    return _settings(config, "sweep", SweepSettings)


def comparison_settings(config: DictConfig) -> ComparisonSettings:
    """What a sweep ends with.

    Raises:
        ConfigError: a key or value in it is wrong.
    """
    return _settings(config, "comparison", ComparisonSettings)


def _settings(config: DictConfig, key: str, settings: type[SettingsType]) -> SettingsType:
    node = config.get(key)
    if not isinstance(node, DictConfig):
        raise ConfigError(key, "it must be a group of keys", value=node)
    return checked(settings, _plain(node), key=key)


def _plain(node: DictConfig) -> dict[str, Any]:
    values = OmegaConf.to_container(node, resolve=True)
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def _check_metric(name: str) -> None:
    known = metric_names(split="test")
    if name not in known:
        problem = f"there is no such metric{nearest(name, known)}; there are {listed(known)}"
        raise ConfigError("comparison.metric", problem, value=name)
