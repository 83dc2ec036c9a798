"""The jobs of a sweep as the command line asks for them: composed and checked before anything is written."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict

from autoenc.command_line.compose import Composer, node_settings, plain, task_values
from autoenc.command_line.output_folder import configure_logging, hydra_files, logging_settings
from autoenc.comparison.labels import key_of, labels
from autoenc.comparison.page import ComparisonSettings
from autoenc.evaluation.metrics import metric_names
from autoenc.progress import steps
from autoenc.runs import INITIAL_WEIGHTS, RunDirectory
from autoenc.settings import ConfigError, listed, nearest
from autoenc.sweeps.job_identity import check_identity, folder_name, folder_word, identity, known_folders, sweep_name
from autoenc.sweeps.launchers import LAUNCHERS
from autoenc.sweeps.plan import Action, Job, JobTask, Proposal, Source, SweepSettings, action
from autoenc.sweeps.sweep_folder import SweepFolder, of_the_run
from autoenc.sweeps.sweepers import SWEEPERS

log = logging.getLogger(__name__)


class SweepPlan:
    """A sweep and its jobs, checked; nothing has been written yet. `ConfigError`: one of them is impossible."""

    def __init__(self, composer: Composer, config: DictConfig) -> None:
        if composer.resume is not None:
            raise ConfigError("resume", "one run at a time: it does not go with --multirun", value=str(composer.resume))
        configure_logging(config, node="hydra_logging")
        self._composer, self.config = composer, config
        self.settings = node_settings(config, "sweep", SweepSettings)
        self._comparison = _comparison_settings(config)
        self.launcher = LAUNCHERS.parse(plain(config.hydra.launcher))
        self.sweeper = SWEEPERS.parse(plain(config.hydra.sweeper))
        params = [f"{key}={value}" for key, value in (self.sweeper.params or {}).items()]
        task = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)  # each job resolves `${seed}` itself
        self.overrides = composer.parsed([*params, *map(str, cast("list[str]", task))])
        self.varied = varied(self.overrides)
        self.launcher.check()
        if self.settings.name is None:
            config.sweep.name = _name(composer)
        self.folder = SweepFolder(_sweep_folder(config), comparison=self._comparison)
        self._digests: dict[str, Mapping[str, str]] = {}
        """Of the images and the initial weights, by their settings."""
        self._known = known_folders(self.folder.path) if self.folder.path.is_dir() else {}
        examples = self._checked_examples()
        self._first_values = examples[0].task.config
        self.jobs = examples if self.sweeper.knows_all_jobs else []
        """The jobs that are known before the sweep begins; none of a search."""

    def action(self, job: Job) -> Action:
        """What to do about a job. One whose images or initial weights would be others now is trained again."""
        decided = action(job.folder, rerun=self.settings.rerun, anew_since=self.folder.anew_since)
        return "again" if decided in {"leave", "go_on"} and self.has_other_inputs(job) else decided

    def has_other_inputs(self, job: Job) -> bool:
        """Whether the images of the job, or the weights that it started from, have changed since it was trained."""
        return self._trained_on_others(job.folder, job.task.config)

    def source(self, *, slots: int) -> Source:
        """Where the jobs come from; `slots` are those of the launcher.

        Raises:
            ConfigError: a search, which learns from its earlier trials, had other settings, images or initial weights.
        """
        earlier = [] if self.sweeper.knows_all_jobs else [self.folder.path / name for name in self.folder.jobs]
        varied = {"initialize_from": None} if "initialize_from" in self.varied else {}  # each trial has its own
        if any(self._trained_on_others(folder, {**self._first_values, **varied}) for folder in earlier):
            problem = "the images or the initial weights have changed since the earlier trials of this search"
            raise ConfigError("sweep.name", f"{problem}; choose another name", value=str(self.config.sweep.name))
        return self.sweeper.build_source(
            self.overrides,
            folder=self.folder.path,
            values=self._first_values,
            rerun=self.settings.rerun,
            slots=slots if self.launcher.n_jobs is None else None,
        )

    def job_of(self, proposal: Proposal, *, code: str) -> Job | None:
        """The job of a proposal, added to the sweep's folder; None if it duplicates another job."""
        if self.sweeper.knows_all_jobs:
            return next((job for job in self.jobs if job.overrides == proposal.overrides), None)
        (label,) = labels([self.varying(proposal.overrides)], word=folder_word)
        job = self._job(proposal.overrides, number=proposal.number, label=label)
        self.folder.add([job], code=code)
        return job

    def varying(self, overrides: Iterable[str]) -> list[str]:
        """Those of a job's overrides that set what the sweep varies."""
        return [text for text in overrides if key_of(text) in self.varied]

    def _checked_examples(self) -> list[Job]:
        """The sweep's jobs, without duplicates, or some that a search may propose."""
        examples = self.sweeper.examples(self.overrides)
        named = list(
            zip(examples, labels([of_the_run(overrides) for overrides in examples], word=folder_word), strict=True)
        )
        jobs = [
            self._job(overrides, number=number, label=label)
            for number, (overrides, label) in enumerate(steps(named, name="Checking the jobs"))
        ]
        unique = {job.identity: job for job in reversed(jobs)}  # two command lines may mean the same
        return list(unique.values())[::-1]

    def _job(self, overrides: Sequence[str], *, number: int, label: str) -> Job:
        from autoenc.comparison.page import check_comparison
        from autoenc.config import parse
        from autoenc.experiment.source_run import load_source

        composed = self._composer.compose_job(self.config, overrides, number=number)
        parsed = parse(task_values(composed))
        if self.launcher.runs_here:
            parsed.device.build()  # refuses one that this machine does not have
        parsed.tracker.require()
        self.sweeper.check(parsed.values)
        check_comparison(parsed.values, settings=self._comparison)
        known_as = identity(parsed.values, swept=self.varied)
        folder = self._folder_of(parsed.values, known_as=known_as, label=label)
        if parsed.initialize_from is not None and not folder.exists():
            load_source(parsed.initialize_from)  # refuses a folder without weights
        task = self._task(composed, dict(parsed.values), folder=folder)
        return Job(identity=known_as, overrides=tuple(overrides), folder=folder, task=task)

    def _folder_of(self, values: Mapping[str, Any], *, known_as: str, label: str) -> Path:
        existing = self._known.get(known_as)
        if existing is None:
            found = self._known.get(identity(values, swept=()))
            if found is not None and self._identity_in(found) == known_as:
                return found  # from a command that did not vary what this one does, such as `device`
            return self.folder.path / folder_name(label, identity=known_as)
        if (existing / "config.yaml").is_file():
            check_identity(existing, identity=self._identity_in(existing))
        return existing

    def _identity_in(self, folder: Path) -> str | None:
        has_config = (folder / "config.yaml").is_file()
        return identity(RunDirectory(folder).config(), swept=self.varied) if has_config else None

    def _trained_on_others(self, folder: Path, config: Mapping[str, Any]) -> bool:
        from autoenc.data.datasets.digests import differing

        trained_on = _stored_digests(folder)
        return bool(trained_on and differing(self._digests_of(config), trained_on))

    def _digests_of(self, config: Mapping[str, Any]) -> Mapping[str, str]:
        """The digests of a config's images and initial weights, read once; without those that are not here."""
        key = json.dumps([config["dataset"], config["data_dir"], config.get("initialize_from")], sort_keys=True)
        if key not in self._digests:
            self._digests[key] = _current_digests(config)
        return self._digests[key]

    def _task(self, composed: DictConfig, values: Mapping[str, Any], *, folder: Path) -> JobTask:
        with open_dict(composed):
            composed.hydra.sweep.subdir = folder.name
            composed.hydra.runtime.output_dir = str(folder)
        return JobTask(
            folder=str(folder),
            config=values,
            hydra=hydra_files(composed),
            logging=logging_settings(composed, node="job_logging", terminal=False),
            timeout=self.settings.job_timeout,
            command_line=tuple(sys.argv),
            chdir=bool(composed.hydra.job.chdir),
        )


