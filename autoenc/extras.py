"""Optional packages, which come with the extras of `autoenc`."""

from __future__ import annotations

import importlib
from typing import Any

from autoenc.settings import ConfigError


def imported(module: str, *, extra: str, key: str) -> Any:
    """The module, which belongs to an optional package or imports one.

    Args:
        module: its full name.
        extra: the extra that installs the package, such as `mlflow` for `autoenc[mlflow]`.
        key: the setting that needs it, for the message.

    Raises:
        ConfigError: the package is not installed, or cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except Exception as error:  # a broken package may raise anything on import
        missing = isinstance(error, ModuleNotFoundError) and error.name == module
        what = "it is not installed" if missing else f"it cannot be imported ({' '.join(str(error).split())})"
        raise ConfigError(key, f"{what}; pip install 'autoenc[{extra}]'", value=extra) from error
