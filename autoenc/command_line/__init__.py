"""From the command line to a checked config and a folder of its own; a mistake becomes one line.

Hydra 1.3 makes its output folder and writes into it before a program can look at the config, over an earlier run too.
So the config is composed by Hydra and checked here, the folder is claimed, and only then does Hydra begin to write.

Nothing on the way of `--help`, `--cfg` and tab completion imports torch.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from autoenc.command_line.ending import exit_code


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says; returns the exit code, as `exit_code` has it."""
    handlers = list(logging.getLogger().handlers)
    try:
        return exit_code(lambda: _train_with_whole_errors(sys.argv[1:] if arguments is None else list(arguments)))
    finally:
        _close_handlers(but=handlers)
        _forget_hydra()


def _train_with_whole_errors(arguments: Sequence[str]) -> int:
    """Without this variable Hydra prints errors in its own way, and exits."""
    from autoenc.command_line.commands import train

    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        return train(arguments)
    finally:
        _restore("HYDRA_FULL_ERROR", before)


def _forget_hydra() -> None:
    from hydra.core.global_hydra import GlobalHydra

    GlobalHydra.instance().clear()


def _restore(variable: str, value: str | None) -> None:
    if value is None:
        del os.environ[variable]
    else:
        os.environ[variable] = value


def _close_handlers(*, but: list[logging.Handler]) -> None:
    """Take off the handlers that Hydra put on: the next command in this process is not for this run's log."""
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if handler not in but]:
        root.removeHandler(handler)
        handler.close()
