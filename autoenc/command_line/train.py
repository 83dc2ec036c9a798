"""`scripts/train.py`: show a text, train one run, or hand over to a sweep."""

from __future__ import annotations

import argparse
import contextlib
import gc
import logging
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from autoenc.command_line.compose import Composer, node_settings, task_values
from autoenc.command_line.config_errors import unknown_option
from autoenc.command_line.hydra_internals import parse_flags, show_text
from autoenc.command_line.output_folder import claimed_folder, configure_logging, open_log, write_hydra_files
from autoenc.comparison.labels import key_of
from autoenc.comparison.page import ComparisonSettings
from autoenc.display_names import training_line
from autoenc.overrides import as_value
from autoenc.pictures.drawing import start_early
from autoenc.progress import insist_on_output, shown_path
from autoenc.runs import INITIAL_WEIGHTS, RunDirectory
from autoenc.settings import ConfigError
from autoenc.sweeps.plan import SweepSettings

if TYPE_CHECKING:
    from autoenc.experiment.preparation import Prepared

log = logging.getLogger(__name__)


def train(arguments: Sequence[str]) -> int:
    """Do what the command line asks for; returns the exit code."""
    flags = parse_flags(arguments)
    if flags.experimental_rerun is not None:
        raise ConfigError("--experimental-rerun", "it would unpickle a file, which can run code; use rerun=")
    composer = Composer(flags)
    if flags.unknown_options:
        raise unknown_option(flags.unknown_options[0], known=composer)
    if flags.help or flags.hydra_help or flags.cfg or flags.info or flags.shell_completion or flags.resolve:
        _show(flags, composer)
        insist_on_output()
        return 0
    config = composer.compose()
    if config.hydra.mode == RunMode.MULTIRUN:
        from autoenc.command_line.sweep import sweep

        return sweep(composer, config)
    run_once(composer, config)
    return 0


def run_once(composer: Composer, config: DictConfig) -> RunDirectory:
    """Train one run in a new folder, or in that of the run to resume; returns the folder.

    Raises:
        ValueError: the run cannot begin; the message is one line.
        SystemExit: a signal interrupted it; everything is saved.
    """
    _check_command(composer, config)
    configure_logging(config, node="hydra_logging")  # for what is logged before there is a folder
    _warn_of_single_values(composer, config)
    if (earlier := composer.recorded_tracker) != "none" and not composer.tracker_overrides:
        log.info("The earlier run had tracker=%s. This one has none unless the command sets it.", earlier)
    values = task_values(config)
    log.info("%s", training_line(values, continues=composer.resume is not None))
    # The first import of torch, which takes seconds: all earlier errors and the line above do not wait for it.
    if "torch" not in sys.modules:
        start_early()
    with _without_garbage_collection():
        from autoenc.config import parse
        from autoenc.experiment.closing_report import command
        from autoenc.experiment.longer_training import check_change, record_changes
        from autoenc.experiment.preparation import prepare
        from autoenc.experiment.run import run_experiment

    continues, parsed = None if composer.resume is None else RunDirectory(composer.resume), parse(values)
    done = 0 if continues is None else check_change(continues, parsed)
    prepared = prepare(parsed, continues=continues)
    run_directory = _open_folder(composer, config, values=prepared.config.values)
    if composer.rerun is not None and prepared.source is not None:
        _warn_of_other_weights(RunDirectory(composer.rerun), prepared=prepared)
    chdir = contextlib.chdir(run_directory.path) if config.hydra.job.chdir else contextlib.nullcontext()
    try:
        with chdir:
            run_experiment(run_directory, prepare=lambda: record_changes(run_directory, prepared, finished_epochs=done))
    except SystemExit:
        again = [f"resume={as_value(shown_path(run_directory.path))}", *map(shlex.quote, composer.tracker_overrides)]
        log.info("Interrupted. Continue with: %s %s", command(), " ".join(again))
        raise
    return run_directory


@contextlib.contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Import without the collector, which then never visits these objects: modules stay until the process ends.

    A process that has torch already, such as a notebook, has little to import, and objects that have to be collected.
    """
    if "torch" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _warn_of_other_weights(earlier: RunDirectory, *, prepared: Prepared) -> None:
    """Warn that a repeated run starts from other weights than the earlier one, in the same folder."""
    from autoenc.training.checkpoints import stored_digests

    source, digest = prepared.config.values["initialize_from"], prepared.digests[INITIAL_WEIGHTS]
    same_folder = earlier.config().get("initialize_from") == source
    if same_folder and stored_digests(earlier.checkpoints).get(INITIAL_WEIGHTS, digest) != digest:
        log.warning(
            "initialize_from=%s: these are not the weights that %s started from; that run was trained further, or "
            "replaced. The numbers will differ.",
            source,
            shown_path(earlier.path),
        )


def _check_command(composer: Composer, config: DictConfig) -> None:
    for text in composer.overrides:
        key, _, value = text.partition("=")
        if key.lstrip("+").startswith("sweep."):
            raise ConfigError(key, "it is for a sweep, and without --multirun (-m) this is one run", value=value)
    node_settings(config, "sweep", SweepSettings)  # only a sweep reads these two, but a mistake in them is refused
    node_settings(config, "comparison", ComparisonSettings)
    lengthens = any(key_of(text).startswith("training.") for text in composer.overrides)
    if composer.resume is not None and not lengthens and RunDirectory(composer.resume).state == "finished":
        problem = "this run is finished; training.epochs=NUMBER trains it longer, and rerun= starts a new one from it"
        raise ConfigError("resume", problem, value=str(composer.resume))


def _warn_of_single_values(composer: Composer, config: DictConfig) -> None:
    """Warn that `hydra.mode=RUN` makes a single run of a sweep, which ignores the values of its jobs."""
    if "hydra.mode=RUN" not in composer.overrides:
        return
    chosen = {key_of(text) for text in composer.overrides}
    varied = OmegaConf.select(config, "hydra.sweeper.params") or {}
    left = [f"{key}={values}" for key, values in varied.items() if key not in chosen]
    if left:
        log.warning(
            "This config is a sweep over %s. With hydra.mode=RUN it trains one run, which ignores these values: set "
            "each key to one of them, or leave hydra.mode out.",
            " ".join(left),
        )


def _open_folder(composer: Composer, config: DictConfig, *, values: Mapping[str, Any]) -> RunDirectory:
    """The folder of the run, with its log and, in a new one, its config and Hydra's files."""
    if composer.resume is not None:
        open_log(config, composer.resume.absolute())
        return RunDirectory(composer.resume.absolute())
    with claimed_folder(config) as folder:
        run_directory = RunDirectory.begin(folder, config=values)
        open_log(config, folder)
        write_hydra_files(config, folder)
    return run_directory


def _show(flags: argparse.Namespace, composer: Composer) -> None:
    """`--help` and the jobs of a sweep are ours; `--cfg`, `--info`, completion and `--hydra-help` are Hydra's."""
    if flags.help:
        from autoenc.command_line.help_text import help_text

        sys.stdout.write(help_text(composer))
    elif flags.cfg and flags.multirun:
        from autoenc.command_line.sweep import preview

        sys.stdout.write(preview(flags, composer))
    else:
        if flags.cfg:
            config = composer.compose(multirun=False)  # reports a mistake in our words
            if flags.resolve:
                task_values(config)  # and so does this
            flags.overrides, flags.config_name = composer.overrides, composer.config_name
        flags.config_path, flags.config_dir = composer.config_path, None  # which `register_configs` has added
        show_text(flags, config_path=composer.config_path)
