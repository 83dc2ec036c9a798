"""How a run stands, written down however it ends."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import NamedTuple

import torch

from autoenc.runs import ErrorKind, RunDirectory
from autoenc.trackers import Tracking, tracked
from autoenc.training.interruption import Interruption
from autoenc.training.step import NotFiniteError

log = logging.getLogger(__name__)


class Supervision(NamedTuple):
    """What `recorded` lends the run inside it."""

    interruption: Interruption
    tracking: Tracking


@contextlib.contextmanager
def recorded(run_directory: RunDirectory) -> Iterator[Supervision]:
    """Watch for signals, keep other processes out, and have `status.json` say how the run stands, however it ends.

    Last, when that is written, a tracker is told and waited for: it cannot cost the run its state.

    Raises:
        ConfigError: another process trains in this folder.
    """
    interruption = Interruption()
    with interruption.watched(), run_directory.locked(), tracked() as tracking:
        try:
            run_directory.set_state("running")
            yield Supervision(interruption, tracking)
        except (KeyboardInterrupt, SystemExit):
            run_directory.set_state("interrupted")
            raise
        except Exception as error:
            log.debug("The run failed.", exc_info=True)
            _record_failure(run_directory, error)
            raise
        with interruption.deferred():  # a signal that comes now comes too late
            run_directory.set_state("finished")


def _record_failure(run_directory: RunDirectory, error: Exception) -> None:
    message = " ".join(str(error).split()) or type(error).__name__
    try:
        run_directory.set_state("failed", error={"kind": _kind(error), "message": message})
    except OSError as full:  # a full disk, say, which may be why the run failed: that is to be told, not this
        log.warning("%s cannot be written: %s", run_directory.path / "status.json", full.strerror)


def _kind(error: Exception) -> ErrorKind:
    if isinstance(error, NotFiniteError):
        return "not_finite"
    # The CPU's allocator has no exception class of its own.
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate memory" in str(error):
        return "out_of_memory"
    return "raised"
