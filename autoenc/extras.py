"""Optional packages, which come with an extra of this one."""

from __future__ import annotations

import importlib
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
