"""From the command line to a checked config and a folder of its own; a mistake becomes one line.

Hydra 1.3 makes its output folder and writes into it before a program can look at the config, over an earlier run too.
So the config is composed by Hydra and checked here, the folder is claimed, and only then does Hydra begin to write.

Nothing on the way of `--help`, `--cfg` and tab completion imports torch.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Sequence

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from autoenc.command_line.commands import train
from autoenc.command_line.complaints import in_one_line

log = logging.getLogger("autoenc")

WRONG_INPUT, FAILED = 2, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit code.

    0 is success, 1 a run that failed, 2 something that cannot be done as it was asked. A signal (130, 143) and argparse
    (2) leave by `SystemExit`. A traceback is shown where the environment has `HYDRA_FULL_ERROR=1`.
    """
    before = os.environ.get("HYDRA_FULL_ERROR")
    full_error = before == "1"
    handlers = list(logging.getLogger().handlers)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # without it Hydra prints errors in its own way, and exits
    try:
        return train(sys.argv[1:] if arguments is None else list(arguments))
    except (ValueError, HydraException, OmegaConfBaseException) as error:
        return _complain(error, code=WRONG_INPUT, full=full_error)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        log.debug("Failed.", exc_info=True)
        return _complain(error, code=FAILED, full=full_error)
    finally:
        _restore("HYDRA_FULL_ERROR", before)
        _close_handlers(but=handlers)


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


def _complain(error: Exception, *, code: int, full: bool) -> int:
    if full:
        traceback.print_exception(error)
    sys.stderr.write(f"error: {in_one_line(error)}\n")
    return code
