"""How every command ends: with an exit code, and with a mistake in one line."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NoReturn, TextIO, cast

from autoenc.progress import LastingStream
from autoenc.registry import blamed_plugin

log = logging.getLogger("autoenc")

WRONG_INPUT, FAILED = 2, 1


def exit_code(work: Callable[[], int]) -> int:
    """Do the work of a command; returns its exit code: 0 for success, 1 for a failure, 2 for wrong input.

    A signal (129, 130, 143) and argparse (2) leave by `SystemExit`. `HYDRA_FULL_ERROR=1` adds a traceback.

    A standard stream that is closed or full neither ends the work nor changes the code. A command that only prints
    calls `insist_on_output`.
    """
    with _lasting_streams():
        try:
            return work()
        except KeyboardInterrupt:
            return 130
        except Exception as error:
            if os.environ.get("HYDRA_FULL_ERROR") == "1":
                traceback.print_exception(error)
            sys.stderr.write(f"error: {blamed_plugin(error)}{in_one_line(error)}\n")
            # Hydra's and OmegaConf's errors are recognised by their modules, to import neither here.
            if isinstance(error, ValueError) or type(error).__module__.partition(".")[0] in {"hydra", "omegaconf"}:
                return WRONG_INPUT
            log.debug("Failed.", exc_info=True)
            return FAILED


def end_with(main: Callable[[], int]) -> NoReturn:
    """Run a command as a program, whose process ends with the exit code.

    Python waits for threads and calls the functions of `atexit` that the command has registered. Then the process ends,
    and the system takes its memory back: freeing torch's objects and libraries one by one takes a quarter of a second.
    """
    codes: list[int] = []

    def end() -> None:
        # Without a code, it is that of an exception, such as SystemExit. A tracer, such as that of coverage.py, has
        # registered a function before ours, which Python calls next.
        if codes and sys.gettrace() is None:
            logging.shutdown()
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError):
                    stream.flush()
            os._exit(codes[0])

    atexit.register(end)
    codes.append(main())
    sys.exit(codes[0])


@contextlib.contextmanager
def _lasting_streams() -> Iterator[None]:
    sys.stdin = sys.stdin or _null_device("r")
    before = sys.stdout, sys.stderr
    lasting = [LastingStream(stream or _null_device("w")) for stream in before]
    sys.stdout, sys.stderr = (cast("TextIO", stream) for stream in lasting)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream in lasting:
            stream.finish()


def _null_device(mode: Literal["r", "w"]) -> TextIO:
    """A stream to replace one that was closed at the start (`>&-`); the next file to be opened would get its number."""
    null = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - open as long as the process lives
    os.set_inheritable(null.fileno(), True)
    return null


def in_one_line(error: BaseException) -> str:
    """An error's message without line breaks and control characters: it may quote a stranger's file."""
    lines = [line.strip() for line in str(error).splitlines()]
    text = "; ".join(line for line in lines if line)
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text) or type(error).__name__
