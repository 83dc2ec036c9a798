"""What a command line can ask for: a text, one run, or a sweep."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hydra._internal.callbacks import Callbacks
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import _run_hydra, get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import configure_log, run_job
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf

from autoenc.command_line.complaints import in_one_line
from autoenc.command_line.composition import (
    Composer,
    absolute_folder,
    config_directory,
    register_our_configs,
    task_values,
)
from autoenc.command_line.folders import claim_folder
from autoenc.command_line.help import help_text
from autoenc.comparison.jobs import labels
from autoenc.comparison.settings import ComparisonSettings
from autoenc.run_directory import RunDirectory
from autoenc.settings import ConfigError, checked

log = logging.getLogger(__name__)


def train(arguments: Sequence[str]) -> int:
    """Train as the command line says; returns the exit code."""
    parser = get_args_parser()
    options = parser.parse_intermixed_args(arguments)  # flags may stand anywhere among the settings
    options.config_path = absolute_folder(options.config_path, flag="--config-path")
    options.config_dir = absolute_folder(options.config_dir, flag="--config-dir")
    if options.experimental_rerun is not None:
        raise ConfigError("--experimental-rerun", "it would unpickle a file, which can run code; use rerun=")
    register_our_configs()
    if options.help or options.hydra_help or options.cfg or options.info or options.shell_completion or options.resolve:
        return _show(options, parser)
    composer = Composer(options)
    if options.multirun or composer.wants_sweep():
        return _sweep(composer)
    return _run(composer)


def _show(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """`--help` is ours; `--cfg`, `--info`, completion and `--hydra-help` are Hydra's."""
    if options.help:
        sys.stdout.write(help_text(Composer(options)))
        return 0
    if options.cfg:
        composer = Composer(options)
        composer.compose(run_mode=RunMode.RUN)  # for our own words where there is a mistake
        options.overrides, options.config_name = composer.overrides, composer.config_name
    GlobalHydra.instance().clear()
    _run_hydra(
        args=options,
        args_parser=parser,
        task_function=_run_one_of_a_sweep,
        config_path=str(config_directory()),
        config_name="config",
    )
    return 0


def _run(composer: Composer) -> int:
    config = composer.compose(run_mode=RunMode.RUN)
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)  # for what there is to say before there is a folder
    if composer.resume is not None and RunDirectory(composer.resume).status().get("state") == "finished":
        raise ConfigError("resume", "this run is finished; rerun= starts a new one from it", value=str(composer.resume))
    # The first import of torch: everything that can be said without it has been said.
    from autoenc import experiment  # noqa: PLC0415
    from autoenc.config import parse  # noqa: PLC0415

    prepared = experiment.prepare(parse(task_values(config)))
    claim = None
    if composer.resume is not None:
        path = composer.resume.absolute()
        config.hydra.output_subdir = None  # what Hydra wrote when the run began stays
        config.hydra.run.dir = str(path)
    else:
        claim = claim_folder(config, "hydra.run.dir")
        path = claim.path
        RunDirectory.begin(path, config=prepared.config.values)
    run_directory = RunDirectory(path)
    summary: dict[str, Any] = {}
    try:
        with experiment.recorded(run_directory) as interruption:
            _run_in_hydra(
                composer,
                config,
                lambda: summary.update(experiment.run(prepared, run_directory, interruption=interruption)),
                impossible=None if claim is None else claim.give_back,
            )
    except SystemExit:
        log.info("Interrupted. Go on with: %s resume=%s", _command(), _as_value(_shown(path)))
        raise
    _report(summary, run_directory)
    return 0


def _run_in_hydra(
    composer: Composer, config: DictConfig, work: Callable[[], None], *, impossible: Callable[[], None] | None
) -> None:
    """Do the work as a job of Hydra's: with its files written, and its logging. `impossible` is called before an error
    of Hydra's own, such as a logging configuration that makes no sense.
    """
    failures: list[Exception] = []

    def job(_: DictConfig) -> None:
        try:
            work()
        except Exception as error:
            failures.append(error)  # carried past Hydra, which would print it in its own way

    context = HydraContext(config_loader=composer.hydra.config_loader, callbacks=Callbacks())
    try:
        run_job(
            hydra_context=context,
            task_function=job,
            config=config,
            job_dir_key="hydra.run.dir",
            job_subdir_key=None,
        )
    except Exception:
        if impossible is not None:
            impossible()
        raise
    for failure in failures:
        raise failure


def _sweep(composer: Composer) -> int:
    if composer.resume is not None:
        raise ConfigError("resume", "one run at a time: it does not go with --multirun", value=str(composer.resume))
    config = composer.compose(run_mode=RunMode.MULTIRUN)
    context = HydraContext(config_loader=composer.hydra.config_loader, callbacks=Callbacks())
    try:
        sweeper = Plugins.instance().instantiate_sweeper(
            config=config, hydra_context=context, task_function=_run_one_of_a_sweep
        )
    except Exception as error:
        raise ConfigError("hydra.sweeper", f"it cannot be made: {in_one_line(error)}") from error
    comparison = _comparison(config)
    expected = _check_jobs(composer, config)
    claim = claim_folder(config, "hydra.sweep.dir")
    try:
        sweeper.sweep(arguments=list(config.hydra.overrides.task))
    except Exception:
        if not any(claim.path.glob("**/status.json")):
            claim.give_back()
        raise
    _compare(claim.path, expected, settings=comparison)
    log.info("The sweep is in %s", _shown(claim.path))
    return _sweep_exit_code(claim.path, expected)


