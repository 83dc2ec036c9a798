"""What a command line can ask for: a text, one run, or a sweep, which has a module of its own."""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
from collections.abc import Callable, Sequence

from hydra._internal.callbacks import Callbacks
from hydra._internal.utils import _run_hydra, get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import configure_log, run_job
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig

from autoenc.command_line.composition import Composer, task_values
from autoenc.command_line.folders import claim_folder
from autoenc.command_line.help import help_text
from autoenc.command_line.our_configs import absolute_folder, config_directory, register_our_configs
from autoenc.command_line.preview import preview
from autoenc.command_line.sweep import sweep
from autoenc.command_line.wanted import comparison_settings, sweep_settings
from autoenc.experiment.closing_report import as_value, command, shown
from autoenc.progress import console
from autoenc.runs import RunDirectory
from autoenc.settings import ConfigError

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
        _show(options, parser)
        console.insist()
        return 0
    composer = Composer(options)
    if options.multirun or composer.wants_sweep():
        return sweep(composer)
    return _run(composer)


def _show(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """`--help` is ours; `--cfg`, `--info`, completion and `--hydra-help` are Hydra's."""
    if options.help:
        sys.stdout.write(help_text(Composer(options)))
        return
    if options.cfg and options.multirun:
        sys.stdout.write(preview(options))
        return
    if options.cfg:
        composer = Composer(options)
        composer.compose(run_mode=RunMode.RUN)  # for our own words where there is a mistake
        options.overrides, options.config_name = composer.overrides, composer.config_name
    GlobalHydra.instance().clear()
    _run_hydra(
        args=options,
        args_parser=parser,
        task_function=_never,
        config_path=str(config_directory()),
        config_name="config",
    )


def _never(config: DictConfig) -> None:
    """What only shows something does not come to its work."""
    raise AssertionError(config)


def _run(composer: Composer) -> int:
    config = composer.compose(run_mode=RunMode.RUN)
    for_sweeps = [text for text in composer.overrides if text.lstrip("+").startswith("sweep.")]
    if for_sweeps:
        key, _, value = for_sweeps[0].partition("=")
        raise ConfigError(key, "it is for a sweep, and without --multirun (-m) this is one run", value=value)
    comparison_settings(config), sweep_settings(config)  # which only a sweep reads, but a mistake is one here too
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)  # for what there is to say before there is a folder
    if composer.resume is not None and RunDirectory(composer.resume).status().get("state") == "finished":
        raise ConfigError("resume", "this run is finished; rerun= starts a new one from it", value=str(composer.resume))
    if composer.recorded_tracker != "none" and not composer.tracker_overrides:
        log.info("That run had tracker=%s; this has none, unless the command line says so.", composer.recorded_tracker)
    # The first import of torch: everything that can be said without it has been said.
    from autoenc.config import parse
    from autoenc.experiment.preparation import prepare
    from autoenc.experiment.run import run_experiment

    prepared = prepare(parse(task_values(config)))
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
    try:
        _run_in_hydra(
            composer,
            config,
            lambda: run_experiment(run_directory, prepare=lambda: prepared),
            impossible=None if claim is None else claim.give_back,
        )
    except SystemExit:
        again = [f"resume={as_value(shown(path))}", *map(shlex.quote, composer.tracker_overrides)]
        log.info("Interrupted. Go on with: %s %s", command(), " ".join(again))
        raise
    return 0


def _run_in_hydra(
    composer: Composer, config: DictConfig, work: Callable[[], object], *, impossible: Callable[[], None] | None
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
