"""Imported by the process that jobs are forked from: what nearly every job needs, so that none of them does it again.

Nothing here may start a thread, since a forked process does not have it.
"""

from __future__ import annotations

import importlib
import os

from autoenc.pictures import PICTURES, drawing, picture_class

MODULES = (
    *("torch", "autoenc.sweeps.worker", "autoenc.config", "autoenc.experiment.run"),
    *("autoenc.evaluation.likelihood", "autoenc.evaluation.structural_similarity"),
    *("filelock", "numpy.ctypeslib", "pydantic.dataclasses", "pydantic.type_adapter"),
    *("rich.status", *drawing.MODULES),
)
"""Runs import the second and later lines only when they need them, but nearly every run does."""


def preload() -> None:
    """Import the modules, and look up what all jobs record. Stop if the command is over already, because of a mistake:
    a pipe that reads its output would wait for the imports.
    """
    parent = os.getppid()
    for name in MODULES:
        if os.getppid() != parent:
            return
        importlib.import_module(name)
    for name, entry in PICTURES.items():
        if entry.always:
            picture_class(name)
    from autoenc.environment import describe_installation

    describe_installation()


preload()
