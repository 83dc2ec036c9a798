"""Signals that ask a process to end: finish the step, save, and leave with the exit code that shells expect."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn


class Interruption:
    """Whether the process has been asked to stop.

    Inside `deferred()` a first signal only sets `requested`, for the loop there to see between two steps; a second one,
    and any outside, raises `SystemExit` with 128 plus the signal's number at once.
    """

    def __init__(self) -> None:
        self.requested = False
        self._exit_code = 0
        self._deferring = False

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Take the signals over. Only a main thread can: in another one nothing changes.

        SIGHUP, the end of the terminal, stays ignored where it is: `nohup` sees to that.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        heeded = [signal.SIGINT, signal.SIGTERM]
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            heeded.append(signal.SIGHUP)
        before = {number: signal.signal(number, self._receive) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Let the code inside choose the moment; it calls `leave` when `requested` is set."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False

    def leave(self) -> NoReturn:
        """Exit with the code of the signal that came."""
        raise SystemExit(self._exit_code)

    def _receive(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        again = self.requested
        self.requested = True
        self._exit_code = 128 + number
        # No logging here: a handler may run in the middle of a line that is being written.
        if again or not self._deferring:
            self.leave()
