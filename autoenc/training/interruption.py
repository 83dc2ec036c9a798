"""The reaction to SIGINT, SIGTERM and SIGHUP: finish the step, save, and exit with the code that shells expect."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn


class Interruption:
    """A request to stop.

    Inside `deferred()` a signal only sets `requested`, which the training loop checks between two steps. A second
    Ctrl-C, and any signal outside, raises `SystemExit` at once. The exit code is 128 plus the signal's number.
    """

    def __init__(self) -> None:
        self.requested = False
        self._exit_code = 0
        self._deferring = False

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Handle the signals. Only the main thread can: in another thread this does nothing.

        SIGHUP, the end of the terminal, stays ignored if it is ignored, as under `nohup`.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handled = [signal.SIGINT, signal.SIGTERM]
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            handled.append(signal.SIGHUP)
        before = {number: signal.signal(number, self._receive) for number in handled}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Let the code inside choose when to stop. It calls `leave` once `requested` is set."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False

    def leave(self) -> NoReturn:
        """Exit with the code of the signal."""
        raise SystemExit(self._exit_code)

    def _receive(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        again = self.requested
        self.requested = True
        self._exit_code = 128 + number
        # No logging here: the handler may interrupt a log line.
        # A sweep and slurm may both send SIGTERM, so a second one does not mean more than the first.
        if not self._deferring or (again and number == signal.SIGINT):
            self.leave()
