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

    0 is success, 1 a run that failed, 2 something that cannot be done as it was asked; a signal's code is 128 plus its
    number. A traceback is shown where the environment has `HYDRA_FULL_ERROR=1`.
    """
    full_error = os.environ.get("HYDRA_FULL_ERROR") == "1"
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
        if not full_error:
            del os.environ["HYDRA_FULL_ERROR"]


def _complain(error: Exception, *, code: int, full: bool) -> int:
    if full:
        traceback.print_exception(error)
    sys.stderr.write(f"error: {in_one_line(error)}\n")
    return code
