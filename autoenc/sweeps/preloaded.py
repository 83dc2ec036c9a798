"""Imported by the process that jobs are forked from: what nearly every job needs, so that none of them does it again.

Nothing here may start a thread, since a forked process does not have it.
"""

from __future__ import annotations

import importlib

from autoenc.environment import describe_installation
from autoenc.pictures import PICTURES, picture_class

MODULES = (
    *("autoenc.sweeps.worker", "autoenc.config", "autoenc.experiment.run"),
    *("autoenc.evaluation.likelihood", "autoenc.evaluation.structural_similarity"),
    *("filelock", "pydantic.dataclasses", "pydantic.type_adapter", "rich.status", "scipy.optimize"),
    *("PIL.BmpImagePlugin", "PIL.GifImagePlugin", "PIL.JpegImagePlugin", "PIL.PpmImagePlugin", "matplotlib.style.core"),
)
"""Runs import the second and later lines only when they need them, but nearly every run does."""

for name in MODULES:
    importlib.import_module(name)
for name, entry in PICTURES.items():
    if entry.always:
        picture_class(name)
describe_installation()
