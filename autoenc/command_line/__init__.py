"""From the command line to a checked config and a new output folder; a mistake becomes one line.

Hydra's own main function writes into the output folder, even an earlier run's, before a program can check the config.
So here Hydra only composes the config. This package checks it, claims the folder and writes Hydra's files.

Nothing on the path of `--help`, `--cfg` and tab completion imports torch.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from autoenc.command_line.exit_code import exit_code


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line asks; returns the exit code (see `exit_code`)."""
    from hydra.core.global_hydra import GlobalHydra

    from autoenc.command_line.train import train

    root = logging.getLogger()
    before = list(root.handlers)
    try:
        return exit_code(lambda: train(sys.argv[1:] if arguments is None else arguments))
    finally:
        # The next command in this process must not write into this run's log.
        for handler in [handler for handler in root.handlers if handler not in before]:
            root.removeHandler(handler)
            handler.close()
        GlobalHydra.instance().clear()
