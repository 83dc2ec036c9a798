"""Optional packages, which come with an extra of this one."""

from __future__ import annotations

import importlib
from typing import Any

from autoenc.settings import ConfigError


def imported(module: str, *, extra: str, key: str) -> Any:
    """Import a module that needs the extra `extra`.

    Raises:
        ConfigError: a package is not installed, or cannot be imported; `key` is the setting that needs it.
    """
    try:
        return importlib.import_module(module)
    except Exception as error:  # importing a broken package may raise anything
        missing = isinstance(error, ModuleNotFoundError) and error.name == module
        what = "it is not installed" if missing else f"it cannot be imported ({' '.join(str(error).split())})"
        raise ConfigError(key, f"{what}; pip install 'autoenc[{extra}]'", value=extra) from error
