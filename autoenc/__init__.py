"""Train, evaluate and plot autoencoders on images from one command."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autoenc.application.onnx_export import export
    from autoenc.command_line.train_in_python import train
    from autoenc.comparison.compare_runs import Comparison, compare
    from autoenc.models.autoencoder import AutoEncoder
    from autoenc.trained_model import TrainedModel, load_run

__version__ = "0.1.0"
__all__ = ["AutoEncoder", "Comparison", "TrainedModel", "__version__", "compare", "export", "load_run", "train"]

# Imported lazily, because torch takes seconds to import and `--help` must not wait for it.
_MODULES = {
    "AutoEncoder": "autoenc.models.autoencoder",
    "Comparison": "autoenc.comparison.compare_runs",
    "TrainedModel": "autoenc.trained_model",
    "compare": "autoenc.comparison.compare_runs",
    "export": "autoenc.application.onnx_export",
    "load_run": "autoenc.trained_model",
    "train": "autoenc.command_line.train_in_python",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'autoenc' has no attribute '{name}'")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
