"""How every command ends: an exit code, and a mistake in one line."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO, cast

from autoenc.progress import LastingStream

log = logging.getLogger("autoenc")

WRONG_INPUT, FAILED = 2, 1


def exit_code(work: Callable[[], int]) -> int:
    """Do the work of a command; returns its exit code.

    0 is success, 1 work that failed, 2 something that cannot be done as it was asked. A signal (129, 130, 143) and
    argparse (2) leave by `SystemExit`. A traceback is shown where the environment has `HYDRA_FULL_ERROR=1`.

    That standard output or error cannot be written to, or cannot hold a letter, is no reason to end, nor changes the
    code: what has to be said and not only done calls `console.insist`.
    """
    with _lasting_streams():
        return _exit_code(work)


@contextlib.contextmanager
def _lasting_streams() -> Iterator[None]:
    before = sys.stdout, sys.stderr
    lasting = [LastingStream(stream or _nowhere()) for stream in before]
    sys.stdout, sys.stderr = (cast("TextIO", stream) for stream in lasting)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream in lasting:
            stream.let_go()


def _nowhere() -> TextIO:
    """For a stream that was closed before Python began (`>&-`): its number would be the next file's that is opened,
    here and in the processes of a sweep's jobs.
    """
    nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open as long as the process lives
    os.set_inheritable(nowhere.fileno(), True)
    return nowhere


def _exit_code(work: Callable[[], int]) -> int:
    full_error = os.environ.get("HYDRA_FULL_ERROR") == "1"
    try:
        return work()
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if isinstance(error, (ValueError, *_errors_of_configs())):
            return _complain(error, code=WRONG_INPUT, full=full_error)
        log.debug("Failed.", exc_info=True)
        return _complain(error, code=FAILED, full=full_error)


def in_one_line(error: BaseException) -> str:
    """An error's message, without line breaks, and without what a terminal would obey: it may quote anybody's file."""
    lines = [line.strip() for line in str(error).splitlines()]
    text = "; ".join(line for line in lines if line)
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text) or type(error).__name__


def _errors_of_configs() -> list[type[Exception]]:
    """Hydra's and OmegaConf's, of which there can be none where nothing has imported them."""
    homes = {"hydra.errors": "HydraException", "omegaconf.errors": "OmegaConfBaseException"}
    return [getattr(sys.modules[home], name) for home, name in homes.items() if home in sys.modules]


def _complain(error: Exception, *, code: int, full: bool) -> int:
    if full:
        traceback.print_exception(error)
    sys.stderr.write(f"error: {in_one_line(error)}\n")
    return code
