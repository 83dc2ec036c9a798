"""Packages that not everybody has: those of our extras."""

from __future__ import annotations

import importlib
from typing import Any

from autoenc.settings import ConfigError


def imported(module: str, *, extra: str, key: str) -> Any:
    """The module, which is of a package that comes with the extra `extra` of ours, or imports such packages.

    Raises:
        ConfigError: they are not installed, or cannot be imported; `key` is what asked for them.
    """
    try:
        return importlib.import_module(module)
    except Exception as error:  # a broken package may raise anything as it is imported
        missing = isinstance(error, ModuleNotFoundError) and error.name == module
        what = "it is not installed" if missing else f"it cannot be imported ({' '.join(str(error).split())})"
        raise ConfigError(key, f"{what}; pip install 'autoenc[{extra}]'", value=extra) from error
