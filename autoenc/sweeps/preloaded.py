"""Imported by the process that jobs are forked from: what nearly every job needs, so that none of them does it again.

Nothing here may start a thread, since a forked process does not have it.
"""

from __future__ import annotations

import ctypes
import importlib
import signal

from autoenc.pictures import PICTURES, picture_class

MODULES = (
    *("autoenc.sweeps.worker", "autoenc.config", "autoenc.experiment.run"),
    *("autoenc.evaluation.likelihood", "autoenc.evaluation.structural_similarity"),
    *("filelock", "pydantic.dataclasses", "pydantic.type_adapter", "rich.status", "scipy.optimize"),
    *("PIL.BmpImagePlugin", "PIL.GifImagePlugin", "PIL.JpegImagePlugin", "PIL.PpmImagePlugin", "matplotlib.style.core"),
)
"""Runs import the second and later lines only when they need them, but nearly every run does."""

SIGNAL_WHEN_THE_PARENT_DIES = 1
"""`PR_SET_PDEATHSIG` of Linux's `prctl`."""


def preload() -> None:
    """Import the modules, and look up what all jobs record."""
    for name in MODULES:
        importlib.import_module(name)
    for name, entry in PICTURES.items():
        if entry.always:
            picture_class(name)
    from autoenc.environment import describe_installation

    describe_installation()


# If the command is over before the imports, because of a mistake, a pipe that reads its output would wait for them.
ctypes.CDLL(None).prctl(SIGNAL_WHEN_THE_PARENT_DIES, signal.SIGKILL)
preload()
