"""The state of a run in `status.json`: kept right however the run ends."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import torch

from autoenc.registry import blamed_plugin
from autoenc.runs import ErrorKind, RunDirectory
from autoenc.trackers import Tracking, tracked
from autoenc.training.interruption import Interruption
from autoenc.training.step import NotFiniteError

log = logging.getLogger(__name__)


@contextlib.contextmanager
def recorded(run_directory: RunDirectory) -> Iterator[tuple[Interruption, Tracking]]:
    """Watch for signals, lock the folder, and write the state of the run to `status.json`, then to the tracker.

    Raises:
        ConfigError: another process trains in this folder.
    """
    interruption = Interruption()
    with interruption.watched(), run_directory.locked(), tracked() as tracking:
        try:
            run_directory.set_state("running")
            yield interruption, tracking
        except (KeyboardInterrupt, SystemExit):
            run_directory.set_state("interrupted")
            raise
        except Exception as error:
            _record_failure(run_directory, error)
            raise
        with interruption.deferred():  # the run is complete: a signal no longer interrupts it
            run_directory.set_state("finished")


def _record_failure(run_directory: RunDirectory, error: Exception) -> None:
    log.debug("The run failed.", exc_info=error)
    message = blamed_plugin(error) + (" ".join(str(error).split()) or type(error).__name__)
    try:
        run_directory.set_state("failed", error={"kind": _kind(error), "message": message})
    except OSError as full:  # a full disk may be why the run failed: report the first error, not this one
        log.warning("%s cannot be written: %s", run_directory.path / "status.json", full.strerror)


def _kind(error: Exception) -> ErrorKind:
    if isinstance(error, NotFiniteError):
        return "not_finite"
    # The CPU allocator has no exception class of its own.
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate memory" in str(error):
        return "out_of_memory"
    return "raised"