class _ExpectedJob(NamedTuple):
    """A job that a sweep is going to run."""

    folder: Path
    """Below the sweep's."""
    label: str
    """What distinguishes it from the others."""


def _comparison(config: DictConfig) -> ComparisonSettings:
    """What the sweep ends with; the config of an old run, which `rerun` starts from, has no such node."""
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


def _compare(folder: Path, expected: list[_ExpectedJob], *, settings: ComparisonSettings) -> None:
    """The table and the page of the jobs that finished. What is wrong with them loses no run."""
    from autoenc.comparison.sweep import compare_sweep, write_sweep  # noqa: PLC0415 - imports matplotlib

    try:
        write_sweep(folder, {str(job.folder): job.label for job in expected}, settings=settings)
        page = compare_sweep(folder)
    except (ValueError, OSError) as error:
        log.error("The runs are whole, but cannot be compared: %s", in_one_line(error))  # noqa: TRY400
    else:
        if page is not None:
            log.info("Side by side: %s", _shown(page))


def _check_jobs(composer: Composer, config: DictConfig) -> list[_ExpectedJob]:
    """Refuse the whole sweep, before it makes a folder, when one of its jobs would be refused.

    Returns:
        the jobs; none where the sweeper decides on them as it goes.
    """
    from autoenc.config import parse  # noqa: PLC0415 - imports torch

    if not str(config.hydra.sweeper._target_).endswith(".BasicSweeper"):
        return []
    loader = composer.hydra.config_loader
    fixed = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    overrides = OverridesParser.create(config_loader=loader).parse_overrides([*fixed, *config.hydra.overrides.task])
    (jobs,) = BasicSweeper.split_arguments(overrides, None)
    folders: list[Path] = []
    for number, job in enumerate(jobs):
        composed = composer.compose_job(config, job, number=number)
        parse(task_values(composed)).device.build()
        folder = Path(os.path.normpath(str(composed.hydra.sweep.subdir)))
        if folder.is_absolute() or ".." in folder.parts or folder == Path() or folder in folders:
            problem = "each job needs a folder of its own below the sweep's, as hydra.job.num makes one"
            raise ConfigError("hydra.sweep.subdir", problem, value=str(composed.hydra.sweep.subdir))
        folders.append(folder)
    return [_ExpectedJob(folder, label) for folder, label in zip(folders, labels(jobs), strict=True)]


def _run_one_of_a_sweep(config: DictConfig) -> None:
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
            _report(summary, run_directory)


def _sweep_exit_code(folder: Path, expected: list[_ExpectedJob]) -> int:
    """1 when a job failed: the folders tell, whatever launcher ran the jobs."""
    there = sorted(path.parent.relative_to(folder) for path in folder.glob("**/status.json"))
    jobs = [job.folder for job in expected] or there
    failed = [job for job in jobs if RunDirectory(folder / job).status().get("state") != "finished"]
    if failed:
        names = ", ".join(_shown(folder / job) for job in failed)
        sys.stderr.write(f"error: {len(failed)} of {len(jobs)} jobs did not finish: {names}\n")
    return 1 if failed else 0


def _report(summary: dict[str, Any], run_directory: RunDirectory) -> None:
    """What a person wants to know at the end: how good, where, and how to do it again."""
    seconds, epochs = summary["seconds"]["training"], summary["epochs"]
    log.info("Trained %d epoch(s) in %.1f s, %.0f images/s.", epochs, seconds, summary["images_per_second"])
    best = summary["best_epoch"]
    which = "the last epoch's weights" if best is None else f"the weights of epoch {best}, the best on validation"
    log.info("Test, with %s:", which)
    width = max(len(name) for name in summary["test"])
    for name, value in summary["test"].items():
        log.info("  %-*s %-10.5g %s", width, name, value, summary["units"].get(name, ""))
    for sentence in summary["health"]["words"]:
        log.info("%s", sentence)
    log.info("Folder:    %s", _shown(run_directory.path))
    log.info("Run again: %s rerun=%s", _command(), _as_value(_shown(run_directory.path)))


def _command() -> str:
    """How this program was called, without its arguments."""
    called = Path(sys.argv[0])
    return f"python {shlex.quote(_shown(called))}" if called.suffix == ".py" else called.name


def _shown(path: Path) -> str:
    """Relative to where one stands, if it is below."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_absolute() and path.is_relative_to(here) else str(path)


def _as_value(text: str) -> str:
    """A path as Hydra and a shell both read it."""
    return text if re.fullmatch(r"[\w./-]+", text) else shlex.quote(f"'{text}'")
