"""`autoenc.train`: what the training command does, from Python and in notebooks."""

from __future__ import annotations

from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf.errors import OmegaConfBaseException

from autoenc.command_line import restored_process
from autoenc.command_line.compose import Composer
from autoenc.command_line.exit_code import in_one_line
from autoenc.command_line.hydra_internals import parse_flags
from autoenc.command_line.train import run_once
from autoenc.devices import restored_threads
from autoenc.seeds import restored_random_state
from autoenc.settings import ConfigError
from autoenc.trained_model import TrainedModel, load_run


def train(*overrides: str) -> TrainedModel:
    """Train one run as `autoenc-train` does, with the same config, folder, log and pictures, and return it.

        run = autoenc.train("architecture=conv", "dataset=mnist", "training.epochs=5")

    Args:
        overrides: as on the command line: `group=choice`, `key=value`, `rerun=FOLDER`, `resume=FOLDER`. No flags.

    Returns:
        the trained model on the CPU, with the weights that were tested. `path` is the run's folder.

    Raises:
        ConfigError: an override is wrong, or asks for several runs; nothing is written. The message is one line.
        NotFiniteError: the training diverged.
        KeyboardInterrupt: it was interrupted. Everything is saved, and `resume=FOLDER` continues.
    """
    flags = parse_flags([])
    flags.overrides = list(overrides)
    with restored_process(), restored_random_state(), restored_threads():
        try:
            composer = Composer(flags)
            config = composer.compose()
            if config.hydra.mode == RunMode.MULTIRUN:
                problem = "this is a sweep, and autoenc.train trains one run; use autoenc-train, or a loop in Python"
                raise ConfigError("hydra.mode", problem, value="MULTIRUN")
            run_directory = run_once(composer, config)
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError("overrides", in_one_line(error)) from error
        except SystemExit as error:  # by a signal; in a notebook it would end the kernel
            raise KeyboardInterrupt from error
    return load_run(run_directory.path)
