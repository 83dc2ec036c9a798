"""A job's process from the inside: train in its folder, record the end there, and never outlive the parent."""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import logging.config
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoenc.runs import RunDirectory
from autoenc.sweeps.plan import JobTask

log = logging.getLogger(__name__)

ORPHAN_SECONDS = 30.0
"""How long a job may take to finish its step and save once its parent is gone."""


def work(task: JobTask) -> None:
    """Run the job: the main function of its process, which ends with the exit code of a run."""
    if hasattr(os, "setsid"):
        os.setsid()  # a terminal's Ctrl-C goes to the sweep, which then asks its jobs
    if hasattr(signal, "pthread_sigmask"):  # both are blocked in the parent
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)  # drops a Ctrl-C that came before `setsid`
        signal.signal(signal.SIGINT, handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    run_directory = RunDirectory(Path(task.folder))
    _send_output_to(run_directory.path / "train.log")
    faulthandler.enable()  # a crash, or the end of a hanging job, leaves a stack in the log
    _end_with_the_parent()
    os.environ.update(task.environment)
    sys.argv = list(task.command_line)  # slurm and Ray start jobs by commands of their own
    if task.logging.get("root") is not None:  # as in Hydra: without a root, logging is left alone
        _configure_logging(task.logging, file=run_directory.path / "train.log")
    if task.chdir:
        os.chdir(run_directory.path)
    _train(run_directory, task)


def _configure_logging(settings: Mapping[str, Any], *, file: Path) -> None:
    """Configure logging. The job's output goes to its log, so a handler for a terminal would log everything twice."""
    logging.config.dictConfig(dict(settings))
    root = logging.getLogger()
    if str(file) in {getattr(handler, "baseFilename", None) for handler in root.handlers}:
        root.handlers = [handler for handler in root.handlers if type(handler) is not logging.StreamHandler]


def _train(run_directory: RunDirectory, task: JobTask) -> None:
    from autoenc.config import DEFAULTS_OF_EARLIER_RUNS, parse
    from autoenc.experiment.preparation import Prepared, prepare
    from autoenc.experiment.run import run_experiment

    def prepared() -> Prepared:
        # The command decides on the tracker, never a folder, which may come from a stranger.
        tracker = task.config.get("tracker", DEFAULTS_OF_EARLIER_RUNS["tracker"])
        config = parse({**run_directory.config(), "tracker": tracker})
        return prepare(config, continues=run_directory, threads=task.threads)

    try:
        run_experiment(run_directory, prepare=prepared)
    except Exception as error:  # recorded in the folder, unless another process trains there
        log.error("%s", error)  # noqa: TRY400 - the log has the traceback
        sys.exit(1)


def _send_output_to(path: Path) -> None:
    """Send what libraries print to the job's log, and not between the lines of other jobs."""
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for stream in filter(None, (sys.stdout, sys.stderr)):  # None: closed before Python started
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    # A forked process has its parent's objects, such as a test's capture.
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False, errors="backslashreplace")
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False, errors="backslashreplace")


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_wait_and_end, args=(parent.sentinel,), daemon=True).start()


def _wait_and_end(sentinel: int) -> None:
    """Save and end when the parent is gone; end without saving if that takes too long."""
    multiprocessing.connection.wait([sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(ORPHAN_SECONDS)
    os._exit(128 + signal.SIGTERM)
