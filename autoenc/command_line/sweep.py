"""Many runs from one command line, and what they end with."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

from hydra._internal.callbacks import Callbacks
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf

from autoenc.command_line.complaints import in_one_line
from autoenc.command_line.composition import Composer, task_values
from autoenc.command_line.folders import claim_folder
from autoenc.command_line.report import report, shown
from autoenc.comparison.jobs import labels
from autoenc.comparison.settings import ComparisonSettings
from autoenc.run_directory import RunDirectory
from autoenc.settings import ConfigError, checked, listed, nearest

log = logging.getLogger(__name__)


def sweep(composer: Composer) -> int:
    """Run every job that the command line asks for, and compare them; returns the exit code."""
    if composer.resume is not None:
        raise ConfigError("resume", "one run at a time: it does not go with --multirun", value=str(composer.resume))
    config = composer.compose(run_mode=RunMode.MULTIRUN)
    context = HydraContext(config_loader=composer.hydra.config_loader, callbacks=Callbacks())
    try:
        sweeper = Plugins.instance().instantiate_sweeper(
            config=config, hydra_context=context, task_function=run_one_of_a_sweep
        )
    except Exception as error:
        raise ConfigError("hydra.sweeper", f"it cannot be made: {in_one_line(error)}") from error
    comparison = comparison_settings(config)
    expected = _check_jobs(composer, config, comparison=comparison)
    claim = claim_folder(config, "hydra.sweep.dir")
    try:
        sweeper.sweep(arguments=list(config.hydra.overrides.task))
    except Exception:
        if not any(claim.path.glob("**/status.json")):
            claim.give_back()
        raise
    compared = _compare(claim.path, expected, settings=comparison)
    log.info("The sweep is in %s", shown(claim.path))
    return _sweep_exit_code(claim.path, expected) if compared else 1


class _ExpectedJob(NamedTuple):
    """A job that a sweep is going to run."""

    folder: Path
    """Below the sweep's."""
    label: str
    """What distinguishes it from the others."""


def comparison_settings(config: DictConfig) -> ComparisonSettings:
    """What a sweep ends with; the config of a run, which `rerun` starts from, has no such node.

    Raises:
        ConfigError: a key or value in it is wrong.
    """
    values = OmegaConf.to_container(config.comparison, resolve=True) if "comparison" in config else _USUAL_COMPARISON
    if not isinstance(values, dict):
        raise ConfigError("comparison", "it must be a group of keys", value=values)
    return checked(ComparisonSettings, {str(key): value for key, value in values.items()}, key="comparison")


_USUAL_COMPARISON: dict[str, Any] = {
    "title": None,
    "pictures": ["loss_curves", "final_losses", "reconstructions"],
    "metric": "mse",
    "against": None,
    "epochs": None,
}


def _compare(folder: Path, expected: list[_ExpectedJob], *, settings: ComparisonSettings) -> bool:
    """The table and the page of the jobs that finished; whether that could be done. What is wrong loses no run."""
    from autoenc.comparison.sweep import compare_sweep, write_sweep  # noqa: PLC0415 - imports matplotlib

    try:
        write_sweep(folder, {str(job.folder): job.label for job in expected}, settings=settings)
        page = compare_sweep(folder)
    except (ValueError, OSError) as error:
        log.error("The runs are whole, but cannot be compared: %s", in_one_line(error))  # noqa: TRY400
        return False
    if page is not None:
        log.info("Side by side: %s", shown(page))
    return True


def _check_jobs(composer: Composer, config: DictConfig, *, comparison: ComparisonSettings) -> list[_ExpectedJob]:
    """Refuse the whole sweep, before it makes a folder, when one of its jobs would be refused.

    Returns:
        the jobs; none where the sweeper decides on them as it goes.
    """
    from autoenc.comparison.page import check_comparison  # noqa: PLC0415 - imports matplotlib
    from autoenc.config import parse  # noqa: PLC0415 - imports torch

    _check_metric(comparison.metric)
    if not str(config.hydra.sweeper._target_).endswith(".BasicSweeper"):
        return []
    loader = composer.hydra.config_loader
    fixed = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    overrides = OverridesParser.create(config_loader=loader).parse_overrides([*fixed, *config.hydra.overrides.task])
    (jobs,) = BasicSweeper.split_arguments(overrides, None)
    folders: list[Path] = []
    for number, job in enumerate(jobs):
        composed = composer.compose_job(config, job, number=number)
        values = task_values(composed)
        parse(values).device.build()
        check_comparison(values, settings=comparison)
        folder = Path(os.path.normpath(str(composed.hydra.sweep.subdir)))
        if folder.is_absolute() or ".." in folder.parts or folder == Path() or folder in folders:
            problem = "each job needs a folder of its own below the sweep's, as hydra.job.num makes one"
            raise ConfigError("hydra.sweep.subdir", problem, value=str(composed.hydra.sweep.subdir))
        folders.append(folder)
    return [_ExpectedJob(folder, label) for folder, label in zip(folders, labels(jobs), strict=True)]


def _check_metric(name: str) -> None:
    from autoenc.evaluation import METRICS, UNITS  # noqa: PLC0415 - imports torch

    known = ["loss", *UNITS, *(f"noisy_{metric}" for metric in METRICS)]
    if name not in known:
        problem = f"there is no such metric{nearest(name, known)}; there are {listed(known)}"
        raise ConfigError("comparison.metric", problem, value=name)


def run_one_of_a_sweep(config: DictConfig) -> None:
    """One job, in the folder that Hydra made for it inside the sweep's. Its failure is its own."""
    from autoenc import experiment  # noqa: PLC0415 - imports torch
    from autoenc.config import parse  # noqa: PLC0415 - imports torch

    parsed = parse(task_values(config))
    run_directory = RunDirectory.begin(Path(HydraConfig.get().runtime.output_dir), config=parsed.values)
    try:
        with experiment.recorded(run_directory) as interruption:
            summary = experiment.run(experiment.prepare(parsed), run_directory, interruption=interruption)
    except Exception as error:
        log.error("failed: %s", in_one_line(error))  # noqa: TRY400 - the log file has the traceback
    else:
        with contextlib.chdir(HydraConfig.get().runtime.cwd):  # where the command was given: Hydra may have moved us
            report(summary, run_directory)


def _sweep_exit_code(folder: Path, expected: list[_ExpectedJob]) -> int:
    """1 when a job failed: the folders tell, whatever launcher ran the jobs."""
    there = sorted(path.parent.relative_to(folder) for path in folder.glob("**/status.json"))
    jobs = [job.folder for job in expected] or there
    failed = [job for job in jobs if RunDirectory(folder / job).status().get("state") != "finished"]
    if failed:
        names = ", ".join(shown(folder / job) for job in failed)
        sys.stderr.write(f"error: {len(failed)} of {len(jobs)} jobs did not finish: {names}\n")
    return 1 if failed else 0