def _stored_digests(folder: Path) -> Mapping[str, str]:
    """The digests of a job's images and initial weights; empty if its folder does not say."""
    from autoenc.training.checkpoints import stored_digests

    run = RunDirectory(folder)
    with contextlib.suppress(ConfigError):  # a damaged summary is reported by the comparison
        return run.summary().get("digests") or stored_digests(run.checkpoints)
    return {}


def _current_digests(config: Mapping[str, Any]) -> Mapping[str, str]:
    from autoenc.data.datasets import DATASETS
    from autoenc.experiment.source_run import load_source

    digests: dict[str, str] = {}
    try:
        digests |= DATASETS.parse(config["dataset"]).build(data_dir=Path(config["data_dir"])).digests
    except ConfigError as error:
        log.warning("The images of earlier jobs cannot be compared with those of now: %s", error)
    try:
        if config.get("initialize_from") is not None:
            digests[INITIAL_WEIGHTS] = load_source(Path(config["initialize_from"])).digest
    except ConfigError as error:
        log.warning("The initial weights of earlier jobs cannot be compared with those of now: %s", error)
    return digests


def varied(overrides: Sequence[Override]) -> list[str]:
    """The keys that are given several values."""
    return [override.key_or_group for override in overrides if override.is_sweep_override()]


def _comparison_settings(config: DictConfig) -> ComparisonSettings:
    settings = node_settings(config, "comparison", ComparisonSettings)
    if settings.metric is not None and settings.metric not in (known := metric_names(split="test")):
        problem = f"there is no such metric{nearest(settings.metric, known)}; there are {listed(known)}"
        raise ConfigError("comparison.metric", problem, value=settings.metric)
    return settings


def _name(composer: Composer) -> str:
    parsed = composer.parsed(composer.overrides)
    fixed = [override.input_line or "" for override in parsed if not override.is_sweep_override()]
    if composer.rerun is not None:
        fixed.insert(0, f"rerun={composer.rerun.absolute().name}")
    return sweep_name(fixed=fixed, swept=varied(parsed))


def _sweep_folder(config: DictConfig) -> Path:
    name = Path(str(config.sweep.name))
    if name.is_absolute() or ".." in name.parts or name == Path() or not str(name).isprintable():
        raise ConfigError("sweep.name", "it must be a name below outputs/sweeps", value=str(config.sweep.name))
    written = cast("dict[str, Any]", OmegaConf.to_container(config.hydra.sweep, resolve=False))
    if written["subdir"]:
        problem = "a sweep names the folders of its jobs itself, by what varies"
        raise ConfigError("hydra.sweep.subdir", problem, value=written["subdir"])
    return Path(str(plain(config.hydra.sweep)["dir"])).absolute()
