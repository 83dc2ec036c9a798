"""Optional packages, which come with an extra of this one."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from autoenc.settings import ConfigError


def imported(module: str, *, extra: str, key: str, value: str | None = None) -> Any:
    """Import a module that needs the extra `extra`.

    Raises:
        ConfigError: a package is not installed, or cannot be imported; `key` is the setting that needs it. `value` is
            the setting's value, if this is not the name of the extra.
    """
    try:
        return importlib.import_module(module)
    except Exception as error:  # importing a broken package may raise anything
        missing = isinstance(error, ModuleNotFoundError) and error.name == module
        name = "it" if value is None else f"the package {module}"
        what = "is not installed" if missing else f"cannot be imported ({' '.join(str(error).split())})"
        raise ConfigError(key, f"{name} {what}; pip install 'autoenc[{extra}]'", value=value or extra) from error


def check_installed(module: str, *, extra: str, key: str) -> None:
    """Refuse a setting whose package is not installed, without the time to import it in this process.

    Raises:
        ConfigError: it is not; `key` is the setting, and the name of the extra is its value.
    """
    if importlib.util.find_spec(module) is None:
        raise ConfigError(key, f"it is not installed; pip install 'autoenc[{extra}]'", value=extra)
