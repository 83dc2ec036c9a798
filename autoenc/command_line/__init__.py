"""From the command line to a checked config and a new output folder; a mistake becomes one line.

Hydra's own main function writes into the output folder, even an earlier run's, before a program can check the config.
So here Hydra only composes the config. This package checks it, claims the folder and writes Hydra's files.

Nothing on the path of `--help`, `--cfg` and tab completion imports torch.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator, Sequence
from typing import NoReturn

from autoenc.command_line.exit_code import end_with, exit_code


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line asks; returns the exit code (see `exit_code`)."""
    from autoenc.command_line.train import train

    with restored_process():
        return exit_code(lambda: train(sys.argv[1:] if arguments is None else arguments))


def program() -> NoReturn:
    """The command `autoenc-train`."""
    end_with(main)


@contextlib.contextmanager
def restored_process() -> Iterator[None]:
    """Restore the logging and the Hydra of the process afterwards: neither belongs to a run that has ended."""
    from hydra.core.global_hydra import GlobalHydra

    from autoenc.command_line.hydra_internals import restore_resolvers

    root, ours, hydra = logging.getLogger(), logging.getLogger("autoenc"), GlobalHydra.instance()
    handlers, levels, composing = list(root.handlers), (root.level, ours.level), hydra.hydra
    try:
        yield
    finally:
        for handler in root.handlers:
            if handler not in handlers:  # the next run in this process must not write into this run's log
                handler.close()
        root.handlers[:] = handlers
        root.level, ours.level = levels
        hydra.hydra = composing
        restore_resolvers()
